"""Every weight the same: what not to do, to be shown."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Constant"]


class Constant(Drawn):
    """Give all weights one value: the units of a layer then answer alike and learn alike, for ever.

    It shows why weights are drawn (Goodfellow, Bengio & Courville 2016, section 8.4).
    """

    class Config(DrawnConfig):
        """The value.

        Attributes:
            value: Every weight.
        """

        value: float = 0.0

    def __init__(self, config: Constant.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:  # noqa: ARG002
        nn.init.constant_(weight, self.config.value)
