"""The state of one trace, which the rules read and write."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from netsmith.compress._marks import WEIGHTS, Block, Mark, Rows, along, frozen
from netsmith.compress.graph import FROZEN, Atoms, ChannelGraph, Count, Family, Guess, Labels, Remap, Scale, Slot
from netsmith.core.errors import UnsupportedError

__all__ = ["State"]


class State:
    """The state of one trace; rules read and write it.

    Args:
        module: The copy that runs.
        original: The module itself, to know which parameters are shared.
        heads: What goes from torch's attention: ``whole`` heads or the same ``width`` of every head.
        whole: The calls that split an axis into heads (or into units and their pieces), by their number: there whole
            heads are units.
    """

    def __init__(
        self, module: nn.Module, original: nn.Module, *, heads: str = "whole", whole: frozenset[int] = frozenset()
    ) -> None:
        self.module = module
        self.heads = heads
        self.whole = whole
        self.reshapes = 0  # calls so far: their number names those that split one axis into several
        self.attention: set[int] = set()  # those of them that split an axis into heads
        self.reduced: set[int] = set()  # those of them whose pieces a reduction makes one
        self.atoms = Atoms()
        self._marks: dict[int, Mark] = {}
        self._blocks: dict[int, tuple[Block, Callable[[], None]]] = {}
        self._alive: list[Tensor] = []  # so that no id is used twice
        self._slots: dict[tuple[str, int], tuple[Labels, bool, bool]] = {}
        self._counts: dict[tuple[str, str], Labels] = {}
        self._remaps: dict[str, Labels] = {}
        self._outputs: dict[str, Labels] = {}
        self._norms: list[Labels] = []
        self._guesses: list[Guess] = []
        self._claims: dict[tuple[str, str], Labels] = {}
        self._scales: list[Scale] = []
        self.stack: list[str] = []  # names of the modules that are running
        self.shape: tuple[int, ...] = ()  # of the first argument, before the call
        self._names = _names_of(module, original)
        self._origins: list[tuple[str, Labels]] = []
        self._locked: set[str] = set()
        self._alone: list[Labels] = []
        self.modules = dict(module.named_modules())

    # -- what rules use ---------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Return the name of the module that is running."""
        return self.stack[-1] if self.stack and self.stack[-1] else type(self.module).__name__

    @property
    def running(self) -> nn.Module:
        """Return the module that is running."""
        return self.modules[self.stack[-1] if self.stack else ""]

    def name(self, tensor: Any) -> str | None:
        """Return the name of a parameter or buffer, None for any other tensor."""
        return self._names.get(id(tensor))

    def mark(self, tensor: Tensor, axes: Collection[int] = ()) -> Mark:
        """Return what is known of a tensor; of a parameter used by itself, labels that let it be cut.

        Args:
            tensor: The tensor.
            axes: Those, from the last one (-1) on, along which the units lie that it meets.
        """
        found = self._marks.get(id(tensor))
        if found is not None:
            return found
        if id(tensor) in self._blocks:  # not read as a weight
            self._blocks.pop(id(tensor))[1]()
            return self._marks[id(tensor)]
        name, labels, zero = self.name(tensor), frozen(tensor), False
        if name is not None:
            long = [axis for axis, size in enumerate(tensor.shape) if size > 1]
            met = [
                axis % tensor.dim() for axis in axes if axis % max(tensor.dim(), 1) in long and -axis <= tensor.dim()
            ]
            axis = met[0] if len(met) == 1 and tensor.is_floating_point() else self._channels_of(tensor, long)
            if axis is not None:
                labels, zero = along(self.made(name, axis, tensor.shape[axis]), axis, tensor.dim()), True
                self._alone.append(labels)
            else:
                self.lock(name)
        return self.put(tensor, Mark(labels, zero))

    @staticmethod
    def _channels_of(tensor: Tensor, long: list[int]) -> int | None:
        """Return the axis of a parameter or buffer used by itself along which it may be cut: where channels lie."""
        if not tensor.is_floating_point() or not long:
            return None
        if len(long) == 1:
            return long[0]
        axis = 1 if tensor.dim() == 4 else tensor.dim() - 1  # a position for each token: (1, N, C)
        return axis if axis in long else None

    def cuttable(self, tensor: Tensor) -> bool:
        """Return whether something of a tensor may be cut, as far as is known."""
        if self.name(tensor) is not None or id(tensor) in self._blocks:
            return True
        found = self._marks.get(id(tensor))
        return found is not None and bool((found.labels != FROZEN).any())

    def alone(self, labels: Labels) -> bool:
        """Return whether these are atoms of tensors used by themselves (a table of angles), of no layer."""
        known = np.concatenate([own.reshape(-1) for own in self._alone]) if self._alone else np.zeros(0, np.int64)
        return bool(np.isin(self.atoms.roots(labels), self.atoms.roots(known)).all())

    def returned(self, module: str, tensor: Tensor) -> None:
        """Note what a module returned."""
        self._outputs[module] = self.mark(tensor).labels

    def put(self, tensor: Tensor, mark: Mark) -> Mark:
        """Note what is known of a tensor."""
        self._marks[id(tensor)] = mark
        self._alive.append(tensor)
        return mark

    def slot(self, name: str, axis: int, labels: Labels, *, makes: bool, bare: bool = False) -> Labels:
        """Note that an axis of a parameter has these atoms; one that is used again is tied to its first use."""
        if name in self._locked:
            self.atoms.freeze(labels)
        known = self._slots.get((name, axis))
        if known is None:
            self._slots[name, axis] = (labels, makes, bare)
            return labels
        self.atoms.unite(known[0], labels)
        self._slots[name, axis] = (known[0], known[1] or makes, known[2] or bare)
        return known[0]

    def made(self, name: str, axis: int, size: int, *, repeats: int = 1) -> Labels:
        """Return the atoms of an axis of a parameter that makes positions: new ones at its first use.

        Args:
            name: The parameter.
            axis: The axis.
            size: Its length.
            repeats: Groups that must be cut alike: position ``i`` of each has the same atom.
        """
        known = self._slots.get((name, axis))
        if known is not None:
            return self.slot(name, axis, known[0], makes=True)
        each = size // repeats
        atoms = self.atoms.fresh(each) if each > 1 else np.full(1, FROZEN, dtype=np.int64)  # the last one always stays
        if each > 1:
            self._origins.append((name.rpartition(".")[0], atoms))
        return self.slot(name, axis, np.tile(atoms, repeats), makes=True)

    def block(self, tensor: Tensor) -> Block | None:
        """Return what a parameter, or slices of one, are; None for any other tensor."""
        name = self.name(tensor)
        if name is not None:
            return Block(name, tuple(tensor.shape), tuple(np.arange(size) for size in tensor.shape))
        return self._blocks[id(tensor)][0] if id(tensor) in self._blocks else None

    def put_block(self, tensor: Tensor, block: Block, otherwise: Callable[[], None]) -> None:
        """Note slices of a parameter.

        Args:
            tensor: The slices.
            block: Of what, and which.
            otherwise: Labels them by what else is known, for any use but that of a weight.
        """
        self._blocks[id(tensor)] = (block, otherwise)
        self._alive.append(tensor)

    def slot_of(self, block: Block, axis: int, labels: Labels, *, makes: bool, bare: bool = False) -> Labels:
        """Note that an axis of a block has these atoms; returns those of the whole parameter's axis."""
        if len(labels) == block.shape[axis]:
            return self.slot(block.tensor, axis, labels, makes=makes, bare=bare)
        known = self._slots.get((block.tensor, axis))
        line = self.atoms.fresh(block.shape[axis]) if known is None else known[0]
        self.atoms.unite(line[block.picks[axis]], labels)
        return self.slot(block.tensor, axis, line, makes=makes, bare=bare)

    def lock(self, name: str) -> None:
        """Never cut a parameter: something without a rule for it uses it."""
        self._locked.add(name)
        for (known, _), (labels, *_) in self._slots.items():
            if known == name:
                self.atoms.freeze(labels)

    def count(self, kind: type[nn.Module] | tuple[type[nn.Module], ...], **labels: Labels) -> None:
        """Note which attributes of the running module, if it is of this kind, count which positions."""
        if isinstance(self.running, kind):
            self.count_of(self.stack[-1] if self.stack else "", **labels)

    def remap(self, name: str, labels: Labels) -> None:
        """Note that the values of a buffer point to these positions."""
        self._remaps.setdefault(name, labels)

    def sites(self, tensor: Tensor) -> frozenset[int]:
        """Return the calls that split an axis which a tensor comes from."""
        found = self._marks.get(id(tensor))
        return found.sites if found is not None else frozenset()

    def note_sites(self, tensor: Tensor) -> None:
        """Note that this tensor takes part in attention: the calls that split its axis made heads."""
        self.attention |= self.sites(tensor) - {WEIGHTS}

    def inherit(self, sites: frozenset[int], made: list[Tensor]) -> None:
        """Hand on to results the calls that split what they were made of."""
        for tensor in made if sites else ():
            mark = self.mark(tensor)
            self.put(tensor, replace(mark, sites=mark.sites | sites))

    def count_of(self, name: str, **labels: Labels) -> None:
        """Note which attributes of a module by name count which positions."""
        for attribute, atoms in labels.items():
            self._counts.setdefault((name, attribute), atoms)

    def norm(self, labels: Labels) -> None:
        """Note a call of a normalization that takes statistics over positions with these labels."""
        self._norms.append(labels)

    def scale(self, rows: Rows, labels: Labels, *, known: bool = True) -> None:
        """Note that these rows make queries whose scores are divided by the root of how many ``labels`` there are.

        Args:
            rows: The rows.
            labels: ``(n,)`` atoms of the axis that queries and keys are summed over.
            known: Otherwise the running code may divide so, or by a number that stays.
        """
        found = tuple(np.unique(rows.numbers).tolist())
        if all((scale.tensors, scale.rows) != (rows.tensors, found) for scale in self._scales):
            module = None if known else self.stack[-1] if self.stack else ""
            self._scales.append(Scale(rows.tensors, found, labels, module))

    def guess(self, size: int, labels: Labels) -> bool:
        """Note that running code states a length ``size`` for positions ``(n,)``; False if no attribute has it."""
        module, found = self.running, tuple[str, ...]()
        if not type(module).__module__.startswith("torch.nn."):
            found = tuple(a for a, value in vars(module).items() if type(value) is int and value == size)
        if found or self.heads == "whole":  # the width of heads is asked for, not left whole where it cannot follow
            self._guesses.append(Guess(self.stack[-1] if self.stack else "", found, labels))
        return bool(found)

    def claim(self, given: list[Tensor]) -> None:
        """Note which whole-number attributes of the running module are as large as an axis of what it is given."""
        module = self.running
        if type(module).__module__.startswith("torch.nn"):
            return
        for tensor in given:
            labels = self._marks[id(tensor)].labels if id(tensor) in self._marks else frozen(tensor)
            axes = [axis for axis, size in enumerate(labels.shape) if size > 1]
            for name, value in vars(module).items() if len(axes) == 1 else ():
                if type(value) is int and value == labels.shape[axes[0]]:
                    self._claims.setdefault((self.stack[-1], name), labels.reshape(-1))

    def refuse(self, what: str) -> UnsupportedError:
        """Return the error that stops the trace at this place."""
        return UnsupportedError(f"surgery cannot pass {what} in {self.place}; prune the parts before or after it")

    def refuse_reading(self, name: str) -> UnsupportedError:
        """Return the error that stops the trace where code reads numbers that depend on the inputs."""
        return UnsupportedError(
            f"surgery cannot follow {name} in {self.place}: code reads a number that depends on the inputs, and what "
            "it does for another number is not seen; choose with torch.where, or declare a choice between ways that "
            "use the same weights alike with netsmith.layers.decided.decided(condition)"
        )

    def result(self) -> ChannelGraph:
        """Return the graph, with atoms replaced by units."""
        roots = self.atoms.roots
        alike: dict[tuple[str, tuple[str, ...]], Labels] = {}
        for guess in (g for g in self._guesses if g.attributes):  # lengths stated by one attribute change together
            self.atoms.unite(alike.setdefault((guess.module, guess.attributes), guess.units), guess.units)
        slots = tuple(Slot(name, axis, roots(labels), *how) for (name, axis), (labels, *how) in self._slots.items())
        cut = tuple(slot for slot in slots if (slot.units != FROZEN).any())
        return ChannelGraph(
            cut,
            tuple(Count(m, a, roots(labels)) for (m, a), labels in self._counts.items()),
            tuple(Remap(name, roots(labels)) for name, labels in self._remaps.items()),
            _families([(name, roots(labels)) for name, labels in self._origins], cut),
            tuple(replace(scale, units=roots(scale.units)) for scale in self._scales),
            tuple(roots(labels) for labels in self._norms),
            tuple(Guess(g.module, g.attributes, roots(g.units)) for g in self._guesses),
            tuple(Count(module, name, roots(labels)) for (module, name), labels in self._claims.items()),
            {name: roots(labels) for name, labels in self._outputs.items()},
            self.atoms.froze,
        )


def _names_of(module: nn.Module, original: nn.Module) -> dict[int, str]:
    """Return names by id in the copy; a tensor the original shares has its first name everywhere."""
    first: dict[int, str] = {}
    held = [*original.named_parameters(remove_duplicate=False), *original.named_buffers(remove_duplicate=False)]
    canonical = {name: first.setdefault(id(tensor), name) for name, tensor in held}
    copies = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {id(tensor): canonical[name] for name, tensor in copies}


def _families(origins: list[tuple[str, Labels]], slots: tuple[Slot, ...]) -> tuple[Family, ...]:
    """Join the units that one layer makes side by side, and the layers that share a unit."""
    group = list(range(len(origins)))
    owner: dict[int, int] = {}  # a unit's first origin, in order of appearance

    def find(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    for index, (_, units) in enumerate(origins):
        for unit in dict.fromkeys(units[units != FROZEN].tolist()):
            a, b = find(index), find(owner.setdefault(unit, index))
            group[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = {}
    for unit, index in owner.items():
        members.setdefault(find(index), []).append(unit)
    makers: dict[int, dict[str, None]] = {}
    for slot in slots:
        if slot.makes:
            for index in {find(owner[unit]) for unit in slot.units.tolist() if unit in owner}:
                makers.setdefault(index, {}).setdefault(slot.tensor.rpartition(".")[0])
    return tuple(
        Family(origins[index][0], tuple(makers.get(index, ())), tuple(units))
        for index, units in sorted(members.items())
    )
