"""``compress`` to a budget: a Pareto front of real networks, one recommended, and the controls that must be beaten."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from netsmith.api.commands import on_run
from netsmith.core.errors import ConfigError, DivergedError, InterruptedRun, ProofError, UnsupportedError
from netsmith.core.files import write_json
from netsmith.engine.run_folder import environment
from netsmith.engine.source import Source
from netsmith.measure.latency import Comparison
from netsmith.report.tables import bytes_text, milliseconds_text, percent_text
from netsmith.workflows.budget import Search
from netsmith.workflows.budget_figures import Budget, Cost
from netsmith.workflows.budget_file import BudgetFile
from netsmith.workflows.compression import Compressed
from netsmith.workflows.front_page import Front, write_front
from netsmith.workflows.front_runs import ALPHA, Trainer, controls_of, words_of
from netsmith.workflows.int8 import calibration_or_none
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import Shipment, accuracy_of, ship_all
from netsmith.workflows.tuning import Hooks, classes_of, cut_into, epochs_of, parts_of, untuned

if TYPE_CHECKING:
    from netsmith.api.run import Run
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["compress_to_budget"]

_FURTHER = 3  # steps beyond the planned ones, where the trained networks miss the budget
_FORMAT = 3  # of budget.json; another one is measured anew

Plan = dict[str, dict[str, int]]
"""Widths of each network of the front, by its role."""


def compress_to_budget(
    run: Run,
    budget: Budget,
    *,
    max_drop: float | None = None,
    points: int = 8,
    epochs: int = 0,
    controls: int = 3,
    hooks: Hooks | None = None,
    notice: Callable[[str], None] = print,
) -> Compressed:
    """Narrow a run's network to a measured budget, teach each candidate by the original, export, judge, recommend.

    Everything is kept: run again after a stop, it goes on where it was.

    Args:
        run: A finished run that classifies.
        budget: What the network may cost.
        max_drop: Accuracy that may be lost, 0..1; None leaves it open.
        points: Networks along the way to the budget; where fewer steps lead there, narrower ones make up the number.
            Where none, trained and timed beside the others, is within it after all, up to three narrower ones follow,
            one at a time.
        epochs: Of each training that goes on from the original's weights; half of the run's by default.
        controls: Seeds of each control at the recommended widths: the same network from scratch, the same taught from
            scratch, the cut one without a teacher; 0 leaves them out. From scratch they train as the run did, as long
            and at its learning rate.
        hooks: Hooks for each training (a progress bar).
        notice: Where one-line notices go.

    Raises:
        ConfigError: The budget cannot be reached (the nearest is named), or the whole network is within it.
        UnsupportedError: The run does not classify, or its network cannot be cut.
        ProofError: A cut or an export that cannot be proven.
        InterruptedRun: Ctrl-C; says how to go on.
    """
    try:
        return _compressed(
            run, budget, max_drop=max_drop, points=points, epochs=epochs, controls=controls, hooks=hooks, notice=notice
        )
    except (InterruptedRun, KeyboardInterrupt):
        again = _command(run, budget, max_drop=max_drop, points=points, epochs=epochs, controls=controls)
        raise InterruptedRun(f"interrupted; what is finished is kept; go on with: {again}") from None


def _compressed(
    run: Run,
    budget: Budget,
    *,
    max_drop: float | None,
    points: int,
    epochs: int,
    controls: int,
    hooks: Hooks | None,
    notice: Callable[[str], None],
) -> Compressed:
    for name, count, least in (("points", points, 1), ("controls", controls, 0), ("epochs", epochs, 0)):
        if count < least:
            raise ConfigError(f"{name}={count}: expected a whole number of at least {least}")
    if max_drop is not None and not 0 <= max_drop < 1:
        raise ConfigError(
            f"max_drop={max_drop:g}: expected a share of accuracy, at least 0 and below 1 (0.02: 2 points)"
        )
    run.figures()  # refuses a run that is not finished
    network, source = run.network, classes_of(run)
    parts_of(run)
    if lasting := untuned(run):
        raise UnsupportedError(f"{budget.option()}: {lasting}")
    batches = calibration_or_none(network, source, notice=notice)
    trainer = Trainer(run, epochs or max(1, epochs_of(run) // 2), hooks, notice)
    plan, search, kept = _searched(trainer, source, budget, points, batches)
    runs: dict[str, Run] = {"original": run}
    cuts: dict[str, tuple[Any, SurgeryLog]] = {}

    def learn(role: str, widths: Mapping[str, int]) -> None:
        cuts[role] = search.cut(widths)
        prepare = cut_into(run, cuts[role], shared=trainer.answers)
        runs[role] = trainer.train(role, prepare, widths=widths, seed=run.found.config.seed, alpha=ALPHA)

    for done, (role, widths) in enumerate(plan.items()):
        if done:
            left = trainer.pace.left(trainer.epochs * (len(plan) - done))
            notice(f"network {done + 1} of {len(plan)}{left}")
        learn(role, widths)
    split = "test" if "test" in source.splits() else "dev"
    judged = judge(network, source, split)
    dev = judge(network, source, "dev") if "dev" in source.splits() else judged
    rows: list[Shipment] = []
    further = _FURTHER - max(0, len(plan) - points)  # those of an earlier call among them
    while True:
        rows, timing = ship_all(
            runs, judged=judged, batches=batches, folders=lambda one: one.path / "export", known=rows, notice=notice
        )
        best, cost = _recommended(rows, timing, budget, lambda row: accuracy_of(runs[row.role].path / row.file, dev))
        last = f"front{len(plan)}"
        ends = [_cost(rows[0], row, timing) for row in rows if row.role == last]
        end = min(ends, key=lambda one: one.dearness(budget))
        over = cost.meets(budget) or further <= 0
        narrower = None if over else search.further(plan[last], budget, end)
        if narrower is None:
            break
        further -= 1
        notice(f"timed together, {_nearest(best, budget, cost)}: on to a narrower one")
        role = f"front{len(plan) + 1}"
        try:
            learn(role, narrower)
        except (DivergedError, ProofError) as error:
            notice(f"{role} is left out: {error}")
            break
        plan[role] = narrower
        kept.write()
    notes = _words(rows, best, budget, cost, max_drop=max_drop, split=split)
    if len(plan) < points and len(search.path) < points:
        notes.append(f"{len(plan)} networks and not {points}: the way to the narrowest network has no more steps.")
    beside = controls_of(trainer, cuts[best.role], plan[best.role], seeds=controls) if controls else []
    same = next(row for row in rows if row.name == best.role)  # controls have its shapes
    for control in beside:
        proof = {"control_of": best.role, "seeds": dict(control.accuracies)}
        rows.append(replace(same, name=control.name, file="", accuracy=control.mean, proof=proof))
    notes += words_of(beside)
    for note in notes:
        notice(note)
    ratios = {row.name: timing.ratio(rows[0].name, row.name) for row in rows if row.file}
    value = {
        "format": 1,
        "budget": {"kind": budget.kind, "value": budget.value},
        "met": cost.meets(budget),
        "max_drop": max_drop,
        "drop_met": None if max_drop is None else _holds(rows[0], best, max_drop),
        "recommended": best.name,
        "runs": {role: one.path.name for role, one in runs.items()},
        "models": [row.to_json() for row in rows],
        "widths": plan,
        "ratios": ratios,
        "notes": notes,
        "split": split,
    }
    write_json(run.path / "front.json", value, sync=False)
    again = _command(run, budget, max_drop=max_drop, points=points, epochs=trainer.epochs, controls=controls)
    page = write_front(Front(run, search, plan, rows, best, runs, beside, notes, budget, again))
    return Compressed(tuple(rows), runs, page, ratios, judged)


def _command(run: Run, budget: Budget, *, max_drop: float | None, points: int, epochs: int, controls: int) -> str:
    """Return the command that asks for this."""
    command = f"{on_run('compress', run.path)} {budget.option()} --points {points} --controls {controls}"
    command += f" --epochs {epochs}" if epochs else ""
    return command + (f" --max-drop {max_drop * 100:g}" if max_drop is not None else "")


def _searched(
    trainer: Trainer, source: Source, budget: Budget, points: int, batches: Sequence[Any]
) -> tuple[Plan, Search, BudgetFile]:
    """Search for widths, or take those that an earlier call with this budget found; and the file that holds them.

    What was measured of the network serves every budget of its kind, one that could not be reached among them.
    """
    run, notice = trainer.run, trainer.notice
    kind: Literal["time", "bytes"] = "bytes" if budget.kind == "size" else "time"
    machine = {name: environment()[name] for name in ("processor", "versions")}
    key = [_FORMAT, kind, bool(batches), trainer.original, machine]
    kept = BudgetFile.read(run.path / "budget.json", key)
    asked = f"{budget.kind} {budget.value!r} in {points}"
    search = Search(run.network, source, kind, batches[:1], run.path.parent / ".measured", notice, kept=kept.search)
    with search:
        plan = _known(kept.plans.get(asked), search)
        if search.recalled and plan:
            notice("using the widths that were found before")
            return plan, search, kept
        if search.recalled:
            notice("using what was measured of this network before")
        else:
            kept.search, kept.plans = search.to_json(), {}
            kept.write()
        found = search.points(budget, points)
    if not found:
        raise ConfigError(
            f"the whole network is within {budget.text()}, in full precision or int8; ask for a tighter one, or: "
            f"{on_run('export', run.path)} --int8"
        )
    plan = {f"front{number}": widths for number, widths in enumerate(found, start=1)}
    kept.plans[asked] = plan
    kept.write()
    return plan, search, kept


def _known(plan: Any, search: Search) -> Plan | None:
    """Return the plan that a file holds; None where it holds none for this network."""
    if not isinstance(plan, dict) or list(plan) != [f"front{place + 1}" for place in range(len(plan))]:
        return None
    return plan if all(widths and search.fits(widths) for widths in plan.values()) else None


def _recommended(
    rows: Sequence[Shipment], timing: Comparison, budget: Budget, quality: Callable[[Shipment], float]
) -> tuple[Shipment, Cost]:
    """Return the file within the budget that is best on dev, as all were timed together, and what it costs.

    Where none is within it (it is near, and the machine was busy), the nearest is returned.
    """
    original = rows[0]
    narrowed = [row for row in rows if row.role != original.role]

    costs = {row.name: _cost(original, row, timing) for row in narrowed}
    within = [row for row in narrowed if costs[row.name].meets(budget)]
    best = max(within, key=quality) if within else min(narrowed, key=lambda row: costs[row.name].dearness(budget))
    return best, costs[best.name]


def _cost(original: Shipment, row: Shipment, timing: Comparison) -> Cost:
    ratio = timing.ratio(original.name, row.name)
    return Cost((original.latency_ms or 0.0) / ratio, row.bytes, ratio)


def _drop(original: Shipment, row: Shipment) -> float:
    return (original.accuracy or 0.0) - (row.accuracy or 0.0)


def _holds(original: Shipment, row: Shipment, max_drop: float) -> bool:
    """Return whether a row loses no more than was allowed, rounding of shares aside."""
    return _drop(original, row) <= max_drop + 1e-9


def _words(
    rows: Sequence[Shipment], best: Shipment, budget: Budget, cost: Cost, *, max_drop: float | None, split: str
) -> list[str]:
    """Return what is recommended and what it loses; where that is more than was allowed, also what loses no more."""
    original, drop = rows[0], _drop(rows[0], best)
    where = f"{best.name} is within {budget.text()}" if cost.meets(budget) else _nearest(best, budget, cost)
    lines = [f"{where}; it loses {percent_text(drop, digits=2)} on {split}"]
    if max_drop is not None and not _holds(original, best, max_drop):
        line = f"That is more than {percent_text(max_drop, digits=2)}: more epochs or a larger budget may help."
        holding = [row for row in rows if row.role != original.role and _holds(original, row, max_drop)]
        if holding and budget.kind == "size":
            least = min(holding, key=lambda row: row.bytes)
            line += f" The smallest that loses no more is {least.name}, {bytes_text(least.bytes)}."
        elif holding:
            least = min(holding, key=lambda row: row.latency_ms or math.inf)
            line += f" The fastest that loses no more is {least.name}, {milliseconds_text(least.latency_ms)}."
        lines.append(line)
    return lines


def _nearest(best: Shipment, budget: Budget, cost: Cost) -> str:
    reached = Budget(budget.kind, cost.of(budget.kind)).exact()
    return f"{best.name} comes nearest to {budget.exact()} and misses it, at {reached}"
