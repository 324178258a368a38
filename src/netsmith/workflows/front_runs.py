"""The trainings of a compression to a budget: each is made once, and found again by what makes it differ."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netsmith.api import training
from netsmith.compress.surgery import apply_surgery
from netsmith.core.errors import DivergedError
from netsmith.engine import checkpoint
from netsmith.engine.experiment import Experiment
from netsmith.methods._logit_cache import SharedAnswers
from netsmith.methods.distillation import Distillation
from netsmith.report.tables import percent_text
from netsmith.workflows.tuning import Hooks, cut_into, tuning

if TYPE_CHECKING:
    from torch import nn

    from netsmith.api.run import Run
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["ALPHA", "Control", "Trainer", "controls_of", "words_of"]

ALPHA = 0.9
"""The original's share in the loss of what it teaches."""


@dataclass(frozen=True)
class Trainer:
    """Makes and finds again the runs of one compression.

    Attributes:
        run: The original.
        epochs: Of each training.
        hooks: Hooks for each training.
        notice: Where one-line notices go.
        slower: The learning rate of what is tuned over the run's own.
        answers: What the original said so far: trainings of one seed see the same batches, and ask once.
    """

    run: Run
    epochs: int
    hooks: Hooks | None
    notice: Callable[[str], None]
    slower: float = 0.3
    answers: SharedAnswers = field(default_factory=SharedAnswers)

    @cached_property
    def original(self) -> str:
        """What tells this original from another one under its name: the hash of its experiment and weights."""
        return self.run.found.config.sha256() + checkpoint.tensors_sha256(self.run.network.module.state_dict())

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

        found = tuning(self.run, epochs=self.epochs, slower=1.0 if kind == "scratch" else self.slower)
        config = found.config.derive(seed=seed)
        config = config.derive(method=config.method.derive(alpha=alpha))
        name = json.dumps([self.original, sorted(widths.items()), kind, seed, alpha, self.epochs, self.slower])
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

    kinds: dict[str, tuple[training.Prepare, float]] = {
        "pruned and taught": (cut_into(run, cut, shared=trainer.answers), ALPHA),
        "pruned, not taught": (cut_into(run, cut), 0.0),
        "from scratch, taught": (fresh, ALPHA),
        "from scratch": (fresh, 0.0),
    }
    found = []
    for kind, (prepare, alpha) in kinds.items():
        runs: dict[str, Run] = {}
        for seed in range(first, first + seeds):
            scratch = "scratch" if prepare is fresh else ""
            role = f"{kind}, seed {seed}"
            try:
                runs[str(seed)] = trainer.train(role, prepare, widths=widths, seed=seed, alpha=alpha, kind=scratch)
            except DivergedError as error:
                trainer.notice(f"{role} is left out: {error}")
        figures = {seed: one.figures() for seed, one in runs.items()}
        values = {seed: one.get("test/accuracy", one.get("dev/accuracy")) for seed, one in figures.items()}
        accuracies = {seed: value for seed, value in values.items() if value is not None}
        if accuracies:
            found.append(Control(kind, runs, accuracies))
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
