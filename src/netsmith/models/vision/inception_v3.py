"""Inception-v3 (Szegedy et al. 2016, arXiv:1512.00567)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig, Renaming
from netsmith.core.spec import InputKind
from netsmith.layers.branches import Branches, conv_unit, stacked
from netsmith.layers.initialization import he_initialize

__all__ = ["InceptionV3"]

_Width = Annotated[int, Field(ge=1)]
_RowA = tuple[_Width, _Width, _Width, _Width, _Width, _Width]
_RowB = tuple[_Width, _Width]
_RowC = tuple[_Width, _Width, _Width, _Width]

_LEAST = (75, 107)
"""The smallest images whose maps last: without and with the auxiliary head."""


_TORCHVISION: Renaming = (
    (r"\.bn\.", ".norm."),
    *(
        (rf"^Conv2d_{theirs}\.", f"stem.conv{at}.")
        for at, theirs in enumerate(("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3"), start=1)
    ),
    *((rf"^Mixed_5{letter}\.", f"inception_a.{at}.") for at, letter in enumerate("bcd")),
    (r"^Mixed_6a\.", "reduction_a."),
    *((rf"^Mixed_6{letter}\.", f"inception_b.{at}.") for at, letter in enumerate("bcde")),
    (r"^Mixed_7a\.", "reduction_b."),
    *((rf"^Mixed_7{letter}\.", f"inception_c.{at}.") for at, letter in enumerate("bc")),
    (r"^AuxLogits\.conv0\.", "auxiliary.conv1."),
    (r"^AuxLogits\.conv1\.", "auxiliary.conv2."),
    (r"^AuxLogits\.fc\.", "auxiliary.head."),
    (r"^fc\.", "head."),
    (r"branch_pool\.", "branch_pool.1."),
    (r"branch7x7x3_", "branch7x7_"),
    (r"(branch\dx\d)dbl_", r"\1_double_"),
    # their layers of a branch count from 1; a and b are the two halves of its end
    *((rf"(branch\dx\d|_double)_{at + 1}(?=[ab.])", rf"\1.{at}") for at in range(5)),
    (r"(\.\d)a\.", r"\1.branch1x3."),
    (r"(\.\d)b\.", r"\1.branch3x1."),
)


class InceptionV3(nn.Module):
    """Inception modules whose large kernels are factorized: 5 x 5 into two of 3 x 3, 7 x 7 into 1 x 7 and 7 x 1.

    A stem, three modules at 35 x 35 pixels (A), four at 17 x 17 (B), two at 8 x 8 (C), where 3 x 3 kernels stand as
    1 x 3 beside 3 x 1, and between them reductions that convolve and pool side by side (Fig. 10). At 299 x 299 pixels
    and 1,000 classes 23,834,568 parameters, 27,161,264 with the auxiliary head, and 5.713 G multiply-adds.

    It is the network of the authors' code, whose weights are public; Table 1 and Figures 5 to 7 print another.
    Deviations of that code from them: the stem ends with 1 x 1, 3 x 3 and a pool, not with three convolutions of
    3 x 3; modules at 35 x 35 keep one kernel of 5 x 5 beside the two of 3 x 3; there are four modules at 17 x 17, not
    five; dropout precedes the head; the auxiliary head's 5 x 5 kernel shrinks with maps that are smaller. Ours from the
    code: average pools within modules count the zeros around the map, as torchvision's weights want; weights are drawn
    by :func:`~netsmith.layers.initialization.he_initialize`, not from a truncated normal distribution.

    Tensors stand in the order of torchvision's ``inception_v3``, block by block.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least 75, 107 with the auxiliary
        head.

    Raises:
        ConfigError: The images are too small for the layers.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            stem: Channels of the stem's five convolutions.
            inception_a: A row for each module at 35 x 35: 1 x 1; before 5 x 5, 5 x 5; before 3 x 3, both 3 x 3; after
                the pool.
            reduction_a: 3 x 3; before the double 3 x 3, both of them.
            inception_b: A row for each module at 17 x 17: what each branch ends with, what it factorizes on.
            reduction_b: All convolutions but one, the 3 x 3 that ends the first branch.
            inception_c: A row for each module at 8 x 8: 1 x 1; each of the four of 1 x 3 and 3 x 1, and what comes
                before; the 1 x 1 before 3 x 3; after the pool.
            auxiliary: One more head behind the modules at 17 x 17, for training.
            auxiliary_channels: Channels of its two convolutions.
            dropout: Share of the last features dropped in training.
            in_channels: Channels of an image.
            image_size: Height and width in pixels.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = (
            "stem",
            "inception_a",
            "reduction_a",
            "inception_b",
            "reduction_b",
            "inception_c",
            "auxiliary_channels",
        )
        depths: ClassVar[tuple[str, ...]] = ("inception_a", "inception_b", "inception_c")
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 299, "num_classes": 1000}

        stem: tuple[_Width, _Width, _Width, _Width, _Width] = (32, 32, 64, 80, 192)
        inception_a: Annotated[tuple[_RowA, ...], Field(min_length=1)] = (
            (64, 48, 64, 64, 96, 32),
            (64, 48, 64, 64, 96, 64),
            (64, 48, 64, 64, 96, 64),
        )
        reduction_a: tuple[_Width, _Width, _Width] = (384, 64, 96)
        inception_b: Annotated[tuple[_RowB, ...], Field(min_length=1)] = (
            (192, 128),
            (192, 160),
            (192, 160),
            (192, 192),
        )
        reduction_b: tuple[_Width, _Width] = (192, 320)
        inception_c: Annotated[tuple[_RowC, ...], Field(min_length=1)] = ((320, 384, 448, 192), (320, 384, 448, 192))
        auxiliary: bool = False
        auxiliary_channels: tuple[_Width, _Width] = (128, 768)
        dropout: float = Field(default=0.2, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def public_names(self) -> Mapping[str, Renaming]:
            """Return torchvision's names, also those of timm.

            The public weights hold the auxiliary head (``auxiliary=True``) and want a mean and a std of 0.5.
            """
            return {"torchvision": _TORCHVISION}

    def __init__(self, config: InceptionV3.Config) -> None:
        super().__init__()
        size, least = int(config.image_size), _LEAST[config.auxiliary]
        if size < least:
            head = " with the auxiliary head" if config.auxiliary else ""
            raise ConfigError(
                f"InceptionV3.Config.image_size: expected at least {least}{head}, got {size}; use larger images or "
                "another network, such as googlenet with stem='small'"
            )
        self.stem = _stem(int(config.in_channels), config.stem)
        self.inception_a, width = stacked(_inception_a, config.stem[-1], config.inception_a)
        self.reduction_a, width = _reduction_a(width, config.reduction_a)
        self.inception_b, width = stacked(_inception_b, width, config.inception_b)
        self.auxiliary = _auxiliary_head(width, config) if config.auxiliary else None
        self.reduction_b, width = _reduction_b(width, config.reduction_b)
        self.inception_c, width = stacked(_inception_c, width, config.inception_c)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self._classified(self._middle(images))

    def auxiliary_logits(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the logits, then those of the auxiliary head, for training.

        Surgery follows what :meth:`forward` does, so the head does not fit a network that has been cut.

        Args:
            images: See the class.

        Returns:
            One tensor ``(B, num_classes)`` in the tuple, none for a network without an auxiliary head.
        """
        x = self._middle(images)
        found = () if self.auxiliary is None else (self.auxiliary(x),)
        return self._classified(x), found

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem", "features": "inception_c", "head": "head"}

    def _middle(self, images: Tensor) -> Tensor:
        return self.inception_b(self.reduction_a(self.inception_a(self.stem(images))))

    def _classified(self, x: Tensor) -> Tensor:
        x = self.pool(self.inception_c(self.reduction_b(x)))
        return self.head(self.dropout(self.flatten(x)))


def _stem(in_channels: int, channels: tuple[int, int, int, int, int]) -> nn.Sequential:
    first, second, third, fourth, fifth = channels
    return nn.Sequential(
        OrderedDict(
            conv1=conv_unit(in_channels, first, 3, stride=2, padded=False),  # (B, 32, 149, 149) for 299 x 299 images
            conv2=conv_unit(first, second, 3, padded=False),
            conv3=conv_unit(second, third, 3),  # (B, 64, 147, 147)
            pool1=nn.MaxPool2d(3, stride=2),
            conv4=conv_unit(third, fourth),  # (B, 80, 73, 73)
            conv5=conv_unit(fourth, fifth, 3, padded=False),  # (B, 192, 71, 71)
            pool2=nn.MaxPool2d(3, stride=2),
        )
    )


def _inception_a(width: int, row: _RowA) -> tuple[Branches, int]:
    one, reduce5, five, reduce3, three, pooled = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, one),
            "branch5x5": nn.Sequential(conv_unit(width, reduce5), conv_unit(reduce5, five, 5)),
            "branch3x3_double": nn.Sequential(
                conv_unit(width, reduce3), conv_unit(reduce3, three, 3), conv_unit(three, three, 3)
            ),
            "branch_pool": _pooled(width, pooled),
        }
    )
    return module, one + five + three + pooled


def _reduction_a(width: int, row: tuple[int, int, int]) -> tuple[Branches, int]:
    three, reduced, double = row
    module = Branches(
        {
            "branch3x3": conv_unit(width, three, 3, stride=2, padded=False),
            "branch3x3_double": nn.Sequential(
                conv_unit(width, reduced),
                conv_unit(reduced, double, 3),
                conv_unit(double, double, 3, stride=2, padded=False),
            ),
            "pool": nn.MaxPool2d(3, stride=2),
        }
    )
    return module, three + double + width


def _inception_b(width: int, row: _RowB) -> tuple[Branches, int]:
    out, inner = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, out),
            "branch7x7": nn.Sequential(
                conv_unit(width, inner), conv_unit(inner, inner, (1, 7)), conv_unit(inner, out, (7, 1))
            ),
            "branch7x7_double": nn.Sequential(
                conv_unit(width, inner),
                conv_unit(inner, inner, (7, 1)),
                conv_unit(inner, inner, (1, 7)),
                conv_unit(inner, inner, (7, 1)),
                conv_unit(inner, out, (1, 7)),
            ),
            "branch_pool": _pooled(width, out),
        }
    )
    return module, 4 * out


def _reduction_b(width: int, row: tuple[int, int]) -> tuple[Branches, int]:
    inner, three = row
    module = Branches(
        {
            "branch3x3": nn.Sequential(conv_unit(width, inner), conv_unit(inner, three, 3, stride=2, padded=False)),
            "branch7x7": nn.Sequential(
                conv_unit(width, inner),
                conv_unit(inner, inner, (1, 7)),
                conv_unit(inner, inner, (7, 1)),
                conv_unit(inner, inner, 3, stride=2, padded=False),
            ),
            "pool": nn.MaxPool2d(3, stride=2),
        }
    )
    return module, three + inner + width


def _inception_c(width: int, row: _RowC) -> tuple[Branches, int]:
    one, each, reduced, pooled = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, one),
            "branch3x3": nn.Sequential(conv_unit(width, each), _fork(each)),
            "branch3x3_double": nn.Sequential(conv_unit(width, reduced), conv_unit(reduced, each, 3), _fork(each)),
            "branch_pool": _pooled(width, pooled),
        }
    )
    return module, one + 4 * each + pooled


def _fork(width: int) -> Branches:
    return Branches({"branch1x3": conv_unit(width, width, (1, 3)), "branch3x1": conv_unit(width, width, (3, 1))})


def _pooled(width: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), conv_unit(width, out_channels))


def _auxiliary_head(width: int, config: InceptionV3.Config) -> nn.Sequential:
    reduced, channels = config.auxiliary_channels
    side = _halved(_halved(int(config.image_size)) - 2) - 2
    side = _halved(_halved(side))  # 17 at 299
    kernel = min(5, (side - 5) // 3 + 1)
    return nn.Sequential(
        OrderedDict(
            pool=nn.AvgPool2d(5, stride=3),
            conv1=conv_unit(width, reduced),
            conv2=conv_unit(reduced, channels, kernel, padded=False),
            mean=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(channels, config.num_classes),
        )
    )


def _halved(side: int) -> int:
    return (side - 1) // 2
