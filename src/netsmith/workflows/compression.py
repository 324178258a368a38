"""Make a run smaller and faster: prune or factorize and fine-tune, distil, quantize; one table, measured here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.api import training
from netsmith.api.commands import on_run
from netsmith.api.experiments import Found, find
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.files import read_json, write_json
from netsmith.core.registry import find_kind, recipes
from netsmith.core.roles import ModelConfig
from netsmith.engine.experiment import Experiment
from netsmith.methods._taught import TaughtConfig
from netsmith.methods.distillation import Distillation
from netsmith.methods.many_teachers import ManyTeachers
from netsmith.models.vision.student_net import StudentNet
from netsmith.report.run_page import Chart, ModelRow, RunReport
from netsmith.workflows.int8 import calibration_or_none
from netsmith.workflows.judging import Judged, judge
from netsmith.workflows.pages import charts_of, environment_facts, measured_text, write_compressed
from netsmith.workflows.pruning import Pruning, pruned, sensitivity_chart
from netsmith.workflows.shipping import TRAINED_INT8, Shipment, ship_all
from netsmith.workflows.tuning import Hooks, classes_of, cut_into, epochs_of, parts_of, tuning, untuned

if TYPE_CHECKING:
    from torch import nn

    from netsmith.api.run import Run
    from netsmith.compress.choice import Scope
    from netsmith.compress.criteria import Criterion
    from netsmith.compress.factorize import FactorLog
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["Compressed", "compress_run", "model_rows"]

_GENTLE = 0.1  # of the run's learning rate: rounding is learned in small steps


@dataclass(frozen=True)
class Compressed:
    """What came out.

    Attributes:
        rows: One per exported file, the teacher's first.
        runs: The runs that were made, by role.
        page: The page.
        ratios: Latency of the first row over each row's, paired in one run.
        judged: The test split with the teacher's answers.
    """

    rows: tuple[Shipment, ...]
    runs: Mapping[str, Run]
    page: Path
    ratios: Mapping[str, float]
    judged: Judged


def compress_run(
    run: Run,
    *,
    prune: float = 0.5,
    criterion: Criterion = "l2",
    scope: Scope = "global",
    iterations: int = 1,
    protect: str | Sequence[str] = (),
    sensitivity: bool = False,
    low_rank: float = 0.0,
    train_int8: bool = False,
    student: str = "",
    epochs: int = 0,
    sets: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
    notice: Callable[[str], None] = print,
) -> Compressed:
    """Compress a run's product in every way that fits and measure all of it together.

    Args:
        run: A finished run that answers a fixed source with classes, or with tags.
        prune: Share of the channels to cut; 0 leaves pruning out.
        criterion: By what channels are chosen (:func:`~netsmith.compress.criteria.score_units`); ``bn_scale`` fits a
            run of the method slimming.
        scope: How they are ranked: ``global``, ``local`` or ``isomorphic`` (:func:`~netsmith.compress.prune.prune`).
        iterations: Rounds of cutting, each judged on what the last one's fine-tuning left; all tune as long.
        protect: Modules whose channels stay, by name (of the layer or a parent).
        sensitivity: Also chart what accuracy each layer costs that alone loses channels.
        low_rank: Share of the parameters that may stay where layers become products of thin ones; 0 leaves it out.
        train_int8: Also train a copy with fake quantization: for where int8 after training loses too much.
        student: A distillation recipe (it brings the network, the loss and the optimizer; the data are the run's), the
            kind of the student, or the run's own network scaled (``width=0.5``, ``depth=0.5``, ``width=0.5,depth=2``).
            By default a small depthwise network for images, else ``width=0.5``; ``none`` leaves distillation out.
        epochs: Epochs of fine-tuning and half those of the student; by default a quarter of the run's, and for the
            student its recipe's or the run's.
        sets: Changes of the student's experiment.
        hooks: Hooks for each training (a progress bar).
        notice: Where one-line notices go.

    Raises:
        ConfigError: ``sets`` without a student to change.
        UnknownNameError: ``protect`` names no module.
        UnsupportedError: The run answers otherwise, or has no fixed data; a low rank that cannot be reached; training
            in int8 of what is recurrent or cannot be traced.
        ProofError: A cut or an export that cannot be proven.
    """
    from netsmith.api.run import load
    from netsmith.compress.fake_quantize import FakeQuantizeLog, fake_quantized, is_fake

    how = Pruning(prune, criterion, scope, iterations, (protect,) if isinstance(protect, str) else tuple(protect))
    network, source = run.network, classes_of(run)
    if is_fake(network.module):
        raise UnsupportedError(f"{run.path.name} was trained in int8; compress the run that it was made from")
    lasting = untuned(run)
    if lasting and (low_rank or train_int8):
        raise UnsupportedError(f"{'--low-rank' if low_rank else '--train-int8'}: {lasting}")
    if not (student or sets) and not run.found.config.optimizers:
        notice(f"a student is left out: {run.path.name} was learned without a gradient, as none of ours can be")
        student = "none"
    if prune and lasting:
        notice(f"pruning is left out: {lasting}")
        how = Pruning(0.0)
    if how.ratio or low_rank or train_int8 or student != "none":
        parts_of(run)  # refuses before anything is cut
    if student == "none" and sets:
        raise ConfigError(f"--set {next(iter(sets))}: it changes the student's experiment, and --student none has none")
    taught = None if student == "none" else _student(run, student, epochs=epochs * 2, sets=sets or {})
    if taught:
        same = taught.config.data == run.found.config.data
        Experiment(taught.config, source=source if same else None)  # says what does not fit before anything is trained
    fake = (fake_quantized(network.module), FakeQuantizeLog()) if train_int8 else None
    thin = _factorized(run, share=low_rank, notice=notice) if low_rank else None
    runs: dict[str, Run] = {"teacher": run}
    tuned = epochs or max(1, epochs_of(run) // 4)
    root = run.path.parent

    def begin(found: Found, role: str, prepare: training.Prepare) -> Run:
        name = f"{run.path.name}-{role}"
        more = hooks(role) if hooks else ()
        path = training.begin(found, root=root, name=name, hooks=more, prepare=prepare, notice=notice)
        return load(path, code=run.code or "" if found.code else "", notice=notice)

    def tune(module: nn.Module, log: SurgeryLog, number: int) -> Run:
        return begin(tuning(run, epochs=tuned), f"pruned-round{number}", cut_into(run, (module, log)))

    curves = [sensitivity_chart(run, source, criterion)] if sensitivity else []
    cut = pruned(run, source, how, tune=tune, notice=notice) if how.ratio else None
    if cut:
        runs["pruned"] = begin(tuning(run, epochs=tuned), "pruned", cut_into(run, cut))
    if thin:
        runs["low rank"] = begin(tuning(run, epochs=tuned), "low-rank", cut_into(run, thin))
    if fake:
        found = tuning(run, epochs=tuned, slower=_GENTLE)
        whole = replace(found, config=found.config.derive(micro_batches=1))  # ranges follow the batch
        runs[TRAINED_INT8] = begin(whole, "int8", cut_into(run, fake))
    if taught:
        runs["student"] = begin(taught, "student", training.teacher_into(network.module, network.spec.outputs))
    split = "test" if "test" in source.splits() else "dev"
    judged = judge(network, source, split)
    batches = calibration_or_none(network, source, notice=notice)
    rows, timing = ship_all(
        runs, judged=judged, batches=batches, folders=lambda one: one.path / "export", notice=notice
    )
    ratios = {row.name: timing.ratio(rows[0].name, row.name) for row in rows}
    value = {
        "format": 1,
        "teacher": run.path.name,
        "runs": {role: one.path.name for role, one in runs.items()},
        "models": [row.to_json() for row in rows],
        "latency": timing.to_json(),
        "ratios": ratios,
        "split": split,
    }
    write_json(run.path / "compress.json", value, sync=False)
    again = [on_run("compress", run.path), f"--prune {how.ratio:g}", *([how.options()] if how.options() else [])]
    again += [f"--{name}" for name, on in (("sensitivity", sensitivity), ("train-int8", train_int8)) if on]
    again += [f"--{name} {value}" for name, value in (("low-rank", low_rank), ("epochs", epochs)) if value]
    again += [f"--student {student}"] if student else []
    again += [shlex.join(["--set", f"{name}={json.dumps(value)}"]) for name, value in (sets or {}).items()]
    page = _write_page(run, runs, rows, curves, command=" ".join(again))
    return Compressed(tuple(rows), runs, page, ratios, judged)


def model_rows(rows: Sequence[Shipment]) -> list[ModelRow]:
    """Return the rows as the page shows them."""
    return [ModelRow(r.name, r.accuracy, r.parameters, r.bytes, r.macs, r.latency_ms) for r in rows]


def _factorized(run: Run, *, share: float, notice: Callable[[str], None]) -> tuple[nn.Module, FactorLog]:
    """Make layers of a copy of the product thin."""
    from netsmith.compress.factorize import factorize
    from netsmith.measure.parameters import count_parameters

    module = run.network.module
    thin, log = factorize(module, budget=share)
    if not log.factors:
        raise UnsupportedError(f"--low-rank {share:g}: no layer of this network becomes smaller as a product of two")
    before, after = count_parameters(module), count_parameters(thin)
    notice(f"{len(log.factors)} layers as products of thin ones: {before:,} to {after:,} parameters")
    return thin, log


def _student(run: Run, student: str, *, epochs: int, sets: Mapping[str, Any]) -> Found:
    """The experiment that distils the run into a student: a recipe's, or a model's of this data."""
    teacher, task = parts_of(run)
    if student in recipes():
        found = find(student)
        method = found.config.method
        if not isinstance(method, TaughtConfig) or isinstance(method, ManyTeachers.Config):
            raise ConfigError(f"--student {student}: expected a recipe with one teacher, got {method.kind_name()}")
        changes: dict[str, Any] = {"method.teacher": teacher.dump(), "data": run.found.config.data.dump()}
        changes |= {"seed": run.found.config.seed} | ({"epochs": epochs, "steps": AUTO} if epochs else {}) | dict(sets)
        return replace(found, config=found.config.derive(**changes))
    config = run.found.config
    if "=" in student:
        model = teacher.scaled(**_factors(student))
    elif student:
        model = find_kind(ModelConfig, student)()
    elif run.network.spec.inputs.kind == "image":
        size = run.network.spec.inputs.shape[-1]
        small = size <= 16
        model = StudentNet.Config(
            channels=(32, 64, 64, 96) if small else (32, 32, 64, 64, 64, 64, 128, 128, 128),
            pools=(0,) if small else (1, 5),
            activation="relu",  # two fifths faster than ReLU6 under ONNX Runtime
            activate_pointwise=True,
        )
    else:
        model = teacher.scaled(width=0.5)
    changed = config.derive(
        method=Distillation.Config(model=model, teacher=teacher, task=task),
        epochs=epochs or epochs_of(run),
        steps=AUTO,
        evaluate_every=AUTO,
        checkpoint_every=AUTO,
    )
    changed = changed.derive(**dict(sets)) if sets else changed
    if "model" not in changed.optimizers:
        raise UnsupportedError(
            f"{run.path.name} was learned without a gradient ({config.method.kind_name()}), so there is no optimizer "
            "to train a student with: name a recipe that brings one (--student RECIPE), give it (--set "
            "optimizers.model.kind=adam), or take none (--student none)"
        )
    return replace(run.found, config=changed, recipe="")


def _factors(text: str) -> dict[str, float]:
    """Return the factors that ``width=0.5,depth=2`` names."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found = {}
            break
    if not found or not set(found) <= {"width", "depth"}:
        raise ConfigError(f"--student {text}: expected width=FACTOR, depth=FACTOR, or both with a comma between")
    return found


def _write_page(
    run: Run, runs: Mapping[str, Run], rows: Sequence[Shipment], curves: Sequence[Chart], *, command: str
) -> Path:
    charts = [*curves] + [chart for role, one in runs.items() for chart in charts_of(one.journal(), name=role)]
    report = RunReport(
        title=f"{run.path.name}, compressed",
        subtitle=measured_text(run),
        kicker="netsmith compress",
        commands=[command],
        charts=charts,
        models=model_rows(rows),
        environment=environment_facts(read_json(run.path / "environment.json")),
    )
    return write_compressed(run, report, name="compress")
