"""Supervised learning: one network, one loss, one step per batch."""

from __future__ import annotations

from netsmith.core.roles import MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss

__all__ = ["Supervised"]


class Supervised(Method):
    """Fit a model to a task's targets, a batch at a time; the method of most systems.

    Its one player is ``model``: the network's parameters, and the task's where it has some.
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: The network.
            task: What its output means.
        """

        model: ModelConfig
        task: TaskConfig

    def __init__(self, config: Supervised.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self._loss, next(feed))

    def _loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.model(batch.inputs), batch.targets, batch.weights)
