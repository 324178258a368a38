"""Supervised learning: one network, one loss, one step per batch."""

from __future__ import annotations

from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss
from netsmith.methods._order import from_first_to_last

__all__ = ["Supervised"]


class Supervised(Method):
    """Fit a model to a task's targets, a batch at a time; the method of most systems.

    Its one player is ``model``: the network's parameters, and the task's where it has some.

    Raises:
        ConfigError: At the first step: the network has parts that this loss does not reach (auxiliary heads, a policy).
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

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return what learns, from the first layer to the last."""
        learned = ((name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad)
        return {"model": from_first_to_last(learned, self.model)}

    def step(self, feed: Feed, update: Update) -> Logs:
        _refuse_untrained(self.config, self.model)  # here: imported networks pass by without being trained
        return self._learn(next(feed), update)

    def _learn(self, batch: Batch, update: Update) -> Logs:
        """Make the step; what a method that goes another way overrides, since :meth:`step` refuses for all."""
        return update("model", self._loss, batch)

    def _loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.model(batch.inputs), batch.targets, batch.weights)


def _refuse_untrained(config: Supervised.Config, model: nn.Module) -> None:
    """Refuse networks with parts that only another method's loss reaches; they would stay as they were drawn.

    Raises:
        ConfigError: Such a network.
    """
    if getattr(config.model, "auxiliary", False):
        raise ConfigError(
            f"{config.kind_name()} would leave the auxiliary heads of {config.model.kind_name()} untrained; set "
            "method.model.auxiliary=false, or take the method auxiliary_heads"
        )
    if getattr(model, "look", None) is not None:
        raise ConfigError(
            f"{config.kind_name()} would leave where {config.model.kind_name()} looks untrained: no gradient reaches "
            "it; take the method hard_attention"
        )
