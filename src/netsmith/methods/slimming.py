"""Network slimming: training that makes channels tell which of them can go (Liu et al. 2017, arXiv:1708.06519)."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss
from netsmith.methods.supervised import Supervised

__all__ = ["Slimming"]


class Slimming(Supervised):
    r"""Supervised learning with an L1 penalty on the scales of batch normalizations.

    .. math:: L = \sum_{(x, y)} l(f(x, W), y) + \lambda \sum_{\gamma} |\gamma| \qquad \text{(Eq. 1)}

    Use it before pruning by the criterion ``bn_scale``: scales of channels that are not needed go to zero, and cutting
    them costs little. Where a scale is zero its slope is zero too. Weight decay pulls scales as well; turn it off for
    them to see the penalty alone. The loss that is logged holds the penalty.

    Raises:
        ConfigError: The model has no batch normalization with a scale (when it is built).
    """

    class Config(Supervised.Config):
        """What is learned, and how hard scales are pulled.

        Attributes:
            model: The network; it has batch normalizations.
            task: What its output means.
            sparsity: Lambda; the paper takes 1e-5 to 1e-4.
        """

        sparsity: float = Field(default=1e-4, ge=0)

    config: Slimming.Config

    def __init__(self, config: Slimming.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        norms = (part for part in self.model.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm))
        self._scaled = [norm for norm in norms if norm.affine]
        if not self._scaled:
            raise ConfigError(
                f"slimming pulls the scales of batch normalizations, and {config.model.kind_name()} has none; "
                "take the method supervised"
            )

    def _loss(self, batch: Batch) -> Loss:
        loss = super()._loss(batch)
        penalty = sum(norm.weight.abs().sum() for norm in self._scaled)
        # the engine divides by the weight of the batch: a penalty is counted once for each mean, whole or in parts
        return Loss(loss.total + self.config.sparsity * loss.weight * penalty, loss.weight)  # Eq. 1
