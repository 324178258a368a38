"""A plain convolutional network for small images."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["SmallCNN"]


class SmallCNN(nn.Module):
    """Stages of convolution, batch normalization and ReLU with max-pools between: a sound start on one's own images.

    Each stage holds ``depth`` 3 x 3 convolutions of one width (the style of Simonyan & Zisserman 2015,
    arXiv:1409.1556); a 2 x 2 max-pool stands between two stages, global average pooling after the last, so any image
    size works.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``; H and W at least ``2 ** (len(channels) - 1)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Channels of each stage.
            depth: Convolutions in each stage.
            dropout: Share of the pooled features dropped in training.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)
        depths: ClassVar[tuple[str, ...]] = ("depth",)

        channels: tuple[int, ...] = (32, 64, 128)
        depth: int = Field(default=1, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> SmallCNN.Config:
            if not self.channels or min(self.channels) < 1:
                raise ValueError("channels needs at least one stage, all positive")
            return self

    def __init__(self, config: SmallCNN.Config) -> None:
        super().__init__()
        width = config.in_channels
        stages: list[nn.Module] = []
        for number, channels in enumerate(config.channels):
            layers = OrderedDict[str, nn.Module]()
            if number:
                layers["pool"] = nn.MaxPool2d(2)
            for at in range(1, config.depth + 1):
                layers[f"conv{at}"] = nn.Conv2d(width, channels, 3, padding=1, bias=False)
                layers[f"norm{at}"] = nn.BatchNorm2d(channels)
                layers[f"relu{at}"] = nn.ReLU()
                width = channels
            stages.append(nn.Sequential(layers))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.dropout(self.flatten(self.pool(self.stages(images)))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stages.0", "features": "stages", "head": "head"}
