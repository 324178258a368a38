"""Structured pruning: whole channels go, all that depends on them too, and a proof that nothing else changed."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.compress._attempts import Attempt, attempts
from netsmith.compress.choice import Scope, choose_units
from netsmith.compress.criteria import RELATIVE, Criterion, score_units
from netsmith.compress.graph import FROZEN, ChannelGraph, Guess
from netsmith.compress.proof import Proof
from netsmith.compress.surgery import SurgeryLog, apply_surgery, plan_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import ProofError, UnsupportedError
from netsmith.measure.example import Example

__all__ = ["cut_units", "prune", "prune_iteratively"]


def prune(
    module: nn.Module,
    example: Example,
    *,
    ratio: float | Mapping[str, float],
    criterion: Criterion = "l2",
    scope: Scope = "global",
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
            same part of every layer, ``isomorphic`` the same part of every group of layers that are built alike and
            ranks within them. A ratio per module needs no ranking between layers, so it leaves this aside.
        round_to: Keep a multiple of this many channels (a runtime's vector width).
        least: Part of its channels that a layer keeps at least under a global or isomorphic ranking.
        heads: What goes from an attention: ``whole`` heads, or the same ``width`` of every head. Where code divides
            scores by the root of the width it sees, the rows that make queries (or keys) are scaled to make up for it.
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
        relative=criterion in RELATIVE,
    )
    return cut_units(module, example, graph, units)


def cut_units(
    module: nn.Module, example: Example, graph: ChannelGraph, units: set[int]
) -> tuple[nn.Module, SurgeryLog]:
    """Cut the given units out of a copy of a network, and prove it.

    Where the proof fails, units that stand on an axis whose length the code states, by no attribute that could follow,
    stay; the log's proof then names the modules with such code under ``stated``.

    Args:
        module: The network that was traced; not touched.
        example: See :func:`prune`.
        graph: What the trace found.
        units: The units to cut.

    Raises:
        ProofError: The cut network would answer differently.
    """
    try:
        return _cut(module, example, graph, units)
    except ProofError as error:
        stated = _stated_by_code(graph, units)
        free = units.difference(*(guess.units.tolist() for guess in stated))
        whole = sorted({guess.module for guess in stated})
        if stated and not free:
            raise _AllStated(str(error), whole) from error
        if stated:  # a length may be a number in the code: what it counts stays
            with contextlib.suppress(ProofError):
                pruned, log = _cut(module, example, graph, free)
                return pruned, SurgeryLog(log.steps, tuple({**figures, "stated": whole} for figures in log.proof))
        raise


class _AllStated(ProofError):
    """Nothing of what was to go can go: modules state in their code how many there are."""

    def __init__(self, message: str, modules: list[str]) -> None:
        super().__init__(message)
        self.modules = modules


def _stated_by_code(graph: ChannelGraph, units: set[int]) -> list[Guess]:
    return [guess for guess in graph.guesses if not guess.attributes and not units.isdisjoint(guess.units.tolist())]


def kept_by_code(log: SurgeryLog) -> str:
    """Return, in a line, that fewer units went than were asked for, since the code states their number; or ""."""
    names = sorted({name or "the network" for proof in log.proof for name in proof.get("stated", ())})
    return (
        f"units whose number the code of {', '.join(names)} states were kept; fewer go than asked for" if names else ""
    )


def _cut(module: nn.Module, example: Example, graph: ChannelGraph, units: set[int]) -> tuple[nn.Module, SurgeryLog]:
    refusal: ProofError | None = None
    proof = Proof(module, graph, units, example)

    def made(attempt: Attempt) -> tuple[nn.Module, SurgeryLog]:
        log = plan_surgery(module, graph, units, stated=attempt.values(), divided=attempt.divided)
        pruned = apply_surgery(copy.deepcopy(module), log)
        return pruned, SurgeryLog(log.steps, (proof.check(pruned) | {"units": len(units)},))

    for attempt in attempts(module, graph, units):
        try:
            found = made(attempt)
        except ProofError as error:
            refusal = refusal or error
            continue
        return _least(attempt, found, made)
    assert refusal is not None
    raise refusal


def _least(
    attempt: Attempt, found: tuple[nn.Module, SurgeryLog], made: Callable[[Attempt], tuple[nn.Module, SurgeryLog]]
) -> tuple[nn.Module, SurgeryLog]:
    """Return the cut in which no attribute has changed that need not: one may be as large as a width by chance."""
    for simpler in attempt.simpler():
        with contextlib.suppress(ProofError):
            return _least(simpler, made(simpler), made)
    return found


def prune_iteratively(
    module: nn.Module,
    example: Example,
    *,
    ratio: float | Mapping[str, float],
    rounds: int,
    fine_tune: Callable[[nn.Module, SurgeryLog], None],
    schedule: Literal["linear", "geometric"] = "linear",
    criterion: Criterion = "l2",
    scope: Scope = "global",
    round_to: int = 1,
    least: float = 0.1,
    heads: Literal["whole", "width"] = "whole",
    protect: Iterable[str] = (),
    gradients: Callable[[nn.Module], Mapping[str, Tensor]] | None = None,
    generator: torch.Generator | None = None,
) -> tuple[nn.Module, SurgeryLog]:
    """Prune in rounds with fine-tuning between them, each round judged on the weights the last one left.

    Worth its time where much is cut: scores of a network that has recovered tell more than those of one cut long ago
    (Molchanov et al. 2017, arXiv:1611.06440, section 2). Ratios, ``least`` and the groups of an isomorphic ranking are
    those of the original; the last round leaves as many channels as :func:`prune` at once would.

    Args:
        module: Any module; not touched.
        example: See :func:`prune`.
        ratio: The part of the *original's* channels that is gone at the end; one number or one per module.
        rounds: How many cuts, at least 1; one in which no whole channel falls due is passed over.
        fine_tune: Called between rounds with the cut network, to be trained in place, and the log of this round's cut
            (for :func:`~netsmith.compress.optimizer_state.cut_optimizer`). The result wants a last one of its own.
        schedule: ``linear`` cuts the same number in every round, ``geometric`` the same part of what is left.
        criterion: See :func:`~netsmith.compress.criteria.score_units`.
        scope: See :func:`prune`.
        round_to: See :func:`prune`.
        least: See :func:`prune`.
        heads: See :func:`prune`.
        protect: See :func:`prune`.
        gradients: For the criterion ``taylor``: returns them for the network of a round.
        generator: For the criterion ``random``.

    Returns:
        The cut network, and one log for all rounds that rebuilds it from the original's class.

    Raises:
        UnsupportedError: See :func:`prune`; or no round at all, or an unknown schedule.
        UnknownNameError: See :func:`prune`.
        ProofError: See :func:`prune`.
    """
    if rounds < 1 or schedule not in ("linear", "geometric"):
        raise UnsupportedError(f"expected rounds >= 1 and schedule linear or geometric, got {rounds}, {schedule!r}")
    first, protected = trace(module, example, heads=heads), tuple(protect)
    current, log, asked = copy.deepcopy(module), SurgeryLog(()), set[int]()
    refusal: _AllStated | None = None
    for number in range(1, rounds + 1):
        graph = trace(current, example, heads=heads) if asked else first
        origin = _origins(first, graph, log)
        gone = asked.difference(origin.values())  # what the code states the number of stays, and is asked for once
        given = gradients(current) if gradients is not None else None
        found = score_units(current, graph, criterion=criterion, gradients=given, generator=generator)
        scores = {origin[unit]: score for unit, score in found.items() if unit in origin}
        part = _scheduled(ratio, number / rounds, schedule)
        # chosen among the original's units, where what is gone already goes first: totals never drift
        chosen = choose_units(
            module,
            first,
            scores | dict.fromkeys(gone, -math.inf),
            ratio=part,
            scope=scope,
            round_to=round_to,
            least=least,
            protect=protected,
            relative=criterion in RELATIVE,
        )
        units = {unit for unit, old in origin.items() if old in chosen - asked}
        if not units:
            continue
        asked |= {origin[unit] for unit in units}
        try:
            current, cut = cut_units(current, example, graph, units)
        except _AllStated as error:
            refusal = error  # the next rounds choose others
            continue
        log = log.then(cut)
        if number < rounds:
            fine_tune(current, cut)
    if refusal is not None:
        if not log.proof:
            raise refusal
        *before, last = log.proof
        stated = sorted({*last.get("stated", ()), *refusal.modules})
        log = SurgeryLog(log.steps, (*before, {**last, "stated": stated}))
    return current, log


def _scheduled(ratio: float | Mapping[str, float], share: float, schedule: str) -> float | dict[str, float]:
    """Return the part that is gone after a share of the rounds."""
    if isinstance(ratio, Mapping):
        return {name: float(_scheduled(value, share, schedule)) for name, value in ratio.items()}  # type: ignore[arg-type]
    if share == 1 or not 0 <= ratio < 1:  # a ratio out of range is refused where it is used
        return ratio
    return ratio * share if schedule == "linear" else 1 - (1 - ratio) ** share


def _origins(first: ChannelGraph, graph: ChannelGraph, log: SurgeryLog) -> dict[int, int]:
    """Return, for each unit of a cut network, the unit of the original that it was."""
    kept: dict[tuple[str, int], np.ndarray] = {(slot.tensor, slot.axis): slot.units for slot in first.slots}
    for step in log.steps:
        for own, change in step.tensors.items():
            name = f"{step.module}.{own}" if step.module else own
            for axis, positions in change.kept.items():
                kept[name, axis] = kept[name, axis][list(positions)]
    found: dict[int, int] = {}
    for slot in graph.slots:
        old = kept.get((slot.tensor, slot.axis), np.full(len(slot.units), FROZEN))
        for unit, was in zip(slot.units.tolist(), old.tolist(), strict=True):
            if unit != FROZEN and found.setdefault(unit, was) != was:
                found[unit] = FROZEN  # tied otherwise than in the original: stays
    return {unit: was for unit, was in found.items() if was != FROZEN}
