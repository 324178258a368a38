"""Weights by the number of a layer's inputs and outputs (Glorot & Bengio 2010, "Xavier")."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Xavier"]


class Xavier(Drawn):
    r"""Keep the variance of activations and of gradients alike, between the two; for tanh and its kin.

    .. math:: w \sim \mathcal N\left(0, \frac{2 g^2}{n_i + n_o}\right) \quad\text{or}\quad
              w \sim U\left(\pm g \sqrt{\frac{6}{n_i + n_o}}\right)

    ``g`` is ``gain``: 1 for tanh, and 4 for the logistic function, whose slope at 0 is a quarter (16 times the
    variance, 4 times the bounds). Under ReLU half the variance is lost in every layer: take ``he``.
    """

    class Config(DrawnConfig):
        """The distribution.

        Attributes:
            distribution: Its form.
            gain: Factor on every weight.
        """

        distribution: Literal["normal", "uniform"] = "normal"
        gain: float = Field(default=1.0, gt=0)

    def __init__(self, config: Xavier.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:
        std = self.config.gain * math.sqrt(2 / (fans.inputs + fans.outputs))  # Eq. 12
        if self.config.distribution == "normal":
            nn.init.normal_(weight, 0.0, std, generator=generator)
        else:
            bound = math.sqrt(3) * std  # Eq. 16
            nn.init.uniform_(weight, -bound, bound, generator=generator)
