"""What a trace knows of one tensor: which units its positions are, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from netsmith.compress.graph import FROZEN, Labels

__all__ = ["WEIGHTS", "Block", "Mark", "Rows", "along", "frozen"]

WEIGHTS = -1
"""The site of a softmax: what is multiplied with its result are the values of an attention."""


@dataclass(frozen=True)
class Rows:
    """Which row of a layer's weight and bias makes each position.

    Attributes:
        tensors: Names of weight and bias.
        numbers: As many axes as the tensor, length 1 where the row does not change.
    """

    tensors: tuple[str, ...]
    numbers: Labels


@dataclass(frozen=True)
class Block:
    """What a layer's function is given as its weight: a parameter, or slices of one along its axes.

    Attributes:
        tensor: Name of the parameter.
        shape: The parameter's.
        picks: By axis, the positions that were taken.
    """

    tensor: str
    shape: tuple[int, ...]
    picks: tuple[Labels, ...]

    def whole(self) -> bool:
        """Return whether it is all of the parameter."""
        return tuple(map(len, self.picks)) == self.shape


@dataclass
class Mark:
    """What is known of one tensor.

    Attributes:
        labels: Atoms of its positions.
        zero: A position is zero wherever its unit is masked, so dropping it changes no sum; None where an activation
            has made another number of that zero (the sigmoid of 0 is 1/2), so that layers must not read it.
        free: Made of zeros in the code (a first state): its last axis takes the units of what it meets.
        sites: The calls that split one axis into several which this comes from.
        rows: Where a layer's rows are, as long as nothing but shapes has changed.
        pieces: The call that split an axis into units and their pieces, and the axis of the pieces, as long as both
            stand where it left them, and the code states no number of units.
    """

    labels: Labels
    zero: bool | None = True
    free: bool = False
    sites: frozenset[int] = frozenset()
    rows: Rows | None = None
    pieces: tuple[int, int] | None = None


def frozen(tensor: Tensor) -> Labels:
    """Return labels that say: nothing here can be cut."""
    return np.full((1,) * tensor.dim(), FROZEN, dtype=np.int64)


def along(atoms: Labels, axis: int, dims: int) -> Labels:
    """Return ``(n,)`` atoms as labels of a tensor with ``dims`` axes."""
    shape = [1] * dims
    shape[axis] = len(atoms)
    return atoms.reshape(shape)
