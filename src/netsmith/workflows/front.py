"""``compress`` to a budget: a Pareto front of real networks, one recommended, and the controls that must be beaten."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import torch

from netsmith.api import training
from netsmith.api.commands import on_run
from netsmith.compress.prune import cut_units
from netsmith.compress.surgery import apply_surgery
from netsmith.core.errors import ConfigError, NetsmithError
from netsmith.core.files import read_json, write_json
from netsmith.engine import checkpoint
from netsmith.engine.hook import Hook
from netsmith.engine.method import Method
from netsmith.engine.run_folder import environment
from netsmith.measure.latency import Comparison
from netsmith.methods.distillation import Distillation
from netsmith.report.tables import percent_text
from netsmith.workflows.budget import Budget, Cost, Search
from netsmith.workflows.compression import Compressed
from netsmith.workflows.front_page import write_front
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import Shipment, accuracy_of, calibration, ship_all
from netsmith.workflows.tuning import classes_of, cut_into, epochs_of, parts_of, tuning

if TYPE_CHECKING:
    from netsmith.api.run import Run
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["compress_to_budget"]

Hooks = Callable[[str], Sequence[Hook]]


@dataclass(frozen=True)
class _Trainer:
    """Makes and finds again the runs of one compression.

    Attributes:
        run: The original.
        epochs: Of each training.
        hooks: Hooks for each training.
        notice: Where one-line notices go.
    """

    run: Run
    epochs: int
    hooks: Hooks | None
    notice: Callable[[str], None]

    @cached_property
    def original(self) -> str:
        """Tell this original from another one under its name: the hash of its experiment and weights."""
        return original_of(self.run)

    def train(
        self,
        role: str,
        prepare: training.Prepare,
        *,
        widths: Mapping[str, int],
        seed: int,
        alpha: float,
        kind: str = "",
    ) -> Run:
        """Return a run of these widths: a finished one again, one that was cut to its end, or a new one.

        Args:
            role: What it is called in bars and notices.
            prepare: Puts the network into the method.
            widths: Units that stay, by family.
            seed: The seed.
            alpha: Share of the original's word in the loss.
            kind: What else tells this run from others of the same widths.
        """
        from netsmith.api.run import load, resume

        found = tuning(self.run, epochs=self.epochs, slower=1.0 if kind == "scratch" else 0.3)
        config = found.config.derive(seed=seed)
        config = config.derive(method=config.method.derive(alpha=alpha))
        name = json.dumps([self.original, sorted(widths.items()), kind, seed, alpha, self.epochs])
        path = self.run.path.with_name(f"{self.run.path.name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}")
        more = self.hooks(role) if self.hooks else ()
        code = self.run.code or "" if found.code else ""
        if (path / "evaluation.json").is_file():
            self.notice(f"{role}: using the finished run")
            return load(path, code=code, notice=self.notice)
        if checkpoint.folders(path / "checkpoints"):
            self.notice(f"{role}: going on with the run that was cut")
            return resume(path, code=code, hooks=more, notice=self.notice)
        shutil.rmtree(path, ignore_errors=True)  # cut before its network was saved: it would go on with another one
        path = training.begin(
            replace(found, config=config),
            root=path.parent,
            name=path.name,
            hooks=more,
            prepare=prepare,
            notice=self.notice,
        )
        return load(path, code=code, notice=self.notice)


def original_of(run: Run) -> str:
    """Return the hash of a run's experiment and weights."""
    digest = hashlib.sha256(run.found.config.sha256().encode())
    for name, tensor in sorted(run.network.module.state_dict().items()):
        digest.update(
            name.encode() + tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()


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
        points: Networks along the way to the budget, the last one within it.
        epochs: Of each training; half of the run's by default.
        controls: Seeds of each control at the recommended widths: the same network from scratch, the same taught from
            scratch, the cut one without a teacher; 0 leaves them out. All train as long; from scratch at the run's own
            learning rate.
        hooks: Hooks for each training (a progress bar).
        notice: Where one-line notices go.

    Raises:
        ConfigError: The budget cannot be reached (the nearest is named), or the whole network is within it.
        UnsupportedError: The run does not classify, or its network cannot be cut.
        ProofError: A cut or an export that cannot be proven.
    """
    if points < 1 or controls < 0 or epochs < 0 or (max_drop is not None and not 0 <= max_drop < 1):
        raise ConfigError(
            f"expected points >= 1, controls >= 0, epochs >= 0 and max_drop in [0, 1), got {points}, {controls}, "
            f"{epochs}, {max_drop}"
        )
    run.figures()  # refuses a run that is not finished
    network, source = run.network, classes_of(run)
    parts_of(run)
    try:
        batches = calibration(network, source)
    except NetsmithError as error:
        batches = []
        notice(f"int8 is left out: {error}")
    plan, search = _searched(run, budget, points, batches, notice)
    trainer = _Trainer(run, epochs or max(1, epochs_of(run) // 2), hooks, notice)
    seed = run.found.config.seed
    runs: dict[str, Run] = {"original": run}
    cuts: dict[str, tuple[Any, SurgeryLog]] = {}
    begin = time.perf_counter()
    for done, widths in enumerate(plan):
        role = f"front{done + 1}"
        if done:
            left = (time.perf_counter() - begin) / done * (len(plan) - done)
            notice(f"network {done + 1} of {len(plan)}; about {left / 60:.0f} min left for these")
        cuts[role] = _cut(run, search, widths)
        runs[role] = trainer.train(role, cut_into(run, cuts[role]), widths=widths, seed=seed, alpha=_ALPHA)
    split = "test" if "test" in source.splits() else "dev"
    judged = judge(network, source, split)
    rows, timing = ship_all(
        runs, judged=judged, batches=batches, folders=lambda one: one.path / "export", notice=notice
    )
    dev = judge(network, source, "dev") if "dev" in source.splits() else judged
    files = {row.name: runs[row.name.removesuffix(" int8")].path / row.file for row in rows}
    best, within = _recommended(rows, timing, budget, lambda row: accuracy_of(files[row.name], dev))
    drop = (rows[0].accuracy or 0.0) - (best.accuracy or 0.0)
    where = "is within" if within else "comes nearest to, and misses,"
    notes = [f"{best.name} {where} {budget.text()}; it loses {percent_text(drop, digits=2)} on {split}"]
    if max_drop is not None and drop > max_drop:
        notes.append(f"That is more than {percent_text(max_drop, digits=2)}: more epochs or a larger budget may help.")
    if controls:
        role = best.name.removesuffix(" int8")
        beside, line = _controls(trainer, cuts[role], plan[list(cuts).index(role)], controls)
        same = next(row for row in rows if row.name == role)  # controls have its shapes
        for kind, seeds in beside.items():
            mean, proof = sum(seeds.values()) / len(seeds), {"control_of": role, "seeds": seeds}
            rows.append(replace(same, name=kind, file="", accuracy=mean, proof=proof))
        notes += line
    for note in notes:
        notice(note)
    ratios = {row.name: timing.ratio(rows[0].name, row.name) for row in rows if row.file}
    value = {
        "format": 1,
        "budget": {"kind": budget.kind, "value": budget.value},
        "recommended": best.name,
        "runs": {role: one.path.name for role, one in runs.items()},
        "models": [row.to_json() for row in rows],
        "widths": {f"front{number}": widths for number, widths in enumerate(plan, start=1)},
        "ratios": ratios,
        "notes": notes,
        "split": split,
    }
    write_json(run.path / "compress.json", value, sync=False)
    again = f"{on_run('compress', run.path)} {budget.option()} --points {points} --controls {controls}"
    again += f" --epochs {trainer.epochs}" + (f" --max-drop {max_drop * 100:g}" if max_drop is not None else "")
    page = write_front(run, search, plan, rows, best, notes, budget, again)
    return Compressed(tuple(rows), runs, page, ratios, judged)


_ALPHA = 0.9


def _searched(
    run: Run, budget: Budget, points: int, batches: Sequence[Any], notice: Callable[[str], None]
) -> tuple[list[dict[str, int]], Search]:
    """Search for widths, or take those that an earlier call with this budget found."""
    machine = {name: environment()[name] for name in ("processor", "versions")}
    file, key = run.path / "budget.json", [budget.kind, budget.value, points, original_of(run), machine]
    kept = read_json(file) if file.is_file() else {}
    again = kept.get("key") == key
    known = kept["search"] if again else None
    kind: Literal["time", "bytes"] = "bytes" if budget.kind == "size" else "time"
    search = Search(run.network, classes_of(run), kind, batches[:1], run.path.parent / ".measured", notice, kept=known)
    with search:
        if again:
            notice("using the widths that were found before")
            return [dict(widths) for widths in kept["plan"]], search
        plan = search.points(budget, points)
    if not plan:
        raise ConfigError(
            f"the whole network is within {budget.text()}, in full precision or int8; ask for less, or: "
            f"{on_run('export', run.path)} --int8"
        )
    write_json(file, {"format": 1, "key": key, "plan": plan, "search": search.to_json()}, sync=False)
    return plan, search


def _cut(run: Run, search: Search, widths: Mapping[str, int]) -> tuple[Any, SurgeryLog]:
    network = run.network
    example = network.shipped.preprocess(network.example(2))
    return cut_units(network.module, example, search.graph, search.units(widths))


def _recommended(
    rows: Sequence[Shipment], timing: Comparison, budget: Budget, quality: Callable[[Shipment], float]
) -> tuple[Shipment, bool]:
    """Return the file within the budget that is best on dev, as all were timed together, and that there is one.

    Where none is within it (it is near, and the machine was busy), the nearest is returned.
    """
    original = rows[0]
    narrowed = [row for row in rows if row.name.removesuffix(" int8") != original.name]

    def cost(row: Shipment) -> Cost:
        ratio = timing.ratio(original.name, row.name)
        return Cost((original.latency_ms or 0.0) / ratio, row.bytes, ratio)

    within = [row for row in narrowed if cost(row).meets(budget)]
    if within:
        return max(within, key=quality), True
    sign = -1 if budget.kind == "speedup" else 1
    return min(narrowed, key=lambda row: sign * cost(row).of(budget.kind)), False


def _controls(
    trainer: _Trainer, cut: tuple[Any, SurgeryLog], widths: Mapping[str, int], seeds: int
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Train the controls at the recommended widths; return their accuracies by seed, and a line where one wins."""
    run, first = trainer.run, trainer.run.found.config.seed

    def fresh(method: Method) -> Any:
        assert isinstance(method, Distillation)
        method.adopt_teacher(run.network.module)
        method.model = apply_surgery(method.model, cut[1])  # the zoo's own first weights, at these widths
        return cut[1].to_json()

    kinds: dict[str, tuple[training.Prepare, float]] = {
        "pruned and taught": (cut_into(run, cut), _ALPHA),
        "pruned, not taught": (cut_into(run, cut), 0.0),
        "from scratch, taught": (fresh, _ALPHA),
        "from scratch": (fresh, 0.0),
    }
    found: dict[str, dict[str, float]] = {}
    for kind, (prepare, alpha) in kinds.items():
        name = f"{kind}, mean of {seeds}"
        for seed in range(first, first + seeds):
            scratch = "scratch" if prepare is fresh else ""
            one = trainer.train(f"{kind}, seed {seed}", prepare, widths=widths, seed=seed, alpha=alpha, kind=scratch)
            figures = one.figures()
            value = figures.get("test/accuracy", figures.get("dev/accuracy"))
            found.setdefault(name, {})[str(seed)] = value if value is not None else 0.0
    means = {name: sum(values.values()) / seeds for name, values in found.items()}
    ours, *_ = means
    winner = max(means, key=lambda name: means[name])
    lines = [f"{name}: {percent_text(min(v.values()))} to {percent_text(max(v.values()))}" for name, v in found.items()]
    if means[winner] > means[ours]:
        lines.append(f"A simpler way wins here: {winner}, by {percent_text(means[winner] - means[ours], digits=2)}.")
    return found, lines
