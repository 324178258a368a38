"""Learning without a gradient: the model counts, or solves, as batches pass by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.method import Feed, Logs, Method, Update

__all__ = ["ClosedForm", "Learner"]


@runtime_checkable
class Learner(Protocol):
    """A model that learns from a batch by itself; what it learned lies in its buffers."""

    def absorb(
        self,
        inputs: Any,
        targets: Any,
        *,
        weights: Tensor | None,
        sum_ranks: Callable[[list[Tensor]], None],
    ) -> None:
        """Learn from a batch.

        Args:
            inputs: What the model takes.
            targets: What the task compares with.
            weights: ``(B,)`` weights of the examples, or None for all ones.
            sum_ranks: Adds a list of tensors over all processes in place; each process sees its own share of a batch.
        """
        ...


class ClosedForm(Method):
    """Let a model absorb each batch once; there are no players and no optimizers.

    A run takes as many steps as one epoch has batches (``epochs=1``).
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: A :class:`Learner`.
            task: What its output means.
        """

        model: ModelConfig
        task: TaskConfig

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            if run.epochs > 1:
                return f"epochs={run.epochs}: one pass is all a closed-form learner counts; set epochs=1"
            if run.clip_norm:
                return f"clip_norm={run.clip_norm:g}: a closed-form learner has no gradient to clip; leave it out"
            if run.micro_batches > 1:
                return f"micro_batches={run.micro_batches}: a closed-form learner takes batches whole; leave it out"
            if run.precision == "bf16":
                return "precision='bf16': a closed-form learner counts in float64; leave it out"
            return ""

    def __init__(self, config: ClosedForm.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()
        if not isinstance(self.model, Learner):
            raise ConfigError(f"{config.model!r} has no absorb(inputs, targets); learn it with the method supervised")
        if any(parameter.requires_grad for parameter in self.parameters()):
            raise ConfigError(f"{config.model!r} or its task needs gradients; learn it with the method supervised")

    def players(self) -> dict[str, dict[str, Any]]:
        """Return no players: nothing is learned by gradients."""
        return {}

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        self.model.absorb(batch.inputs, batch.targets, weights=batch.weights, sum_ranks=update.sum_ranks)
        return {}
