"""A discriminator of points: a multilayer perceptron to one logit (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.models._perceptron import Activation, perceptron

__all__ = ["MlpDiscriminator"]


class MlpDiscriminator(nn.Module):
    """Tell real points from generated ones; the opponent of :mod:`netsmith.models.generative.mlp_generator`.

    The output is the logit of the paper's ``D(x)``. There is no batch normalization, so a point is judged alone.

    Shapes:
        ``(B, in_features)`` to ``(B,)``.
    """

    class Config(ModelConfig):
        """The layers.

        Attributes:
            hidden: Sizes of the hidden layers.
            activation: Between the layers.
            in_features: Numbers per point.
        """

        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[PositiveInt, ...] = Field(default=(128, 128), min_length=1)
        activation: Activation = "leaky_relu"
        in_features: int | Auto = AUTO

    def __init__(self, config: MlpDiscriminator.Config) -> None:
        super().__init__()
        self.layers = perceptron((int(config.in_features), *config.hidden, 1), activation=config.activation)

    def forward(self, points: Tensor) -> Tensor:
        """Return the logit that each point is real."""
        return self.layers(points).squeeze(-1)
