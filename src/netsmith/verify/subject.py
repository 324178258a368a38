"""A recipe made small: its synthetic twin, a small batch, a few steps; what the conformance checks work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netsmith.api.experiments import find
from netsmith.api.network import Network
from netsmith.core.cards import Card
from netsmith.core.config import AUTO
from netsmith.core.roles import SourceConfig
from netsmith.engine import checkpoint
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.engine.source import LiveSource, Source
from netsmith.layers.evaluating import evaluating
from netsmith.methods._taught import Taught
from netsmith.methods.fine_tuning import FineTuning, begin_with

__all__ = ["Cut", "Subject", "weights_sha256"]

_BATCH = 6
_SIDE = 32
_TEXT = 6


@dataclass(frozen=True)
class Subject:
    """One recipe under test.

    Attributes:
        name: The recipe, ``name`` or ``name:variant``.
        config: Its experiment on the twin, with a small batch and few steps.
        card: Its card.
        whole: Steps of which a run must have a multiple, where its data come in a sequence; 1 for any number.
    """

    name: str
    config: Experiment.Config
    card: Card
    whole: int = 1

    @classmethod
    def of(cls, name: str, *, steps: int = 6) -> Subject:
        """Take a recipe of the catalogue and make it small.

        Args:
            name: The recipe.
            steps: Of its runs; where its data come in a sequence, those of the whole of it.
        """
        found = find(name)
        small: dict[str, Any] = {"twin": True}
        fields = type(found.config.data).model_fields
        small |= {name: _BATCH for name in ("batch", "evaluation_batch") if name in fields}
        if "image_size" in fields:  # what holds for small pictures holds for large ones, in a quarter of the time
            small["image_size"] = min(_SIDE, found.config.data.image_size)  # type: ignore[attr-defined]
        data = found.config.data.derive(**small)
        whole = data.whole_run * _batches(data) if data.whole_run else 1
        steps = steps if whole == 1 else whole
        method = found.config.method.within(steps)
        # So short that a file of its search, a step after a step, is small; of drawn sets the answers have a length.
        if "longest" in type(method).model_fields and "most" not in fields:
            method = method.derive(longest=_TEXT)
        changes: dict[str, Any] = {"data": data, "method": method, "steps": steps}
        changes |= {"epochs": 0, "device": "cpu", "workers": 0, "compile": False, "precision": "fp32"}
        changes |= {"evaluate_every": steps, "checkpoint_every": steps}
        return cls(name, found.config.derive(**changes), found.card or Card(paper="none"), whole)

    def experiment(self, **changes: Any) -> Experiment:
        """Build it, with some fields changed; weights that come from outside (a teacher's, a start's) are untrained."""
        if isinstance(changes.get("steps"), int):
            changes["steps"] = -(-changes["steps"] // self.whole) * self.whole
            changes = {"method": self.config.method.within(changes["steps"]), **changes}
        found = Experiment(self.config.derive(**changes) if changes else self.config)
        if isinstance(found.method, Taught) and not found.method.config.teacher_steps:
            found.method.adopt_teacher(found.method.teacher)
        if isinstance(found.method, FineTuning):
            begin_with(found, found.method.model.state_dict(), same_answers=False)
        return found

    def engine(self, *, path: Path | None = None, hooks: tuple[Hook, ...] = (), **changes: Any) -> Engine:
        """Build it and its engine."""
        return Engine(self.experiment(**changes), checkpoints=path, hooks=hooks)

    def network(self, engine: Engine) -> Network:
        """Return the product as predict, export and serve take it."""
        method = engine.method
        return Network(method.product(), method.product_spec(engine.experiment.spec), task=method.task, name="product")

    def losses(self, steps: int, *, nudge: float = 0.0, **changes: Any) -> list[float]:
        """Return the first losses of a run: the golden curve by which a change of numbers is seen.

        A learner that logs none, since it counts or is fitted at once, answers for what it has learned in the end:
        the losses of as many equal parts of the dev split (without one: of the test split, or else the train split).

        Args:
            steps: How many, at most those of the config; all of a run over a sequence.
            nudge: Each first weight is moved by this share of itself, more or less: what rounding may do.
            changes: Of the experiment.
        """
        found: list[float] = []
        told = False

        class Record(Hook):
            def start(self, engine: Engine) -> None:
                generator = torch.Generator().manual_seed(0)
                with torch.no_grad():
                    for weight in engine.method.parameters() if nudge else ():
                        weight.mul_(1 + nudge * torch.randn(weight.shape, generator=generator, dtype=torch.float64))

            def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:  # noqa: ARG002
                nonlocal told
                told = told or bool(logs)
                found.append(sum(logs.values()))

        steps = min(steps, int(self.config.steps))
        changes = {"steps": steps, "evaluate_every": AUTO, "checkpoint_every": AUTO, **changes}
        engine = self.engine(hooks=(Record(),), **changes)
        engine.fit()
        return found if told else _final_losses(engine, steps)

    def live(self) -> bool:
        """Say whether its source is a live one."""
        return isinstance(self.config.data.build(), LiveSource)


def _batches(data: SourceConfig) -> int:
    source: Source = data.build()
    return len(source.order("train", seed=0, epoch=0))


def _final_losses(engine: Engine, parts: int) -> list[float]:
    """Return the mean loss of the product on each of some equal parts of a split that it did not learn from."""
    method, source = engine.method, engine.source
    assert isinstance(source, Source)
    split = next(name for name in ("dev", "test", "train") if name in source.splits())
    found = []
    with evaluating(method), torch.no_grad():
        examples = torch.cat(list(source.order(split, seed=0, epoch=0)))
        for indices in examples.tensor_split(min(parts, len(examples))):
            batch = engine.move(source.load(split, indices))
            total, weight = method.task.loss(method.product()(batch.inputs), batch.targets)
            found.append(float(total) / float(weight))
    return found


class Cut(Hook):
    """Cuts a run as a crash would, by an exception: after a given step, or just after the checkpoint of that step."""

    order = 100

    class Crash(Exception):
        """The crash."""

    def __init__(self, at: int, *, after_save: bool = False) -> None:
        self.at = at
        self.after_save = after_save

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:  # noqa: ARG002
        if not self.after_save and engine.step == self.at:
            raise self.Crash

    def before_step(self, engine: Engine) -> None:
        if self.after_save and engine.step == self.at:
            raise self.Crash

    @classmethod
    def run(cls, engine: Engine) -> None:
        """Run until the crash."""
        try:
            engine.fit()
        except cls.Crash:
            return
        raise AssertionError("the run was to be cut and was not")


def weights_sha256(engine: Engine) -> str:
    """Return the hash of everything a finished run has learned: parameters, buffers, optimizer."""
    snapshot = engine.snapshot()
    tensors: dict[str, Tensor] = dict(snapshot.weights)
    checkpoint.split_tensors(snapshot.states["method"], "method", tensors)
    return checkpoint.tensors_sha256(tensors | snapshot.optimizer)


Check = Callable[[Subject, Path], None]
Step = Callable[[], Logs]
