"""A generator of points: a multilayer perceptron from noise to a sample (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.models._perceptron import Activation, perceptron

__all__ = ["MlpGenerator"]


class MlpGenerator(nn.Module):
    """Map standard normal noise to samples; for low-dimensional data without structure in space or time.

    Our latents are the paper's ``z``, the output its ``G(z)``. There is no batch normalization, so a sample depends on
    its own noise alone.

    Shapes:
        ``(B, latent_size)`` to ``(B, num_outputs)``.
    """

    class Config(ModelConfig):
        """The layers.

        Attributes:
            latent_size: How many noise numbers make one sample.
            hidden: Sizes of the hidden layers.
            activation: Between the layers.
            num_outputs: Numbers per sample.
        """

        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        latent_size: PositiveInt = 16
        hidden: tuple[PositiveInt, ...] = Field(default=(128, 128), min_length=1)
        activation: Activation = "relu"
        num_outputs: int | Auto = AUTO

    def __init__(self, config: MlpGenerator.Config) -> None:
        super().__init__()
        sizes = (config.latent_size, *config.hidden, int(config.num_outputs))
        self.layers = perceptron(sizes, activation=config.activation)

    def forward(self, latents: Tensor) -> Tensor:
        """Return one sample per row of noise."""
        return self.layers(latents)
