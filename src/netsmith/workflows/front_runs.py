"""The trainings of a compression to a budget: each is made once, and found again by what makes it differ."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.api import training
from netsmith.compress.surgery import apply_surgery
from netsmith.core.errors import DivergedError
from netsmith.engine import checkpoint
from netsmith.engine.experiment import Experiment
from netsmith.methods._logit_cache import SharedAnswers
from netsmith.methods.distillation import Distillation
from netsmith.report.tables import percent_text
from netsmith.workflows.tuning import Hooks, cut_into, epochs_of, tuning

if TYPE_CHECKING:
    from torch import nn

    from netsmith.api.run import Run
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["ALPHA", "SCRATCH", "Control", "Pace", "Trainer", "controls_of", "words_of"]

ALPHA = 0.9
"""The original's share in the loss of what it teaches."""

SCRATCH = "scratch"
"""The kind of a run that begins with fresh weights."""


@dataclass
class Pace:
    """How long the trainings of one compression took so far.

    Attributes:
        seconds: Of all of them.
        epochs: Of all of them.
    """

    seconds: float = 0.0
    epochs: int = 0

    def left(self, epochs: int) -> str:
        """Return about how long so many more epochs take, as the end of a notice; nothing before the first training."""
        return f"; about {self.seconds / self.epochs * epochs / 60:.0f} min left for these" if self.epochs else ""


@dataclass(frozen=True)
class Trainer:
    """Makes and finds again the runs of one compression.

    Attributes:
        run: The original.
        epochs: Of each training that goes on from the original's weights.
        hooks: Hooks for each training.
        notice: Where one-line notices go.
        slower: The learning rate of what is tuned over the run's own.
        answers: What the original said so far: trainings of one seed see the same batches, and ask once.
        pace: How long trainings took so far.
    """

    run: Run
    epochs: int
    hooks: Hooks | None
    notice: Callable[[str], None]
    slower: float = 0.3
    answers: SharedAnswers = field(default_factory=SharedAnswers)
    pace: Pace = field(default_factory=Pace)

    @cached_property
    def original(self) -> str:
        """What tells this original from another one under its name: the hash of its experiment and weights."""
        return self.run.found.config.sha256() + checkpoint.tensors_sha256(self.run.network.module.state_dict())

    def length(self, kind: str = "") -> int:
        """Return how many epochs a training takes: from scratch as many as the original took."""
        return epochs_of(self.run) if kind == SCRATCH else self.epochs

    def folder(self, *, widths: Mapping[str, int], seed: int, alpha: float, kind: str = "") -> Path:
        """Return the folder of the run that :meth:`train` makes or finds."""
        epochs = 0 if kind == SCRATCH else self.epochs
        name = json.dumps([self.original, sorted(widths.items()), kind, seed, alpha, epochs, self.slower])
        return self.run.path.with_name(f"{self.run.path.name}-{hashlib.sha256(name.encode()).hexdigest()[:8]}")

    def finished(self, *, widths: Mapping[str, int], seed: int, alpha: float, kind: str = "") -> bool:
        """Return whether :meth:`train` finds a finished run."""
        return (self.folder(widths=widths, seed=seed, alpha=alpha, kind=kind) / "evaluation.json").is_file()

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
            kind: What else tells this run from others of the same widths; :data:`SCRATCH` for fresh weights, which
                train as the original did: as long, and at its learning rate.
        """
        from netsmith.api.run import load, resume

        scratch = kind == SCRATCH
        found = tuning(self.run, epochs=0 if scratch else self.epochs, slower=1.0 if scratch else self.slower)
        config = found.config.derive(seed=seed)
        config = config.derive(method=config.method.derive(alpha=alpha))
        path = self.folder(widths=widths, seed=seed, alpha=alpha, kind=kind)
        more = self.hooks(role) if self.hooks else ()
        code = self.run.code or "" if found.code else ""
        if (path / "evaluation.json").is_file():
            self.notice(f"{role}: using the finished run")
            return load(path, code=code, notice=self.notice)
        if checkpoint.folders(path / "checkpoints"):
            self.notice(f"{role}: going on with the run that was cut")
            return resume(path, code=code, hooks=more, notice=self.notice)
        shutil.rmtree(path, ignore_errors=True)  # cut before its network was saved: it would go on with another one
        begin = time.perf_counter()
        path = training.begin(
            replace(found, config=config),
            root=path.parent,
            name=path.name,
            hooks=more,
            prepare=prepare,
            notice=self.notice,
        )
        self.pace.seconds += time.perf_counter() - begin
        self.pace.epochs += self.length(kind)
        return load(path, code=code, notice=self.notice)


@dataclass(frozen=True)
class Control:
    """One way to a network of the recommended shape, over seeds.

    Attributes:
        kind: The way, in words.
        runs: By seed; one that diverged is left out.
        accuracies: By seed.
    """

    kind: str
    runs: Mapping[str, Run]
    accuracies: Mapping[str, float]

    @property
    def name(self) -> str:
        """Return how it stands in a table."""
        return f"{self.kind}, mean of {len(self.accuracies)}"

    @property
    def mean(self) -> float:
        """Return the mean accuracy over the seeds."""
        return sum(self.accuracies.values()) / len(self.accuracies)


def controls_of(
    trainer: Trainer, cut: tuple[nn.Module, SurgeryLog], widths: Mapping[str, int], *, seeds: int
) -> list[Control]:
    """Train the ways to a network of these widths, the recommended one first; a way that always diverges is left out.

    What is pruned holds the original's training and is tuned after it; what begins from scratch trains as long as the
    original did.

    Args:
        trainer: Makes the runs.
        cut: The cut network and its log.
        widths: Its widths.
        seeds: Seeds of each way, from the original's on.
    """
    run, first = trainer.run, trainer.run.found.config.seed

    def fresh(experiment: Experiment) -> Any:
        method = experiment.method
        assert isinstance(method, Distillation)
        method.adopt_teacher(run.network.module, shared=trainer.answers)
        method.model = apply_surgery(method.model, cut[1])  # the zoo's own first weights, at these widths
        return cut[1].to_json()

    ways: dict[str, tuple[training.Prepare, float, str]] = {
        "pruned and taught": (cut_into(run, cut, shared=trainer.answers), ALPHA, ""),
        "pruned, not taught": (cut_into(run, cut), 0.0, ""),
        "from scratch, taught": (fresh, ALPHA, SCRATCH),
        "from scratch": (fresh, 0.0, SCRATCH),
    }
    todo = {
        (way, seed): trainer.length(kind)
        for way, (_, alpha, kind) in ways.items()
        for seed in range(first, first + seeds)
        if not trainer.finished(widths=widths, seed=seed, alpha=alpha, kind=kind)
    }
    total = len(todo)
    found = []
    for way, (prepare, alpha, kind) in ways.items():
        runs: dict[str, Run] = {}
        for seed in range(first, first + seeds):
            role = f"{way}, seed {seed}"
            if (way, seed) in todo:
                left = trainer.pace.left(sum(todo.values()))
                trainer.notice(f"control {total - len(todo) + 1} of {total}{left}")
                del todo[way, seed]
            try:
                runs[str(seed)] = trainer.train(role, prepare, widths=widths, seed=seed, alpha=alpha, kind=kind)
            except DivergedError as error:
                trainer.notice(f"{role} is left out: {error}")
        figures = {seed: one.figures() for seed, one in runs.items()}
        values = {seed: one.get("test/accuracy", one.get("dev/accuracy")) for seed, one in figures.items()}
        accuracies = {seed: value for seed, value in values.items() if value is not None}
        if accuracies:
            found.append(Control(way, runs, accuracies))
    return found


def words_of(controls: list[Control]) -> list[str]:
    """Return the spread of each control, and a line where a simpler way than the recommended wins."""
    if not controls:
        return []
    spans = [(control, min(control.accuracies.values()), max(control.accuracies.values())) for control in controls]
    lines = [f"{control.name}: {percent_text(low)} to {percent_text(high)}" for control, low, high in spans]
    ours, winner = controls[0], max(controls, key=lambda control: control.mean)
    if winner.mean > ours.mean:
        by = percent_text(winner.mean - ours.mean, digits=2)
        lines.append(f"A simpler way wins here: {winner.name}, by {by}.")
    return lines
