"""A convolutional highway network (Srivastava, Greff & Schmidhuber 2015, arXiv:1507.06228)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.highway import HighwayConv
from netsmith.layers.initialization import he_initialize

__all__ = ["HighwayCNN"]

SIZES = {"highway_cnn_thin": {"width": 16}, "highway_cnn_plain": {"highway": False}}

_BIAS = -2.0


class HighwayCNN(nn.Module):
    """Nine convolutions of one width, all but the first with gates, and a softmax layer: the ten layers on MNIST.

    A 2 x 2 max-pool ends each stage, so maps of 28 x 28 become 14, 7 and 3 wide. At 28 pixels and 10 classes 151,178
    parameters, 38,730 of width 16 (``highway_cnn_thin``): the 151 K and 39 K of Table 1. ``highway_cnn_plain`` is the
    control, the same convolutions without gates: 77,194.

    Weights are drawn as in :class:`~netsmith.layers.highway.HighwayConv` and
    :func:`~netsmith.layers.initialization.he_initialize`.

    Deviations: the paper does not say where its pools are; those here give its numbers of parameters.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``.

    Raises:
        ConfigError: The images are too small for the pools.

    Example:
        >>> import torch
        >>> network = HighwayCNN.Config(width=4, in_channels=1, image_size=28, num_classes=10).build()
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            width: Channels of every convolution.
            layers: Convolutions of each stage; the first of all is plain.
            highway: Highway layers; else plain ones (the control).
            transform_bias: First bias of the transform gates, at most 0; the paper searches it. For highway layers
                only.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("width",)
        depths: ClassVar[tuple[str, ...]] = ("layers",)
        per_stage: ClassVar[tuple[str, ...]] = ("layers",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 28, "num_classes": 10}

        width: int = Field(default=32, ge=1)
        layers: tuple[int, ...] = (3, 3, 3)
        highway: bool = True
        transform_bias: float = Field(default=_BIAS, ge=-20, le=0)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> HighwayCNN.Config:
            if not self.layers or min(self.layers) < 1:
                raise ValueError(
                    f"layers needs at least one stage, each of at least one convolution; got {self.layers}"
                )
            if not self.highway and self.transform_bias != _BIAS:
                raise ValueError(
                    f"transform_bias={self.transform_bias} applies to highway=True only: plain layers have no gates; "
                    "leave it out"
                )
            return self

    def __init__(self, config: HighwayCNN.Config) -> None:
        super().__init__()
        side = int(config.image_size) // 2 ** len(config.layers)
        if side < 1:
            raise ConfigError(
                f"HighwayCNN.Config.image_size: {config.image_size} pixels leave nothing after {len(config.layers)} "
                f"pools; expected at least {2 ** len(config.layers)}"
            )
        width, before = config.width, int(config.in_channels)
        stages = []
        for count in config.layers:
            stage = OrderedDict[str, nn.Module]()
            for at in range(1, count + 1):
                if config.highway and (stages or at > 1):
                    stage[f"highway{at}"] = HighwayConv(width, transform_bias=config.transform_bias)
                else:
                    stage[f"conv{at}"] = nn.Conv2d(before, width, 3, padding=1)
                    he_initialize(stage[f"conv{at}"])
                    stage[f"relu{at}"] = nn.ReLU()
                before = width
            stage["pool"] = nn.MaxPool2d(2)
            stages.append(nn.Sequential(stage))
        self.stages = nn.Sequential(*stages)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width * side * side, int(config.num_classes))
        he_initialize(self.head, nonlinearity="linear")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.stages(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the first convolution, the last feature map and the head are."""
        return {"stem": "stages.0.conv1", "features": "stages", "head": "head"}
