"""What several rules need: reading labels, freezing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from netsmith.compress._marks import Block, Mark, frozen
from netsmith.compress._state import State
from netsmith.compress.graph import FROZEN, Labels
from netsmith.measure.example import tensors

__all__ = [
    "argument",
    "block_of",
    "freeze_all",
    "make_constant",
    "named_tensor",
    "only_axis",
    "read_axis",
    "uniform",
    "varying",
]


def varying(labels: Labels) -> list[int]:
    """Return the axes along which labels change."""
    return [axis for axis, size in enumerate(labels.shape) if size > 1]


def uniform(labels: Labels) -> Labels:
    """Drop the axes along which nothing changes."""
    for axis in varying(labels):
        first = np.take(labels, [0], axis=axis)
        if (labels == first).all():
            labels = first
    return labels


def only_axis(state: State, tensor: Tensor, axis: int, *, sums: bool) -> Labels:
    """Return ``(n,)`` atoms of one axis; freeze what varies along another, or what a sum may not lose.

    Args:
        state: The trace so far.
        tensor: What is read.
        axis: The axis to keep.
        sums: The reader sums over the axis as it is, so a masked position must be zero.
    """
    axis %= tensor.dim()
    mark = state.mark(tensor)
    if set(varying(mark.labels)) - {axis} or (sums and not mark.zero):
        state.atoms.freeze(mark.labels)
        return np.full(tensor.shape[axis], FROZEN, dtype=np.int64)
    return np.broadcast_to(mark.labels.reshape(-1), (tensor.shape[axis],))


def read_axis(state: State, tensor: Tensor, axis: int) -> tuple[Labels, bool]:
    """Return ``(n,)`` atoms of the axis that a layer sums over, and whether it has to be masked there.

    See :attr:`~netsmith.compress.graph.Slot.bare`.
    """
    zero = state.mark(tensor).zero
    return only_axis(state, tensor, axis, sums=zero is not None), zero is None


def named_tensor(state: State, tensor: Tensor, what: str) -> str:
    """Return the name of a parameter; refuse a tensor that is computed."""
    name = state.name(tensor)
    if name is None:
        raise state.refuse(f"a {what} that is computed, not a parameter,")
    return name


def block_of(state: State, tensor: Tensor, what: str) -> Block:
    """Return a parameter or slices of one; refuse a tensor that is computed."""
    block = state.block(tensor)
    if block is None:
        raise state.refuse(f"a {what} that is computed, not a parameter,")
    return block


def argument(args: Sequence[Any], kwargs: dict[str, Any], place: int, name: str, default: Any = None) -> Any:
    """Return an argument given by place or by name."""
    return args[place] if len(args) > place else kwargs.get(name, default)


def freeze_all(state: State, values: Any) -> None:
    """Never cut anything of these tensors."""
    for tensor in tensors(values):
        block = state.block(tensor)
        if block is not None:
            state.lock(block.tensor)
        state.atoms.freeze(state.mark(tensor).labels)


def make_constant(state: State, output: Any) -> None:
    """Label results in which nothing can be cut."""
    for tensor in tensors(output):
        state.put(tensor, Mark(frozen(tensor), zero=False))
