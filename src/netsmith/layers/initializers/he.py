"""Weights by the number of a layer's inputs, for rectified units (He et al. 2015, arXiv:1502.01852)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["He"]


class He(Drawn):
    r"""Keep the variance of activations (or of gradients) through layers of rectified units.

    .. math:: w \sim \mathcal N\left(0, \frac{2}{(1 + a^2)\, n}\right) \quad\text{or}\quad
              w \sim U\left(\pm \sqrt{\frac{6}{(1 + a^2)\, n}}\right)

    ``a`` is ``slope``: 0 for ReLU, that of leaky and parametric ReLU below 0 (PReLU starts at 0.25), and 1 for linear
    units, which is LeCun's rule (1998). ``n`` is the fan-in, which keeps activations, or the fan-out, which keeps
    gradients; the paper finds either enough.
    """

    class Config(DrawnConfig):
        """The distribution.

        Attributes:
            slope: The slope below 0 of what follows the layers.
            fan: Which numbers are counted: those a unit reads (``in``), or the units that read a number (``out``).
            distribution: Its form.
        """

        slope: float = 0.0
        fan: Literal["in", "out"] = "in"
        distribution: Literal["normal", "uniform"] = "normal"

    def __init__(self, config: He.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:
        count = fans.inputs if self.config.fan == "in" else fans.outputs
        gain = math.sqrt(2 / (1 + self.config.slope**2))
        std = gain / math.sqrt(count)  # Eq. 15; with "out" Eq. 14 in the same form; rounded as torch rounds
        if self.config.distribution == "normal":
            nn.init.normal_(weight, 0.0, std, generator=generator)
        else:
            bound = math.sqrt(3) * std
            nn.init.uniform_(weight, -bound, bound, generator=generator)
