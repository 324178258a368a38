"""Learning by a rule of the model's own: perceptron, Hebb, contrastive divergence, backpropagation by hand."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from netsmith.core.errors import ConfigError, DivergedError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, ScheduleConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.methods._gradient_free import Stepping, idle_setting, refuse_gradients

__all__ = ["LearningRule", "RuledLearner"]


@runtime_checkable
class RuledLearner(Protocol):
    """A model that changes itself from a batch by a rule of its own; what it learned lies in its buffers."""

    def learn(self, batch: Batch, *, rate: float) -> Logs:
        """Change the buffers in place.

        Args:
            batch: What it learns from; whatever is random is drawn from its ``keys``, so that a resume is exact.
            rate: The learning rate of this step.

        Returns:
            Figures for the log, all finite (mistakes, energies, a loss).
        """
        ...


class LearningRule(Stepping):
    r"""Hand each batch to the model, with a learning rate; there are no players and no optimizers.

    For learners older than the gradient, or beside it: the perceptron's rule, least mean squares, Hebb's rule,
    contrastive divergence, backpropagation written by hand. Unlike ``closed_form``, which absorbs each example once,
    it may see the data as often as wanted. The rate of step t of T is :math:`\eta \cdot s(t, T)`, s the schedule's
    factor. One process only: the rules are not sums over examples, so the work of several could not be added up.

    Raises:
        ConfigError: The model has no such rule, or has parameters that wait for a gradient.
        UnsupportedError: More than one process.
        DivergedError: A figure of the rule, or what the model learned, is NaN or infinite; the model is as before.
    """

    class Config(MethodConfig):
        """What is learned, and how fast.

        Attributes:
            model: A :class:`RuledLearner`.
            task: What its output means.
            rate: Learning rate, in the unit of the rule.
            schedule: The factor on the rate; None for none.
        """

        model: ModelConfig
        task: TaskConfig
        rate: float = Field(default=1.0, gt=0)
        schedule: ScheduleConfig | None = None

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            return idle_setting(run, "a learning rule", computes="computes in the precision of its model")

    def __init__(self, config: LearningRule.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()
        self.schedule: Any = config.schedule.build() if config.schedule else None
        if not isinstance(self.model, RuledLearner):
            raise ConfigError(f"{config.model!r} has no learn(batch, rate=...); learn it with the method supervised")
        refuse_gradients(self, config.model, instead="supervised")

    def step(self, feed: Feed, update: Update) -> Logs:
        self.refuse_company(update, what="a learning rule runs in", leave="leave out torchrun")
        taken = int(self.taken)
        factor = self.schedule.factor(taken, update.steps) if self.schedule else 1.0
        learned = dict([*self.model.named_buffers(), *self.model.named_parameters()])
        before = {name: value.clone() for name, value in learned.items()}
        logs = self.model.learn(next(feed), rate=self.config.rate * factor)
        bad = [name for name, value in logs.items() if not math.isfinite(value)]
        bad += [name for name, value in learned.items() if not value.isfinite().all()]
        if bad:
            for name, value in learned.items():
                value.copy_(before[name])
            raise DivergedError(
                f"{bad[0]} became NaN or infinite at step {taken}; the last checkpoint is good. Lower the rate "
                f"(method.rate={self.config.rate:g})"
            )
        self.taken += 1
        return logs
