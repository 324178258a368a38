"""The network of MAML's sine waves (Finn, Abbeel & Levine 2017, arXiv:1703.03400, section 5.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.models._perceptron import perceptron

__all__ = ["SineMlp"]


class SineMlp(nn.Module):
    """Regress a curve from its argument with two hidden layers of 40 units and ReLU.

    The authors' code draws the weights from a normal distribution of deviation 0.01 cut at two deviations and starts
    biases from zero; ``truncated_normal`` does the same, the default is torch's own initialization.

    Shapes:
        ``(..., in_features)`` to ``(..., num_outputs)``.
    """

    class Config(ModelConfig):
        """The layers.

        Attributes:
            hidden: Sizes of the hidden layers.
            truncated_normal: Initialize as the authors' code does.
            in_features: Numbers per argument.
            num_outputs: Numbers per value.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("table", "series", "state")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[PositiveInt, ...] = Field(default=(40, 40), min_length=1)
        truncated_normal: bool = False
        in_features: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: SineMlp.Config) -> None:
        super().__init__()
        self.layers = perceptron((int(config.in_features), *config.hidden, int(config.num_outputs)), activation="relu")
        if config.truncated_normal:
            with torch.no_grad():
                for layer in self.layers:
                    if isinstance(layer, nn.Linear):
                        nn.init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)
                        layer.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Return the curve's values."""
        return self.layers(x)
