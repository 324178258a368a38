"""Weights from one uniform distribution, however wide the layers are."""

from __future__ import annotations

import torch
from pydantic import model_validator
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Uniform"]


class Uniform(Drawn):
    r"""Draw between two bounds: what recurrent networks were long begun with (Sutskever et al. 2014: 0.08).

    .. math:: w \sim U(l, h)
    """

    class Config(DrawnConfig):
        """The bounds.

        Attributes:
            low: The lower one.
            high: The upper one.
        """

        low: float = -0.08
        high: float = 0.08

        @model_validator(mode="after")
        def _check(self) -> Uniform.Config:
            if self.low > self.high:
                raise ValueError(f"low must not lie above high, got {self.low} and {self.high}")
            return self

    def __init__(self, config: Uniform.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:  # noqa: ARG002
        nn.init.uniform_(weight, self.config.low, self.config.high, generator=generator)
