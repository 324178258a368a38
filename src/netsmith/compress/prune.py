"""Structured pruning: whole channels go, all that depends on them too, and a proof that nothing else changed."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.compress.criteria import Criterion, score_units
from netsmith.compress.graph import ChannelGraph, Family
from netsmith.compress.proof import prove_surgery
from netsmith.compress.surgery import SurgeryLog, apply_surgery, plan_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import ProofError, UnknownNameError, UnsupportedError
from netsmith.measure.example import Example

__all__ = ["choose_units", "cut_units", "prune"]

_GUESSES = 6  # attributes that may follow a cut: at most 64 proofs


def prune(
    module: nn.Module,
    example: Example,
    *,
    ratio: float | Mapping[str, float],
    criterion: Criterion = "l2",
    scope: Literal["global", "local"] = "global",
    round_to: int = 1,
    least: float = 0.1,
    heads: Literal["whole", "width"] = "whole",
    protect: Iterable[str] = (),
    gradients: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[nn.Module, SurgeryLog]:
    """Return a copy of a network with fewer channels, and the log that rebuilds it from the original's class.

    The original is not touched. The copy keeps mode, hooks and ``requires_grad``; it needs fine-tuning.

    Args:
        module: Any module.
        example: One tensor, a tuple (positional arguments) or a dict of tensors; the batch is axis 0.
        ratio: The part of the channels to cut, 0 to 1; or one per module by name (of the layer or a parent), where what
            is not named stays whole.
        criterion: See :func:`~netsmith.compress.criteria.score_units`.
        scope: ``global`` ranks all channels together (norms relative to the mean of their layer), ``local`` cuts the
            same part of every layer.
        round_to: Keep a multiple of this many channels (a runtime's vector width).
        least: Part of its channels that a layer keeps at least under a global ranking.
        heads: What goes from an attention: ``whole`` heads, or the same ``width`` of every head.
        protect: Modules whose channels stay, by name (of the layer or a parent).
        gradients: For the criterion ``taylor``.
        generator: For the criterion ``random``.

    Raises:
        UnsupportedError: An operation without a rule (named, with its place), or nothing that could be cut.
        UnknownNameError: ``ratio`` or ``protect`` names no module.
        ProofError: The cut network would answer differently; names the module.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> small, log = prune(net, torch.zeros(1, 4), ratio=0.5)
        >>> small[0].out_features, small[2].in_features
        (4, 4)
    """
    graph = trace(module, example, heads=heads)
    scores = score_units(module, graph, criterion=criterion, gradients=gradients, generator=generator)
    units = choose_units(
        module,
        graph,
        scores,
        ratio=ratio,
        scope=scope,
        round_to=round_to,
        least=least,
        protect=protect,
        relative=criterion in ("l1", "l2"),
    )
    return cut_units(module, example, graph, units)


def cut_units(
    module: nn.Module, example: Example, graph: ChannelGraph, units: set[int]
) -> tuple[nn.Module, SurgeryLog]:
    """Cut the given units out of a copy of a network, and prove it.

    Args:
        module: The network that was traced; not touched.
        example: See :func:`prune`.
        graph: What the trace found.
        units: The units to cut.

    Raises:
        ProofError: The cut network would answer differently.
    """
    refusal: ProofError | None = None
    for stated in _stated(module, graph, units):
        log = plan_surgery(module, graph, units, stated=stated)
        pruned = apply_surgery(copy.deepcopy(module), log)
        try:
            proof = prove_surgery(module, pruned, graph, units, example)
        except ProofError as error:
            refusal = refusal or error
            continue
        return pruned, SurgeryLog(log.steps, (proof | {"units": len(units)},))
    assert refusal is not None
    raise refusal


def _stated(module: nn.Module, graph: ChannelGraph, units: set[int]) -> Iterator[dict[tuple[str, str], int]]:
    """Return which attributes of the user's modules to change, the fewest first; all modules of a class alike.

    A trace sees that code states a length, not by which attribute: what is right, the proof finds out.
    """
    found: dict[tuple[type, str], dict[tuple[str, str], int]] = {}
    for guess in graph.guesses:
        left = sum(unit not in units for unit in guess.units.tolist())
        if left < len(guess.units):
            kind = type(module.get_submodule(guess.module))
            for attribute in guess.attributes:
                found.setdefault((kind, attribute), {})[guess.module, attribute] = left
    choices = list(found.values())[:_GUESSES]
    for count in range(len(choices) + 1):
        for chosen in itertools.combinations(choices, count):
            yield {place: left for changes in chosen for place, left in changes.items()}


def choose_units(
    module: nn.Module,
    graph: ChannelGraph,
    scores: Mapping[int, float],
    *,
    ratio: float | Mapping[str, float],
    scope: Literal["global", "local"] = "global",
    round_to: int = 1,
    least: float = 0.1,
    protect: Iterable[str] = (),
    relative: bool = True,
) -> set[int]:
    """Choose the units with the lowest scores.

    Args:
        module: The network, for the names of its modules.
        graph: What the trace found.
        scores: By unit; one without a score is never cut.
        ratio: See :func:`prune`.
        scope: See :func:`prune`.
        round_to: See :func:`prune`.
        least: See :func:`prune`.
        protect: See :func:`prune`.
        relative: Divide scores by their mean within a family before a global ranking.

    Raises:
        UnsupportedError: Nothing can be cut, or an argument is out of range.
        UnknownNameError: A name is not a module's.
    """
    ratios = list(ratio.values()) if isinstance(ratio, Mapping) else [ratio]
    if not all(0 <= r < 1 for r in ratios) or round_to < 1 or not 0 <= least <= 1 or scope not in ("global", "local"):
        raise UnsupportedError(
            f"expected ratios in [0, 1), round_to >= 1, least in [0, 1] and scope global or local, got {ratio}, "
            f"{round_to}, {least}, {scope!r}"
        )
    names = dict(module.named_modules())
    protected = tuple(protect)
    for name in (*protected, *(ratio if isinstance(ratio, Mapping) else ())):
        if name not in names:
            raise UnknownNameError("module", name, names)
    open_families = [f for f in graph.families if not any(_within(f, name) for name in protected)]
    if not open_families:
        raise UnsupportedError("no channel of this network can be cut: all are inputs, outputs, protected or mixed")
    goal: dict[str, float] = {}
    if isinstance(ratio, Mapping):
        for name, value in ratio.items():
            reached = [f.name for f in open_families if _within(f, name)]
            if not reached:
                raise UnsupportedError(f"nothing that {name} makes can be cut")
            for family in reached:
                if goal.setdefault(family, value) != value:
                    raise UnsupportedError(f"{name} is tied to {family}, which was given another ratio")
    chosen: set[int] = set()
    if isinstance(ratio, Mapping) or scope == "local":
        for family in open_families:
            part = goal.get(family.name, 0.0) if isinstance(ratio, Mapping) else float(ratio)
            chosen |= _lowest(family, scores, round(part * len(family.units)), 1, round_to)
        return chosen
    ranked: list[tuple[float, int, int]] = []
    for index, family in enumerate(open_families):
        found = [scores[unit] for unit in family.units if unit in scores]
        mean = sum(found) / len(found) if found and relative else 1.0
        ranked += [(scores[u] / (mean or 1.0), index, u) for u in family.units if u in scores]
    ranked.sort()
    budget = round(float(ratio) * sum(len(f.units) for f in open_families))
    spent = [0] * len(open_families)
    for _, index, _ in ranked:
        size = len(open_families[index].units)
        if budget > 0 and spent[index] < size - max(1, math.ceil(least * size)):
            spent[index] += 1
            budget -= 1
    for index, family in enumerate(open_families):
        chosen |= _lowest(family, scores, spent[index], 1, round_to)
    return chosen


def _within(family: Family, name: str) -> bool:
    return any(module == name or not name or module.startswith(f"{name}.") for module in family.modules)


def _lowest(family: Family, scores: Mapping[int, float], count: int, least: int, round_to: int) -> set[int]:
    """Return the ``count`` units with the lowest scores, fewer where a multiple of ``round_to`` must stay."""
    size = len(family.units)
    keep = max(least, size - count)
    keep = min(size, math.ceil(keep / round_to) * round_to)
    ranked = sorted((scores[unit], place, unit) for place, unit in enumerate(family.units) if unit in scores)
    return {unit for _, _, unit in ranked[: size - keep]}
