"""A student of depthwise-separable blocks (the factorization of Howard et al. 2017, arXiv:1704.04861)."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["StudentNet"]

_ACTIVATIONS = {"relu6": nn.ReLU6, "relu": nn.ReLU}


class StudentNet(nn.Module):
    """A small, fast network to distil a larger one into; images of any size.

    The stem is a 3 x 3 convolution, batch normalization and ReLU6. Each block is a depthwise 3 x 3 convolution, batch
    normalization, ReLU6 and a pointwise (1 x 1) convolution; with ``activate_pointwise`` one more normalization and
    ReLU6 follow, as in MobileNet. ``activation="relu"`` is faster under ONNX Runtime in full precision. Stem and blocks
    named in ``pools`` end with a 2 x 2 max-pool. Global average pooling and one linear layer follow. A block costs
    ``1/N + 1/9`` of a plain 3 x 3 convolution to N channels (Eq. 5).

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``; H and W at least ``2 ** len(pools)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Channels of the stem, then of each block.
            pools: Which of them (0 is the stem, 1 the first block) end with a 2 x 2 max-pool.
            stem_stride: Stride of the stem's convolution.
            activation: After each normalization.
            activate_pointwise: Normalize and activate after the pointwise convolutions too.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)

        channels: tuple[int, ...] = (16, 32, 64, 128)
        pools: tuple[int, ...] = (0, 1, 2)
        stem_stride: int = Field(default=1, ge=1)
        activation: Literal["relu6", "relu"] = "relu6"
        activate_pointwise: bool = False
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> StudentNet.Config:
            if not self.channels or min(self.channels) < 1:
                raise ValueError("channels needs at least the stem's, all positive")
            if len(set(self.pools)) != len(self.pools) or any(not 0 <= at < len(self.channels) for at in self.pools):
                raise ValueError(f"pools must name different places in 0..{len(self.channels) - 1}, got {self.pools}")
            return self

    def __init__(self, config: StudentNet.Config) -> None:
        super().__init__()
        width = config.channels[0]
        stem = OrderedDict[str, nn.Module](
            conv=nn.Conv2d(config.in_channels, width, 3, stride=config.stem_stride, padding=1, bias=False),
            norm=nn.BatchNorm2d(width),
            activation=_ACTIVATIONS[config.activation](),
        )
        self.stem = nn.Sequential(_pooled(stem, pool=0 in config.pools))
        blocks: list[nn.Module] = []
        for place, out_channels in enumerate(config.channels[1:], start=1):
            block = _separable(width, out_channels, config)
            blocks.append(nn.Sequential(_pooled(block, pool=place in config.pools)))
            width = out_channels
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.flatten(self.pool(self.blocks(self.stem(images)))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem", "features": "blocks", "head": "head"}


def _separable(in_channels: int, out_channels: int, config: StudentNet.Config) -> OrderedDict[str, nn.Module]:
    layers = OrderedDict[str, nn.Module](
        depthwise=nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False),
        norm=nn.BatchNorm2d(in_channels),
        activation=_ACTIVATIONS[config.activation](),
        pointwise=nn.Conv2d(in_channels, out_channels, 1, bias=not config.activate_pointwise),
    )
    if config.activate_pointwise:
        layers["pointwise_norm"] = nn.BatchNorm2d(out_channels)
        layers["pointwise_activation"] = _ACTIVATIONS[config.activation]()
    return layers


def _pooled(layers: OrderedDict[str, nn.Module], *, pool: bool) -> OrderedDict[str, nn.Module]:
    if pool:
        layers["pool"] = nn.MaxPool2d(2)
    return layers
