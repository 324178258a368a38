"""Learning without a gradient: the model counts as batches pass by, or solves when it has all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.method import Feed, Logs, Update
from netsmith.methods._gradient_free import Keeping, idle_setting, refuse_gradients

__all__ = ["ClosedForm", "Learner", "Solver"]


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


@runtime_checkable
class Solver(Protocol):
    """A model that learns from all examples at once; what it learned lies in its buffers."""

    def fit(self, inputs: Any, targets: Any, *, weights: Tensor | None) -> None:
        """Learn from the examples alone, whatever was learned before.

        Args:
            inputs: What the model takes.
            targets: What the task compares with.
            weights: ``(B,)`` weights of the examples, or None for all ones.
        """
        ...


class ClosedForm(Keeping):
    """Let a model learn from each batch once; there are no players and no optimizers.

    A :class:`Learner` absorbs each batch as it comes. For a :class:`Solver` the batches are kept until the last step,
    which fits it to all of them: the result does not depend on the size of the batches, and before that step the model
    has learned nothing. A run takes as many steps as one epoch has batches (``epochs=1``).

    Raises:
        UnsupportedError: A solver in more than one process: each sees its own share of the examples only.
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: A :class:`Learner` or a :class:`Solver`.
            task: What its output means.
        """

        model: ModelConfig
        task: TaskConfig

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            return idle_setting(run, "a closed-form learner", computes="counts in float64", once="counts")

    def __init__(self, config: ClosedForm.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()
        if not isinstance(self.model, Learner | Solver):
            raise ConfigError(
                f"{config.model!r} has no absorb(inputs, targets) and no fit(inputs, targets); learn it with the "
                "method supervised"
            )
        refuse_gradients(self, config.model, instead="supervised")
        self.kept: list[dict[str, Tensor]] = []

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        if isinstance(self.model, Learner):
            self.model.absorb(batch.inputs, batch.targets, weights=batch.weights, sum_ranks=update.sum_ranks)
            return {}
        weights = {} if batch.weights is None else {"weights": batch.weights}
        part = {"inputs": batch.inputs, "targets": batch.targets, **weights}
        if self.keep(part, update, whole=f"{self.config.model!r} is fitted to all examples at once"):
            whole = {name: torch.cat([each[name] for each in self.kept]) for name in self.kept[0]}
            self.kept = []
            self.model.fit(whole["inputs"], whole["targets"], weights=whole.get("weights"))
        return {}
