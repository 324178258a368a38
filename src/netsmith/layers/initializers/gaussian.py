"""Weights from one normal distribution, however wide the layers are (Krizhevsky et al. 2012, section 5)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Gaussian"]


class Gaussian(Drawn):
    r"""Draw with one standard deviation: right for shallow networks; in deep ones the signal dies out, or explodes.

    .. math:: w \sim \mathcal N(\mu, \sigma^2)
    """

    class Config(DrawnConfig):
        """The distribution.

        Attributes:
            std: Its standard deviation.
            mean: Its mean.
        """

        std: float = Field(default=0.01, ge=0)
        mean: float = 0.0

    def __init__(self, config: Gaussian.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:  # noqa: ARG002
        nn.init.normal_(weight, self.config.mean, self.config.std, generator=generator)
