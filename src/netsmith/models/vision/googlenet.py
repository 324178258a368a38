"""GoogLeNet, the first Inception network (Szegedy et al. 2015, arXiv:1409.4842)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.branches import conv_unit
from netsmith.layers.initialization import he_initialize

__all__ = ["GoogLeNet", "Inception", "NaiveInception"]

SIZES = {"googlenet_bn": {"batch_norm": True}}

_Width = Annotated[int, Field(ge=1)]
_Row = tuple[_Width, _Width, _Width, _Width, _Width, _Width]
_Stage = Annotated[tuple[_Row, ...], Field(min_length=1)]

_LEAST = {"imagenet": (31, 79), "small": (4, 10)}
"""The smallest images whose maps last for each stem: without and with auxiliary heads."""


class NaiveInception(nn.Module):
    """An Inception module without bottlenecks (Fig. 2a): 1 x 1, 3 x 3 and 5 x 5 convolutions beside a 3 x 3 max-pool.

    The pool hands on all channels that come in, so depth can only grow, and 5 x 5 kernels see all of it. At 28 x 28
    with 256 channels in and 128, 192 and 96 out of the convolutions: 672 channels, 854,196,224 multiply-adds.

    Args:
        in_channels: Channels that come in.
        one: Channels of the 1 x 1 convolution.
        three: Channels of the 3 x 3 convolution.
        five: Channels of the 5 x 5 convolution.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, one + three + five + in_channels, H, W)``.
    """

    def __init__(self, in_channels: int, *, one: int, three: int, five: int) -> None:
        super().__init__()
        self.branch1x1 = conv_unit(in_channels, one, batch_norm=False)
        self.branch3x3 = conv_unit(in_channels, three, 3, batch_norm=False)
        self.branch5x5 = conv_unit(in_channels, five, 5, batch_norm=False)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of all branches."""
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.pool(x)], dim=1)


class Inception(nn.Module):
    """An Inception module with bottlenecks (Fig. 2b): 1 x 1 convolutions before the large kernels and after the pool.

    The example of :class:`NaiveInception` with bottlenecks of 64 channels: 480 channels, 271,351,808 multiply-adds.

    Args:
        in_channels: Channels that come in.
        one: Channels of the 1 x 1 convolution.
        reduce3: Channels of the bottleneck before the 3 x 3 convolution.
        three: Channels of the 3 x 3 convolution.
        reduce5: Channels of the bottleneck before the 5 x 5 convolution.
        five: Channels of the 5 x 5 convolution.
        pool: Channels of the convolution after the max-pool.
        batch_norm: See :class:`GoogLeNet`.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, one + three + five + pool, H, W)``.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        one: int,
        reduce3: int,
        three: int,
        reduce5: int,
        five: int,
        pool: int,
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        self.branch1x1 = conv_unit(in_channels, one, batch_norm=batch_norm)
        self.branch3x3 = nn.Sequential(
            conv_unit(in_channels, reduce3, batch_norm=batch_norm), conv_unit(reduce3, three, 3, batch_norm=batch_norm)
        )
        self.branch5x5 = nn.Sequential(
            conv_unit(in_channels, reduce5, batch_norm=batch_norm), conv_unit(reduce5, five, 5, batch_norm=batch_norm)
        )
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), conv_unit(in_channels, pool, batch_norm=batch_norm)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of all branches."""
        return torch.cat([self.branch1x1(x), self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)], dim=1)


class GoogLeNet(nn.Module):
    """A stem, nine Inception modules in three stages, global average pooling, one linear layer (Table 1).

    At 224 x 224 pixels and 1,000 classes 6,998,552 parameters, 8.71 times fewer than AlexNet of two columns, and
    1,582,671,872 multiply-adds; 13,378,280 parameters with the two auxiliary heads of section 5. They stand behind
    modules 4a and 4d, and only :meth:`auxiliary_logits` runs them.

    What the paper leaves open follows its Caffe model: pools round their maps up, and local response normalization
    (behind the first pool and before the second) is over 5 channels with alpha 1e-4 and beta 0.75. Deviations: weights
    are drawn by :func:`~netsmith.layers.initialization.he_initialize`, the paper names no rule; ``batch_norm`` and the
    small stem are not in the paper.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least 31, with the small stem 4;
        79 and 10 with auxiliary heads.

    Raises:
        ConfigError: The images are too small for the pools.
    """

    class Config(ModelConfig):
        """The network's form.

        A row of Table 1 describes a module: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.

        Attributes:
            stem: ``imagenet`` hands an eighth of the image's height and width to the modules; ``small`` all of it: a
                3 x 3 convolution in place of the one of 7 x 7, no stride and no pool. Its modules work on 28 x 28
                pixels as the others do on 224 x 224.
            stem_channels: Channels of the stem's three convolutions.
            stage3: A row for each module before the first pool between modules (3a, 3b).
            stage4: A row for each module of the second stage (4a to 4e).
            stage5: A row for each module of the last stage (5a, 5b).
            batch_norm: Batch normalization after each convolution, in place of its bias and of local response
                normalization.
            auxiliary: Two more heads behind the first and the last but one module of ``stage4``, for training.
            auxiliary_channels: Channels and hidden units of an auxiliary head.
            dropout: Share of the last features dropped in training.
            auxiliary_dropout: The same for the hidden units of auxiliary heads.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("stem_channels", "stage3", "stage4", "stage5", "auxiliary_channels")
        depths: ClassVar[tuple[str, ...]] = ("stage3", "stage4", "stage5")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

        stem: Literal["imagenet", "small"] = "imagenet"
        stem_channels: tuple[_Width, _Width, _Width] = (64, 64, 192)
        stage3: _Stage = ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))
        stage4: _Stage = (
            (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64),
            (128, 128, 256, 24, 64, 64),
            (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128),
        )
        stage5: _Stage = ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))
        batch_norm: bool = False
        auxiliary: bool = False
        auxiliary_channels: tuple[_Width, _Width] = (128, 1024)
        dropout: float = Field(default=0.4, ge=0, lt=1)
        auxiliary_dropout: float = Field(default=0.7, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> GoogLeNet.Config:
            if self.auxiliary and len(self.stage4) < 3:
                raise ValueError(
                    "auxiliary heads stand behind the first and the last but one module of stage4: it needs at least "
                    f"3, got {len(self.stage4)}; leave auxiliary off"
                )
            return self

    def __init__(self, config: GoogLeNet.Config) -> None:
        super().__init__()
        size, least = int(config.image_size), _LEAST[config.stem][config.auxiliary]
        if size < least:
            heads = " and auxiliary heads" if config.auxiliary else ""
            other = "" if config.stem == "small" else "; stem='small' takes smaller ones"
            raise ConfigError(
                f"GoogLeNet.Config.image_size: expected at least {least} with the {config.stem} stem{heads}, got "
                f"{size}{other}"
            )
        self.stem = nn.Sequential(OrderedDict(_stem(config)))
        self.stage3 = nn.Sequential(_stage(config.stem_channels[-1], config.stage3, config))
        self.stage4 = nn.Sequential(_stage(_out(config.stage3[-1]), config.stage4, config))
        self.stage5 = nn.Sequential(_stage(_out(config.stage4[-1]), config.stage5, config, pool=False))
        behind = (1, len(config.stage4) - 1) if config.auxiliary else ()
        side = (size if config.stem == "small" else (size + 1) // 8) // 2  # of the maps of stage 4, 14 at 224
        self.auxiliary = nn.ModuleDict(
            {f"inception{at}": _auxiliary_head(_out(config.stage4[at - 1]), side, config) for at in behind}
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(_out(config.stage5[-1]), config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self._classified(self.stage4(self.stage3(self.stem(images))))

    def auxiliary_logits(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits, then those of each auxiliary head, whose losses the paper weighs by 0.3 in training.

        Surgery follows what :meth:`forward` does, so the heads do not fit a network that has been cut.

        Args:
            images: See the class.

        Returns:
            Two tensors ``(B, num_classes)`` in the tuple, none for a network without auxiliary heads.
        """
        x, found = self.stage3(self.stem(images)), []
        for name, layer in self.stage4.named_children():
            x = layer(x)
            if name in self.auxiliary:
                found.append(self.auxiliary[name](x))
        return self._classified(x), tuple(found)

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem", "features": "stage5", "head": "head"}

    def _classified(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.flatten(self.pool(self.stage5(x)))))


def _stem(config: GoogLeNet.Config) -> Iterator[tuple[str, nn.Module]]:
    first, reduced, last = config.stem_channels
    large = config.stem == "imagenet"
    kernel, stride = (7, 2) if large else (3, 1)
    yield "conv1", conv_unit(int(config.in_channels), first, kernel, stride=stride, batch_norm=config.batch_norm)
    if large:
        yield "pool1", nn.MaxPool2d(3, stride=2, ceil_mode=True)
    if not config.batch_norm:
        yield "norm1", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
    yield "reduce2", conv_unit(first, reduced, batch_norm=config.batch_norm)
    yield "conv2", conv_unit(reduced, last, 3, batch_norm=config.batch_norm)
    if not config.batch_norm:
        yield "norm2", nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
    if large:
        yield "pool2", nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _stage(
    in_channels: int, rows: tuple[_Row, ...], config: GoogLeNet.Config, *, pool: bool = True
) -> OrderedDict[str, nn.Module]:
    layers = OrderedDict[str, nn.Module]()
    for at, row in enumerate(rows, start=1):
        one, reduce3, three, reduce5, five, projected = row
        layers[f"inception{at}"] = Inception(
            in_channels,
            one=one,
            reduce3=reduce3,
            three=three,
            reduce5=reduce5,
            five=five,
            pool=projected,
            batch_norm=config.batch_norm,
        )
        in_channels = _out(row)
    if pool:
        layers["pool"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return layers


def _out(row: _Row) -> int:
    one, _, three, _, five, projected = row
    return one + three + five + projected


def _auxiliary_head(in_channels: int, side: int, config: GoogLeNet.Config) -> nn.Sequential:
    channels, hidden = config.auxiliary_channels
    side = (side - 5) // 3 + 1  # 4 at 224
    return nn.Sequential(
        OrderedDict(
            pool=nn.AvgPool2d(5, stride=3),
            conv=conv_unit(in_channels, channels, batch_norm=config.batch_norm),
            flatten=nn.Flatten(),
            linear=nn.Linear(channels * side * side, hidden),
            relu=nn.ReLU(),
            dropout=nn.Dropout(config.auxiliary_dropout),
            head=nn.Linear(hidden, config.num_classes),
        )
    )
