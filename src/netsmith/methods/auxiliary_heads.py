"""Training with auxiliary heads: classifiers in the middle of a network that feed its lower layers with gradients."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss

__all__ = ["AuxiliaryHeads"]


class _Headed(Protocol):
    """What the network must offer besides its logits when called."""

    auxiliary: nn.Module | None

    def auxiliary_logits(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits, and those of each auxiliary head."""
        ...


class AuxiliaryHeads(Method):
    r"""Fit a network and the heads in its middle to the same targets; afterwards the heads are not used.

    .. math:: L = L_{task}(z, y) + w \sum_h L_{task}(z_h, y)

    Szegedy et al. 2015 (arXiv:1409.4842, section 5: w = 0.3, two heads); Szegedy et al. 2016 (arXiv:1512.00567, section
    4: one head, and what it does is to regularize; public code weighs it by 0.4).

    Args:
        config: The fields below.
        spec: The schema of the data.

    Raises:
        ConfigError: The network was built without auxiliary heads.
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: A network with ``auxiliary=True`` (googlenet, inception_v3).
            task: What its output means.
            weight: Of each auxiliary head's loss.
        """

        model: ModelConfig
        task: TaskConfig
        weight: float = Field(default=0.3, ge=0)

    model: _Headed

    def __init__(self, config: AuxiliaryHeads.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        if not getattr(config.model, "auxiliary", False):
            raise ConfigError(
                f"auxiliary_heads trains networks with auxiliary heads, and this {config.model.kind_name()} has none; "
                "set method.model.auxiliary=true (googlenet, inception_v3), or take the method supervised"
            )
        self.model = config.model.build()
        self.task = config.task.build()

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self._loss, next(feed))

    def _loss(self, batch: Batch) -> Loss:
        logits, others = self.model.auxiliary_logits(batch.inputs)
        loss = self.task.loss(logits, batch.targets, batch.weights)
        beside = (self.task.loss(other, batch.targets, batch.weights).total for other in others)
        return Loss(loss.total + self.config.weight * sum(beside), loss.weight)
