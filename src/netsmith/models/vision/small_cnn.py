"""A plain convolutional network for small images."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["SmallCNN"]


Normalization: TypeAlias = Literal["batch", "group", "layer", "instance", "none"]


class _ResidualLayer(nn.Module):
    """A convolution of one width beside an identity: ``relu(norm(conv(x)) + x)`` (He et al. 2016, Eq. 1)."""

    def __init__(self, conv: nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = conv, norm, nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output, as large as its input."""
        return self.relu(self.norm(self.conv(x)) + x)


class SmallCNN(nn.Module):
    """Stages of convolution, batch normalization and ReLU with max-pools between: a sound start on one's own images.

    Each stage holds ``depth`` 3 x 3 convolutions of one width (the style of Simonyan & Zisserman 2015,
    arXiv:1409.1556); a 2 x 2 max-pool stands between two stages, global average pooling after the last, so any image
    size works. What a CNN is made of can be taken away or added (``normalization``, ``residual``, ``dropout``,
    ``depth``) to see what it gives. Two stages of two layers of 64 and 128 channels without normalization and padding
    are the MNIST network in Keras' introduction: 260,298 parameters.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``; H and W at least ``2 ** (len(channels) - 1)`` with padding.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Channels of each stage.
            depth: Convolutions in each stage.
            dropout: Share of the pooled features dropped in training.
            normalization: After each convolution: over the batch, over groups of channels of each image, over all of
                them (``layer``), over each channel (``instance``), or none (the convolutions then have biases).
            groups: Groups of channels of ``group``.
            padding: Zeros around each image before a convolution; with 0 it comes out smaller by 2.
            residual: Every convolution of a stage but its first adds what it was given.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)
        depths: ClassVar[tuple[str, ...]] = ("depth",)

        channels: tuple[int, ...] = (32, 64, 128)
        depth: int = Field(default=1, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        normalization: Normalization = later("batch")
        groups: int = later(8, ge=1)
        padding: int = later(1, ge=0, le=1)
        residual: bool = later(False)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> SmallCNN.Config:
            if not self.channels or min(self.channels) < 1:
                raise ValueError("channels needs at least one stage, all positive")
            odd = [channels for channels in self.channels if channels % self.groups]
            if self.normalization == "group" and odd:
                raise ValueError(f"groups={self.groups} does not divide {odd[0]} channels")
            if self.normalization != "group" and self.groups != 8:
                raise ValueError(f"groups={self.groups} applies to normalization='group' only; leave it out")
            if self.residual and not self.padding:
                raise ValueError("residual needs padding=1: what is added must be as large as what comes out")
            if self.residual and self.depth == 1:
                raise ValueError(
                    "residual needs a depth of at least 2: the first convolution of a stage has no shortcut"
                )
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
                conv = nn.Conv2d(width, channels, 3, padding=config.padding, bias=config.normalization == "none")
                norm = _norm(config, channels)
                if config.residual and at > 1:
                    layers[f"residual{at}"] = _ResidualLayer(conv, norm)
                else:
                    layers[f"conv{at}"] = conv
                    if config.normalization != "none":
                        layers[f"norm{at}"] = norm
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


def _norm(config: SmallCNN.Config, channels: int) -> nn.Module:
    if config.normalization == "batch":
        return nn.BatchNorm2d(channels)
    if config.normalization == "none":
        return nn.Identity()
    groups = {"group": config.groups, "layer": 1, "instance": channels}[config.normalization]
    return nn.GroupNorm(groups, channels)  # Wu & He 2018: layer and instance normalization are its ends
