"""MobileNet (Howard et al. 2017, arXiv:1704.04861)."""

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

__all__ = ["MobileNetV1"]

SIZES = {"mobilenet_v1": {}}

_TRANSFORMERS: Renaming = (
    (r"^mobilenet_v1\.conv_stem\.convolution\.", "stem.conv."),
    (r"^mobilenet_v1\.conv_stem\.normalization\.", "stem.norm."),
    *(
        (rf"^mobilenet_v1\.layer\.{2 * block + part}\.{theirs}\.", f"blocks.{block}.{ours}.")
        for block in range(99)
        for part, names in enumerate((("depthwise", "norm1"), ("pointwise", "norm2")))
        for theirs, ours in zip(("convolution", "normalization"), names, strict=True)
    ),
    (r"^classifier\.", "head."),
)


class MobileNetV1(nn.Module):
    r"""A convolution and thirteen depthwise-separable blocks: image classification at a tenth of the work (Table 1).

    A block filters each map alone with 3 x 3 and combines them with 1 x 1, each followed by batch normalization and
    ReLU (Fig. 3). To N channels that costs

    .. math:: \frac{1}{N} + \frac{1}{k^2} \qquad \text{(section 3.1)}

    of a plain k x k convolution. 4,231,976 parameters and 568,740,352 multiply-adds at 224 pixels and 1,000 classes.
    ``scaled(width=0.5)`` is the paper's width multiplier alpha; images of another size are its resolution multiplier.

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`; the paper names no rule.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, num_classes)``, images of any size; the last maps are of H / 32.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            channels: Channels of the stem, then of each block.
            strides: Stride of the stem, then of each block.
            relu6: Cut ReLU at 6, as in the public weights.
            tf_padding: Pad as TensorFlow does (:class:`~netsmith.layers.same_padding.SamePadding`), for weights that
                come from there.
            dropout: Share of the pooled features dropped in training.
            in_channels: Channels of an image.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("channels",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 224, "num_classes": 1000}

        channels: tuple[int, ...] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
        strides: tuple[int, ...] = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
        relu6: bool = True
        dropout: float = Field(default=0.0, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO
        tf_padding: bool = later(False)

        def public_names(self) -> Mapping[str, Renaming]:
            """Return the names of transformers; its ``tf_padding``, true by default there, must be ours."""
            return {"transformers": _TRANSFORMERS}

        def public_doubt(self, library: str) -> str:
            """Say that most of its public weights were trained with TensorFlow's padding."""
            if self.tf_padding or library != "transformers":
                return ""
            return (
                "read with symmetric padding; weights from TensorFlow want --set tf_padding=true, and mostly a mean "
                "and a std of 0.5 (--mean, --std)"
            )

        @model_validator(mode="after")
        def _check(self) -> MobileNetV1.Config:
            if len(self.channels) != len(self.strides) or not self.channels:
                raise ValueError(
                    f"channels and strides need one entry for the stem and each block; they have {len(self.channels)} "
                    f"and {len(self.strides)}"
                )
            if min(*self.channels, *self.strides) < 1:
                raise ValueError("channels and strides must be positive")
            return self

    def __init__(self, config: MobileNetV1.Config) -> None:
        super().__init__()
        activation = nn.ReLU6 if config.relu6 else nn.ReLU
        width, *widths = config.channels
        stride, *strides = config.strides
        before, padding = padding_for(3, stride=stride, same=config.tf_padding)
        self.stem = nn.Sequential(
            OrderedDict[str, nn.Module](
                **before,
                conv=nn.Conv2d(int(config.in_channels), width, 3, stride=stride, padding=padding, bias=False),
                norm=nn.BatchNorm2d(width, eps=1e-3),
                activation=activation(),
            )
        )
        blocks = []
        for channels, stride in zip(widths, strides, strict=True):
            before, padding = padding_for(3, stride=stride, same=config.tf_padding)
            layers = OrderedDict[str, nn.Module](
                **before,
                depthwise=nn.Conv2d(width, width, 3, stride=stride, padding=padding, groups=width, bias=False),
                norm1=nn.BatchNorm2d(width, eps=1e-3),
                activation1=activation(),
                pointwise=nn.Conv2d(width, channels, 1, bias=False),
                norm2=nn.BatchNorm2d(channels, eps=1e-3),
                activation2=activation(),
            )
            blocks.append(nn.Sequential(layers))
            width = channels
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.dropout(self.flatten(self.pool(self.blocks(self.stem(images))))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem.conv", "features": "blocks", "head": "head"}
