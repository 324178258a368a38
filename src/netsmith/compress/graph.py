"""Which slices of which parameters must be cut together: the result of tracing a network.

Every position along an axis that could be cut carries an *atom* (a number). Positions that an operation ties together
(the two sides of a residual addition, the input and output of a depthwise convolution) have their atoms united; a
united set is a *unit*, the smallest thing that can be cut. ``FROZEN`` positions are never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["FROZEN", "Atoms", "ChannelGraph", "Count", "Family", "Guess", "Labels", "Remap", "Scale", "Slot"]

FROZEN = -1
"""The atom of a position that cannot be cut: an input's, an output's, one that a mixing operation reads."""

Labels = np.ndarray
"""Atoms of a tensor's positions: as many axes as the tensor, length 1 where the atom does not change along the axis."""


class Atoms:
    """A growing union-find over atoms; atom 0 stands for everything frozen.

    Attributes:
        running: What runs now, and where.
        froze: What ran when the first atom was frozen.
    """

    def __init__(self) -> None:
        self.running, self.froze = "", ""
        self._parent = np.zeros(1, dtype=np.int64)
        self._count = 1

    def fresh(self, count: int) -> Labels:
        """Return ``(count,)`` new atoms, each its own unit."""
        needed = self._count + count
        if needed > len(self._parent):
            grown = np.arange(max(needed, 2 * len(self._parent)), dtype=np.int64)
            grown[: self._count] = self._parent[: self._count]
            self._parent = grown
        self._parent[self._count : needed] = np.arange(self._count, needed)
        atoms = np.arange(self._count, needed, dtype=np.int64)
        self._count = needed
        return atoms

    def find(self, atom: int) -> int:
        """Return the representative of an atom's unit; 0 if it is frozen."""
        if atom == FROZEN:
            return 0
        parent = self._parent
        while parent[atom] != atom:
            parent[atom] = parent[parent[atom]]
            atom = int(parent[atom])
        return atom

    def unite(self, a: Labels, b: Labels) -> None:
        """Tie the positions of two label arrays (broadcast against each other) pairwise."""
        left, right = np.broadcast_arrays(a, b)
        pairs = np.unique(np.stack([left.reshape(-1), right.reshape(-1)], axis=1), axis=0)
        for one, other in pairs.tolist():
            x, y = self.find(one), self.find(other)
            if x != y:
                self._parent[max(x, y)] = min(x, y)  # so that frozen (0) wins
                if not min(x, y):
                    self.froze = self.froze or self.running

    def freeze(self, labels: Labels) -> None:
        """Never cut these positions, nor what is tied to them."""
        self.unite(labels, np.full(1, FROZEN, dtype=np.int64))

    def roots(self, labels: Labels) -> Labels:
        """Return the representatives, ``FROZEN`` for what is frozen."""
        parent = self._parent[: self._count]
        while not np.array_equal(parent, higher := parent[parent]):
            parent[:] = higher
        found = parent[np.where(labels == FROZEN, 0, labels)]
        return np.where(found == 0, FROZEN, found)


@dataclass(frozen=True)
class Slot:
    """One axis of one parameter or buffer whose positions can be cut.

    Attributes:
        tensor: Full name of the parameter or buffer; of a shared one, the first.
        axis: The axis.
        units: ``(length,)`` the unit of each position, or ``FROZEN``.
        makes: The tensor produces these positions (a filter, a bias, a normalization); otherwise it reads them.
        bare: It reads positions that are not zero where nothing makes them (the sigmoid of 0 is 1/2): a unit that is
            masked is not read there.
    """

    tensor: str
    axis: int
    units: Labels
    makes: bool
    bare: bool = False


@dataclass(frozen=True)
class Count:
    """An attribute that counts positions: ``out_channels``, ``groups``, ``in_features``...

    Attributes:
        module: Full name of the module.
        attribute: The attribute's name.
        units: The units of the positions it counts.
    """

    module: str
    attribute: str
    units: Labels


@dataclass(frozen=True)
class Remap:
    """A buffer that holds *positions* (the source channels of a shortcut): its values change with the cut too.

    Attributes:
        tensor: Full name of the buffer; ``-1`` in it means "nothing".
        units: The units of the positions its values point to.
    """

    tensor: str
    units: Labels


@dataclass(frozen=True)
class Family:
    """Units that stand side by side: the channels of one convolution and all that is tied to it.

    Attributes:
        name: Module of the first layer that produces them.
        modules: All modules that produce them.
        units: Those that may be cut, in the order of the first layer's channels.
    """

    name: str
    modules: tuple[str, ...]
    units: tuple[int, ...]


@dataclass(frozen=True)
class Scale:
    """Rows that make the queries of an attention whose scores are divided by the root of a length.

    Attributes:
        tensors: Weight and bias.
        rows: Those of their rows that make queries.
        units: The units of the positions of that length.
        module: Full name of the module whose code multiplies queries and keys, and perhaps divides by a root of the
            length it sees, which the proof decides; None where it is known that it does.
    """

    tensors: tuple[str, ...]
    rows: tuple[int, ...]
    units: Labels
    module: str | None = None


@dataclass(frozen=True)
class Guess:
    """An axis whose length the code of a module states, perhaps by an attribute of its own; the proof decides.

    Attributes:
        module: Full name of the module whose code states it.
        attributes: Its whole-number attributes of that value; none where the length is computed, or a number in the
            code, which would not follow.
        units: The units of the positions of the axis.
    """

    module: str
    attributes: tuple[str, ...]
    units: Labels


@dataclass(frozen=True)
class ChannelGraph:
    """What tracing found.

    Attributes:
        slots: Every axis that can be cut.
        counts: Attributes that follow.
        remaps: Buffers of positions that follow.
        families: Units that belong together.
        scales: Queries whose length sets the scale of their scores.
        norms: Units of the input of each normalization with statistics of its own, in the order of their calls.
        guesses: Lengths stated in the code of modules that are not torch's own.
        claims: Attributes of such modules as large as an axis of what they are given: their code may insist on it.
        outputs: Units of the output of each leaf module by its name, in the order of their calls; they tell where a
            proof fails.
        froze: What froze the first units, and where; empty if nothing did before the output.
    """

    slots: tuple[Slot, ...]
    counts: tuple[Count, ...]
    remaps: tuple[Remap, ...]
    families: tuple[Family, ...]
    scales: tuple[Scale, ...] = ()
    norms: tuple[Labels, ...] = ()
    guesses: tuple[Guess, ...] = ()
    claims: tuple[Count, ...] = ()
    outputs: Mapping[str, Labels] = field(default_factory=dict)
    froze: str = ""

    def layers(self) -> dict[str, Family]:
        """Return the families by name, in the network's order; of one name the first, the layer's own output."""
        found: dict[str, Family] = {}
        for family in self.families:
            found.setdefault(family.name, family)
        return found

    def keeps(self, cut: Iterable[int]) -> dict[str, dict[int, tuple[int, ...]]]:
        """Return, per tensor and axis, the positions that stay when ``cut`` units go; unchanged axes are left out."""
        gone = np.fromiter(cut, dtype=np.int64)
        kept: dict[str, dict[int, tuple[int, ...]]] = {}
        for slot in self.slots:
            stays = ~np.isin(slot.units, gone)
            if not stays.all():
                kept.setdefault(slot.tensor, {})[slot.axis] = tuple(np.flatnonzero(stays).tolist())
        return kept
