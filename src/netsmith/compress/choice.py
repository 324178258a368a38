"""Which units go: the lowest scores of each layer, of all layers together, or of layers that are built alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from torch import nn

from netsmith.compress.graph import FROZEN, ChannelGraph, Family
from netsmith.core.errors import UnknownNameError, UnsupportedError

__all__ = ["Scope", "choose_units", "lowest", "structures", "within", "without_emptied"]

Scope = Literal["global", "local", "isomorphic"]


def choose_units(
    module: nn.Module,
    graph: ChannelGraph,
    scores: Mapping[int, float],
    *,
    ratio: float | Mapping[str, float],
    scope: Scope = "global",
    round_to: int = 1,
    least: float = 0.1,
    protect: Iterable[str] = (),
    relative: bool = True,
) -> set[int]:
    """Choose the units with the lowest scores.

    - ``local``: the same part of every family.
    - ``global``: the lowest of all families together.
    - ``isomorphic``: the same part of every group of families built alike, in it the lowest of all together (Fang et
      al. 2024, arXiv:2407.04616). Scores are never compared between groups, so no scaling between them is needed.

    Args:
        module: The network, for the names of its modules.
        graph: What the trace found.
        scores: By unit; one without a score is never cut, one of ``-inf`` goes first.
        ratio: See :func:`~netsmith.compress.prune.prune`.
        scope: How units are ranked.
        round_to: See :func:`~netsmith.compress.prune.prune`.
        least: See :func:`~netsmith.compress.prune.prune`.
        protect: See :func:`~netsmith.compress.prune.prune`.
        relative: Divide scores by their mean within a family before a global ranking.

    Raises:
        UnsupportedError: Nothing can be cut, or an argument is out of range.
        UnknownNameError: A name is not a module's.
    """
    ratios = list(ratio.values()) if isinstance(ratio, Mapping) else [ratio]
    known = ("global", "local", "isomorphic")
    if not all(0 <= r < 1 for r in ratios) or round_to < 1 or not 0 <= least <= 1 or scope not in known:
        raise UnsupportedError(
            "expected ratios in [0, 1), round_to >= 1, least in [0, 1] and scope global, local or isomorphic, "
            f"got {ratio}, {round_to}, {least}, {scope!r}"
        )
    names = dict(module.named_modules())
    protected = tuple(protect)
    for name in (*protected, *(ratio if isinstance(ratio, Mapping) else ())):
        if name not in names:
            raise UnknownNameError("module", name, names)
    open_families = [f for f in graph.families if not any(within(f, name) for name in protected)]
    if not open_families:
        first = f"; the first that must stay are those of {graph.froze}" if graph.froze else ""
        raise UnsupportedError(
            f"no channel of this network can be cut: all are inputs, outputs, protected or mixed{first}"
        )
    if isinstance(ratio, Mapping):
        goal = _goals(open_families, ratio)
        parts = [goal.get(id(family), 0.0) for family in open_families]
        counts = [round(part * len(family.units)) for part, family in zip(parts, open_families, strict=True)]
    elif scope == "local":
        counts = [round(ratio * len(family.units)) for family in open_families]
    elif scope == "global":
        counts = _ranked(open_families, scores, ratio=ratio, least=least, relative=relative)
    else:
        groups: dict[tuple[object, ...], list[int]] = {}
        for index, structure in enumerate(structures(module, graph, open_families)):
            groups.setdefault(structure, []).append(index)
        counts = [0] * len(open_families)
        for members in groups.values():
            alike = [open_families[index] for index in members]
            spent = _ranked(alike, scores, ratio=ratio, least=least, relative=False)
            for index, count in zip(members, spent, strict=True):
                counts[index] = count
    chosen: set[int] = set()
    for family, count in zip(open_families, counts, strict=True):
        chosen |= lowest(family, scores, count, round_to=round_to)
    return without_emptied(graph, scores, chosen)


def without_emptied(graph: ChannelGraph, scores: Mapping[int, float], units: set[int]) -> set[int]:
    """Return the units less those that a layer cannot lose because nothing of it would stay.

    A family may join several layers (the parts of a concatenation), one of which may hold all its low scores.

    Args:
        graph: What the trace found.
        scores: By unit; of an emptied layer the highest stays.
        units: The units to cut.
    """
    left = set(units)
    lines = [*(slot.units for slot in graph.slots), *(count.units for count in graph.counts)]
    for line in [*lines, *(guess.units for guess in graph.guesses)]:
        own = line.tolist()
        if own and all(unit in left for unit in own):
            left.discard(max(own, key=lambda unit: scores.get(unit, 0.0)))
    return left


def structures(module: nn.Module, graph: ChannelGraph, families: Sequence[Family]) -> list[tuple[object, ...]]:
    """Return how each family is built; families with the same answer may be compared unit by unit.

    It is the multiset, over all slots a family has units in, of the module's class, the tensor's role in it, the axis,
    its length, and whether the tensor makes or reads the units.

    Args:
        module: The network that was traced.
        graph: What the trace found.
        families: Those of the graph that are asked for.
    """
    owner = {unit: index for index, family in enumerate(families) for unit in family.units}
    found: list[list[tuple[str, str, int, int, bool]]] = [[] for _ in families]
    for slot in graph.slots:
        name, _, role = slot.tensor.rpartition(".")
        kind = type(module.get_submodule(name))
        entry = (f"{kind.__module__}.{kind.__qualname__}", role, slot.axis, len(slot.units), slot.makes)
        for index in {owner[unit] for unit in slot.units.tolist() if unit != FROZEN and unit in owner}:
            found[index].append(entry)
    return [tuple(sorted(entries)) for entries in found]


def within(family: Family, name: str) -> bool:
    """Return whether a module, or a child of it, produces units of a family."""
    return any(module == name or not name or module.startswith(f"{name}.") for module in family.modules)


def _goals(families: Sequence[Family], ratio: Mapping[str, float]) -> dict[int, float]:
    """Return the part to cut of each family that is named, by its id."""
    goal: dict[int, float] = {}
    for name, value in ratio.items():
        reached = [family for family in families if within(family, name)]
        if not reached:
            raise UnsupportedError(f"nothing that {name} makes can be cut")
        for family in reached:
            if goal.setdefault(id(family), value) != value:
                raise UnsupportedError(f"{name} is tied to {family.name}, which was given another ratio")
    return goal


def _ranked(
    families: Sequence[Family], scores: Mapping[int, float], *, ratio: float, least: float, relative: bool
) -> list[int]:
    """Return how many units each family loses when the lowest scores of all go."""
    ranked: list[tuple[float, int, int]] = []
    for index, family in enumerate(families):
        found = [scores[unit] for unit in family.units if math.isfinite(scores.get(unit, math.inf))]
        mean = sum(found) / len(found) if found and relative else 1.0
        ranked += [(scores[unit] / (mean or 1.0), index, unit) for unit in family.units if unit in scores]
    ranked.sort()
    budget = round(ratio * sum(len(family.units) for family in families))
    spent = [0] * len(families)
    for _, index, _ in ranked:
        size = len(families[index].units)
        if budget > 0 and spent[index] < size - max(1, math.ceil(least * size)):
            spent[index] += 1
            budget -= 1
    return spent


def lowest(family: Family, scores: Mapping[int, float], count: int, *, round_to: int = 1) -> set[int]:
    """Return the ``count`` units with the lowest scores, fewer where one or a multiple of ``round_to`` must stay.

    Args:
        family: Whose units.
        scores: By unit; one without a score is never taken.
        count: How many.
        round_to: Leave a multiple of this many.
    """
    size = len(family.units)
    keep = max(1, size - count)
    keep = min(size, math.ceil(keep / round_to) * round_to)
    ranked = sorted((scores[unit], place, unit) for place, unit in enumerate(family.units) if unit in scores)
    return {unit for _, _, unit in ranked[: size - keep]}
