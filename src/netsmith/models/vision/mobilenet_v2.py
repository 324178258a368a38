"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.roles import ModelConfig, Renaming
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize
from netsmith.layers.same_padding import padding_for

__all__ = ["MobileNetV2"]

SIZES = {"mobilenet_v2": {}}
_TF_EPS = 1e-3

_TORCHVISION: Renaming = (
    (r"^features\.0\.0\.", "stem.conv."),
    (r"^features\.0\.1\.", "stem.norm."),
    (r"^features\.1\.conv\.0\.0\.", "blocks.0.branch.depthwise."),  # the first block does not expand
    (r"^features\.1\.conv\.0\.1\.", "blocks.0.branch.norm2."),
    (r"^features\.1\.conv\.1\.", "blocks.0.branch.project."),
    (r"^features\.1\.conv\.2\.", "blocks.0.branch.norm3."),
    (r"^features\.18\.0\.", "last.conv."),
    (r"^features\.18\.1\.", "last.norm."),
    *(
        (rf"^features\.{block + 1}\.conv\.{theirs}\.", f"blocks.{block}.branch.{ours}.")
        for block in range(1, 17)
        for theirs, ours in (
            (r"0\.0", "expand"),
            (r"0\.1", "norm1"),
            (r"1\.0", "depthwise"),
            (r"1\.1", "norm2"),
            ("2", "project"),
            ("3", "norm3"),
        )
    ),
    (r"^classifier\.1\.", "head."),
)
_TRANSFORMERS: Renaming = (
    (r"\.convolution\.", ".conv."),
    (r"\.normalization\.", ".norm."),
    (r"^mobilenet_v2\.conv_stem\.first_conv\.", "stem."),
    (r"^mobilenet_v2\.conv_stem\.", "blocks.0."),
    *((rf"^mobilenet_v2\.layer\.{block}\.", f"blocks.{block + 1}.") for block in range(98, -1, -1)),
    *(
        (rf"\.{theirs}\.{part}\.", f".branch.{ours}.")
        for theirs, names in (
            ("expand_1x1", ("expand", "norm1")),
            ("conv_3x3", ("depthwise", "norm2")),
            ("reduce_1x1", ("project", "norm3")),
        )
        for part, ours in zip(("conv", "norm"), names, strict=True)
    ),
    (r"^mobilenet_v2\.conv_1x1\.", "last."),
    (r"^classifier\.", "head."),
)


class _Block(nn.Module):
    """An inverted residual: expand with 1 x 1, filter each map with 3 x 3, project back without activation (Fig. 4)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, expansion: int, eps: float, same: bool
    ) -> None:
        super().__init__()
        inner = in_channels * expansion
        branch = OrderedDict[str, nn.Module]()
        if expansion != 1:
            branch["expand"] = nn.Conv2d(in_channels, inner, 1, bias=False)
            branch |= {"norm1": nn.BatchNorm2d(inner, eps=eps), "relu1": nn.ReLU6()}
        before, padding = padding_for(3, stride=stride, same=same)
        branch |= before
        branch["depthwise"] = nn.Conv2d(inner, inner, 3, stride=stride, padding=padding, groups=inner, bias=False)
        branch |= {"norm2": nn.BatchNorm2d(inner, eps=eps), "relu2": nn.ReLU6()}
        branch["project"] = nn.Conv2d(inner, out_channels, 1, bias=False)
        branch["norm3"] = nn.BatchNorm2d(out_channels, eps=eps)  # a linear bottleneck
        self.branch = nn.Sequential(branch)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return x + self.branch(x) if self.residual else self.branch(x)


class MobileNetV2(nn.Module):
    """A convolution, seventeen inverted residuals with linear bottlenecks, and one wide 1 x 1 convolution (Table 2).

    Shortcuts join the thin ends; what is expanded between them is filtered map by map. 3,504,872 parameters and
    300,774,272 multiply-adds at 224 pixels and 1,000 classes. ``scaled(width=0.75)`` is the paper's width multiplier:
    channels are rounded to multiples of eight, and the last convolution never gets thinner (section 4).

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`; the paper names no rule.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, images of any size; the last maps are of H / 32.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            stem: Channels of the first convolution, which has stride 2.
            expansions: Of each stage: how many times as wide a block is inside.
            channels: Of each stage.
            layers: Blocks in each stage.
            strides: Of the first block of each stage.
            last: Channels of the last convolution.
            norm_eps: Added to the variance in each normalization: 1e-5, or 1e-3 for weights that come from TensorFlow.
            dropout: Share of the pooled features dropped in training.
            tf_padding: Pad as TensorFlow does (:class:`~netsmith.layers.same_padding.SamePadding`), for weights that
                come from there.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("stem", "channels", "last")
        depths: ClassVar[tuple[str, ...]] = ("layers",)
        per_stage: ClassVar[tuple[str, ...]] = ("layers",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

        stem: int = Field(default=32, ge=1)
        expansions: tuple[int, ...] = (1, 6, 6, 6, 6, 6, 6)
        channels: tuple[int, ...] = (16, 24, 32, 64, 96, 160, 320)
        layers: tuple[int, ...] = (1, 2, 3, 4, 3, 3, 1)
        strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1)
        last: int = Field(default=1280, ge=1)
        norm_eps: float = Field(default=1e-5, gt=0)
        dropout: float = Field(default=0.2, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO
        tf_padding: bool = later(False)

        def public_names(self) -> Mapping[str, Renaming]:
            """Return the names of torchvision, and of transformers (there ``tf_padding`` and ``norm_eps=1e-3``)."""
            return {"torchvision": _TORCHVISION, "transformers": _TRANSFORMERS}

        def public_doubt(self, library: str) -> str:
            """Say that most weights under the names of transformers come from TensorFlow, and what those want."""
            if library != "transformers" or (self.tf_padding and self.norm_eps == _TF_EPS):
                return ""
            padding = "TensorFlow's" if self.tf_padding else "symmetric"
            return (
                f"read with {padding} padding and norm_eps={self.norm_eps:g}; weights from TensorFlow want "
                f"--set tf_padding=true --set norm_eps={_TF_EPS:g}, and mostly a mean and a std of 0.5 (--mean, --std)"
            )

        def _times(self, name: str, value: int, factor: float) -> int:
            """Round to multiples of eight, at most a tenth down; the last convolution only grows."""
            if name == "layers":
                return super()._times(name, value, factor)
            if name == "last":
                return max(value, _multiple_of_eight(value * factor))
            return _multiple_of_eight(value * factor)

        @model_validator(mode="after")
        def _check(self) -> MobileNetV2.Config:
            columns = (self.expansions, self.channels, self.layers, self.strides)
            if len({len(column) for column in columns}) > 1 or not self.channels:
                lengths = ", ".join(str(len(column)) for column in columns)
                raise ValueError(
                    f"expansions, channels, layers and strides need one entry for each stage; they have {lengths}"
                )
            if min(min(column) for column in columns) < 1:
                raise ValueError("expansions, channels, layers and strides must be positive")
            return self

    def __init__(self, config: MobileNetV2.Config) -> None:
        super().__init__()
        width, eps, same = config.stem, config.norm_eps, config.tf_padding
        self.stem = _unit(config.in_channels, width, 3, stride=2, eps=eps, same=same)
        blocks = []
        stages = zip(config.expansions, config.channels, config.layers, config.strides, strict=True)
        for expansion, channels, layers, stride in stages:
            for at in range(layers):
                step = 1 if at else stride
                blocks.append(_Block(width, channels, stride=step, expansion=expansion, eps=eps, same=same))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.last = _unit(width, config.last, 1, stride=1, eps=eps, same=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.last, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.dropout(self.flatten(self.pool(self.last(self.blocks(self.stem(images)))))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem.conv", "features": "last", "head": "head"}


def _multiple_of_eight(value: float) -> int:
    """Return the nearest multiple of eight, at least 8; the next one where that were less than nine tenths."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def _unit(
    in_channels: int | Auto, out_channels: int, kernel: int, *, stride: int, eps: float, same: bool
) -> nn.Sequential:
    before, padding = padding_for(kernel, stride=stride, same=same)
    layers = OrderedDict[str, nn.Module](before)
    layers["conv"] = nn.Conv2d(int(in_channels), out_channels, kernel, stride=stride, padding=padding, bias=False)
    layers |= {"norm": nn.BatchNorm2d(out_channels, eps=eps), "relu": nn.ReLU6()}
    return nn.Sequential(layers)
