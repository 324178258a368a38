"""Train and resume: from an experiment to a run folder that every other verb needs nothing but."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from netsmith.api.commands import on_run
from netsmith.api.experiments import Found, read_experiment, write_form
from netsmith.api.own_data import check
from netsmith.core.errors import (
    CheckpointError,
    ConfigError,
    DivergedError,
    InterruptedRun,
    MissingExtraError,
    RunError,
    UserError,
    shorten,
)
from netsmith.core.files import write_atomic
from netsmith.core.spec import Outputs, Spec
from netsmith.data.conll import Conll
from netsmith.data.text_table import TextTable
from netsmith.engine import checkpoint
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.hooks.journal import Journal
from netsmith.engine.method import Method
from netsmith.engine.ranks import Ranks
from netsmith.engine.run_folder import RunFolder, environment
from netsmith.engine.source import LiveSource, Source
from netsmith.methods.distillation import Distillation

__all__ = [
    "Prepare",
    "begin",
    "continue_run",
    "product_step",
    "rebuild",
    "same_data",
    "teacher_into",
]

Prepare = Callable[[Experiment], Any]
"""Changes a fresh experiment before training (puts in a teacher, prunes the model); returns the surgery log or None."""


def begin(
    found: Found,
    *,
    root: str | Path = "runs",
    name: str = "",
    source: Source | LiveSource | None = None,
    hooks: Sequence[Hook] = (),
    prepare: Prepare | None = None,
    log_every: int = 0,
    notice: Callable[[str], None] = print,
) -> Path:
    """Run an experiment from its start in a new run folder and return the folder.

    Args:
        found: What to run.
        root: Where run folders lie.
        name: The run's name; the experiment's by default. A number is added where the name is taken.
        source: The experiment's data where it is already read.
        hooks: More hooks (progress).
        prepare: A change of the fresh method; what it did travels with the checkpoints, so a resume is exact.
        log_every: Steps between journal lines; 0 for about 200 lines.
        notice: Where one-line notices go.
    """
    name = plain_name(name or found.name)
    ranks = Ranks()
    experiment = Experiment(found.config, source=source)
    check(experiment)
    if isinstance(experiment.source, TextTable):  # predict must find the same column in other tables
        experiment.config = experiment.config.derive(**{"data.text": experiment.source.text_column})
    if isinstance(experiment.source, Conll):  # the run's experiment reads other files in the scheme of these
        experiment.config = experiment.config.derive(**{"data.scheme": experiment.source.scheme})
    surgery = prepare(experiment) if prepare else None
    folder = RunFolder.create(Path(root), name) if ranks.first else None
    path = Path(ranks.from_first(str(folder.path) if folder else ""))
    steps = int(experiment.config.steps)
    with _owned(folder, path, new=True) as engines:
        if folder:
            write_start(folder, found, experiment, log_every or max(1, steps // 200))
        engine = _engine(experiment, path, hooks=hooks, ranks=ranks, surgery=surgery)
        engines.append(engine)
        if prepare:
            engine.save()  # what was put in from outside must be there for a resume
        _finish(engine, folder, path, notice)
    return path


def plain_name(name: str) -> str:
    """Return a run's name if it is the name of one folder.

    Raises:
        RunError: It leads elsewhere, or holds what a file name should not.
    """
    if name.startswith((".", "-")) or not name.isprintable() or set(name) & set('/\\:*?"<>|') or len(name) > 100:
        raise RunError(
            f"a run cannot be named {shorten(repr(name), 60)}; expected a plain folder name of at most 100 characters "
            "(--root says where run folders lie)"
        )
    return name


@contextlib.contextmanager
def _owned(folder: RunFolder | None, path: Path, *, new: bool) -> Iterator[list[Engine]]:
    """Give the lock back in the end; say how to go on; leave no new folder behind in which nothing was learned.

    The caller appends its engine to the list it gets, so that it is known whether a step was taken.
    """
    engines: list[Engine] = []
    try:
        yield engines
    except (UserError, MissingExtraError):
        if folder and new and not any(int(p.name[5:]) for p in checkpoint.folders(path / "checkpoints")):
            shutil.rmtree(path, ignore_errors=True)
        raise
    except DivergedError as error:
        raise DivergedError(f"{error} (run folder: {path})") from None
    except InterruptedRun as error:
        raise InterruptedRun(f"{error}; go on with: {on_run('resume', path)}") from None
    except Exception:  # ours or torch's: before the first step there is nothing to go on from
        if folder and new and not any(engine.step for engine in engines):
            shutil.rmtree(path, ignore_errors=True)
        raise
    except KeyboardInterrupt:
        raise InterruptedRun(f"interrupted; go on with: {on_run('resume', path)}") from None
    finally:
        if folder:
            folder.release()


def write_start(folder: RunFolder, found: Found, experiment: Experiment, log_every: int) -> None:
    folder.write("experiment.json", write_form(found, experiment.config))
    folder.write("schema.json", experiment.spec.dump())
    about = {"seed": experiment.config.seed, "log_every": log_every, "started": time.strftime("%Y-%m-%d")}
    folder.write("environment.json", environment(about))
    if found.code:
        write_atomic(folder.path / "code.py", found.code.source)
    if experiment.spec.inputs.vocabulary:
        (folder.path / "vocab").mkdir()
        words = "\n".join(json.dumps(word, ensure_ascii=False) for word in experiment.spec.inputs.vocabulary) + "\n"
        write_atomic(folder.path / "vocab" / "vocabulary.jsonl", words.encode())


def _engine(experiment: Experiment, path: Path, *, hooks: Sequence[Hook], ranks: Ranks, surgery: Any) -> Engine:
    more = list(hooks) if ranks.first else []
    if ranks.first:
        every = RunFolder(path).read_object("environment.json", log_every=int)["log_every"]
        more.append(Journal(path / "metrics.jsonl", every=every))
    return Engine(experiment, checkpoints=path / "checkpoints", hooks=more, ranks=ranks, surgery=surgery)


def continue_run(
    path: str | Path,
    *,
    code: str | Path | None = None,
    hooks: Sequence[Hook] = (),
    notice: Callable[[str], None] = print,
) -> Path:
    """Resume a run from its newest whole checkpoint; the result is the one of a run that was never cut.

    Raises:
        RunError: Not a run folder, already finished, or owned by another process.
        CheckpointError: No checkpoint is whole.
    """
    path = Path(path)
    ranks = Ranks()
    folder = RunFolder.open(path)
    if ranks.first:
        folder.own()
    with _owned(folder if ranks.first else None, path, new=False):
        if (path / "evaluation.json").exists():
            raise RunError(
                f"{path} is finished; there is nothing to resume. To go on longer, start anew: "
                f"{on_run('train', path)} --set epochs=..."
            )
        found = read_experiment(folder.read("experiment.json"), code=code)
        experiment = Experiment(found.config)
        same_data(experiment, folder.spec())
        snapshot = None
        if checkpoint.folders(path / "checkpoints"):
            snapshot, notices = checkpoint.load_latest(path / "checkpoints")
            for line in notices:
                notice(line)
        else:
            notice(f"{path.name} has no checkpoint yet; starting from the beginning")
        surgery = snapshot.states.get("surgery") if snapshot else None
        _operate(experiment.method, surgery)
        engine = _engine(experiment, path, hooks=hooks, ranks=ranks, surgery=surgery)
        if snapshot:
            engine.restore(snapshot)
        _finish(engine, folder if ranks.first else None, path, notice)
    return path


def same_data(experiment: Experiment, saved: Spec) -> None:
    """Refuse data that is not what a run was started on.

    Raises:
        RunError: The schema or the hash of a split differs; the first difference is named.
    """
    new = experiment.spec
    if new == saved:
        return
    for split in saved.splits:
        other = new.split(split.name)
        if other is None or other.size != split.size:
            now = "is gone" if other is None else f"has {other.size}"
            raise RunError(
                f"the data is no longer what the run was trained on: the split {split.name} had {split.size} examples "
                f"and {now}"
            )
    what = "its contents" if new.inputs == saved.inputs and new.outputs == saved.outputs else "its schema"
    raise RunError(f"the data is no longer what the run was trained on: {what} changed")


def _finish(engine: Engine, folder: RunFolder | None, path: Path, notice: Callable[[str], None]) -> None:
    """Learn, take the selected checkpoint, read the test split once, and write what was found."""
    for line in engine.notices:
        notice(line)
    told = len(engine.notices)
    try:
        engine.fit()
        if engine.best is not None and engine.best[1] != engine.step:
            engine.use(checkpoint.load(path / "checkpoints" / f"step-{engine.best[1]:08d}"))
        wanted = ("train", "dev", "test") if engine.config.judge_train else ("dev", "test")
        splits = [name for name in wanted if name in engine.source.splits()]
        found: dict[str, float] = {}
        for split in splits:
            found |= engine.evaluate(split)
    finally:
        for line in engine.notices[told:]:
            notice(line)
    if folder:
        step = engine.best[1] if engine.best is not None else engine.step
        figures = {name: value if math.isfinite(value) else None for name, value in found.items()}
        value = {
            "format": 1,
            "step": step,
            "steps": engine.step,
            "selected_by": engine.config.select,
            "figures": figures,
        }
        folder.write("evaluation.json", value)
    engine.ranks.close()


def product_step(path: Path) -> int | None:
    """Return the step of the checkpoint that a finished run chose, or None while it is unfinished."""
    found = RunFolder(path).evaluation()
    return None if found is None else found["step"]


def rebuild(
    path: str | Path, *, code: str | Path | None = None, notice: Callable[[str], None] = print
) -> tuple[Found, Spec, Method]:
    """Rebuild a run's method with its chosen weights from the run folder alone; no data is touched.

    Raises:
        RunError: Not a run folder.
        CheckpointError: No checkpoint is whole.
    """
    path = Path(path)
    folder = RunFolder.open(path)
    found = read_experiment(folder.read("experiment.json"), code=code)
    spec = folder.spec()
    step = product_step(path)
    snapshot = None
    if step is not None:
        try:
            snapshot = checkpoint.load(path / "checkpoints" / f"step-{step:08d}")
        except CheckpointError as error:
            notice(f"{error}; using another one")
    if snapshot is None:
        if not checkpoint.folders(path / "checkpoints"):
            raise RunError(f"{path.name} has no checkpoint yet; learn first: {on_run('resume', path)}")
        snapshot, notices = checkpoint.load_latest(path / "checkpoints")
        for line in notices:
            notice(line)
        if step is None:
            notice(f"{path.name} is not finished; using its checkpoint of step {snapshot.step}")
    experiment = Experiment(found.config, spec=spec)
    _operate(experiment.method, snapshot.states.get("surgery"))
    checkpoint.copy_into(experiment.method, snapshot.weights, what=f"checkpoint step-{snapshot.step:08d}")
    experiment.method.restore(snapshot.states["method"])
    experiment.method.eval()
    _apply_hooks(experiment, snapshot)
    return found, spec, experiment.method


def _apply_hooks(experiment: Experiment, snapshot: checkpoint.Snapshot) -> None:
    """Let hooks make the product what should be used (averaged weights)."""

    class _Shell:
        method = experiment.method

    for number, config in enumerate(experiment.config.hooks):
        hook: Hook = config.build()
        saved = snapshot.states["hooks"].get(f"{number}-{config.kind_name()}")
        if saved and type(hook).apply is not Hook.apply:
            hook.restore(saved)
            with torch.no_grad():
                hook.apply(_Shell())  # type: ignore[arg-type]


def _operate(method: Method, surgery: Any) -> None:
    """Give a fresh product the shapes of a changed network, as its surgery log says."""
    if surgery is None:
        return
    from netsmith.compress.cut_file import operate, read_log
    from netsmith.compress.fake_quantize import FakeQuantizeLog

    if isinstance(surgery, dict) and "fake_quantize" in surgery:
        if not isinstance(method, Distillation):  # its network is another object, which only its owner can hold
            raise CheckpointError(
                f"a log of fake quantization belongs to a distillation, not to {type(method).__name__}"
            )
        method.model = FakeQuantizeLog.from_json(surgery).apply(method.model)
    else:
        operate(method.product(), read_log(surgery))


def teacher_into(teacher: torch.nn.Module, answers: Outputs) -> Prepare:
    """Return a :data:`Prepare` that puts a trained teacher into a distillation.

    Args:
        teacher: The network.
        answers: What it answers; the student must answer the same, or it would be taught other things' names.
    """

    def put(experiment: Experiment) -> None:
        adopt = getattr(experiment.method, "adopt_teacher", None)
        if adopt is None:
            raise RunError(f"{type(experiment.method).__name__} takes no teacher; use a distillation recipe")
        if experiment.spec.outputs.names != answers.names:
            theirs, ours = (shorten(", ".join(found.names), 60) for found in (answers, experiment.spec.outputs))
            raise ConfigError(
                f"the teacher answers {theirs or 'no classes'}, the student's data have {ours or 'no classes'}: "
                "expected the same labels in the same order; train the teacher on these data"
            )
        adopt(teacher)

    return put
