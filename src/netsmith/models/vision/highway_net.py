"""A highway network (Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387 and arXiv:1507.06228)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.highway import Highway, plain_layer
from netsmith.layers.initialization import he_initialize

__all__ = ["HighwayNet"]

SIZES = {"highway_net_plain": {"highway": False, "width": 71}}

_BIAS = -4.0


class HighwayNet(nn.Module):
    """A very deep, thin network on flattened images: one plain layer, highway layers of one width, a softmax head.

    The fully connected networks that the paper compares on MNIST: a first plain layer and 9, 19, 49 or 99 highway
    layers of 50 units behind it. The control ``highway_net_plain`` has plain layers of 71 units in their place: 5,112
    parameters a layer against 5,100. At 50 layers, 784 pixels and 10 classes 289,660 parameters, the control 306,943.

    Weights are drawn as in :class:`~netsmith.layers.highway.Highway` and
    :func:`~netsmith.layers.initialization.he_initialize`. So drawn, 50 plain ReLU layers keep the size of a gradient
    but turn nearly all of it into one direction; with weights half as large it falls to 1e-15. 49 highway layers hand
    0.34 of it on either way, in many directions. That takes the bias of -4: with -2 it is 0.01, in one direction.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)``.

    Example:
        >>> import torch
        >>> HighwayNet.Config(depth=10, in_features=784, num_classes=10).build()(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            depth: Layers with an activation, counted as in the paper: the first plain one and ``depth - 1`` highway
                layers; the head is not counted.
            width: Units of each of them.
            highway: Highway layers; else plain ones (the control).
            activation: Of every H and of the first layer; the paper searches both.
            transform_bias: First bias of the transform gates, at most 0; the paper searches -1 to -10, lower for deeper
                networks. For highway layers only.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table")
        widths: ClassVar[tuple[str, ...]] = ("width",)
        depths: ClassVar[tuple[str, ...]] = ("depth",)
        published: ClassVar[Mapping[str, int]] = {"in_features": 784, "num_classes": 10}

        depth: int = Field(default=50, ge=1)
        width: int = Field(default=50, ge=1)
        highway: bool = True
        activation: Literal["relu", "tanh"] = "relu"
        transform_bias: float = Field(default=_BIAS, ge=-20, le=0)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> HighwayNet.Config:
            if not self.highway and self.transform_bias != _BIAS:
                raise ValueError(
                    f"transform_bias={self.transform_bias} applies to highway=True only: plain layers have no gates; "
                    "leave it out"
                )
            return self

    def __init__(self, config: HighwayNet.Config) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.projection = plain_layer(config.in_features, config.width, activation=config.activation)
        self.layers = nn.Sequential(*[_layer(config) for _ in range(config.depth - 1)])
        self.head = nn.Linear(config.width, config.num_classes)
        he_initialize(self.head, nonlinearity="linear")

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.layers(self.projection(self.flatten(inputs))))

    def landmarks(self) -> dict[str, str]:
        """Return where the first layer, the last hidden layer and the head are."""
        return {"stem": "projection", "features": "layers", "head": "head"}


def _layer(config: HighwayNet.Config) -> nn.Module:
    if not config.highway:
        return plain_layer(config.width, config.width, activation=config.activation)
    return Highway(config.width, activation=config.activation, transform_bias=config.transform_bias)
