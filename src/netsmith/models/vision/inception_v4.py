"""Inception-v4 (Szegedy et al. 2017, arXiv:1602.07261)."""

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

__all__ = ["InceptionV4"]

_Width = Annotated[int, Field(ge=1)]

_LEAST = 75
"""The smallest images whose maps last."""


class InceptionV4(nn.Module):
    """Uniform Inception modules behind a stem that convolves and pools side by side (Fig. 9).

    A stem (Fig. 3), four modules at 35 x 35 pixels (A, Fig. 4), seven at 17 x 17 (B, Fig. 5), three at 8 x 8 (C,
    Fig. 6), and between them the reductions of Figures 7 and 8. At 299 x 299 pixels and 1,000 classes 42,679,816
    parameters and 12.254 G multiply-adds.

    Deviations: the double branches of B and C begin with 7 x 1 and 3 x 1, and the stem's long branch with 1 x 7, as in
    the authors' code, whose weights are public; the figures draw the other order. Average pools within modules leave
    the zeros around the map out, as that code does. The auxiliary head of that code is not in the paper and not here.
    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`; the paper names no rule.

    Tensors stand in the order of timm's ``inception_v4``, block by block.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, num_classes)`` with S = ``image_size``, at least 75.

    Raises:
        ConfigError: The images are too small for the layers.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            modules: Modules A, B and C.
            stem: Channels of the three plain convolutions; of the one beside the first pool; in the two branches behind
                it, and what each ends with; of the one beside the second pool.
            inception_a: What each branch ends with; before a 3 x 3 convolution.
            reduction_a: k, l, m and n of Table 1: the three convolutions of the long branch, the one of the short.
            inception_b: 1 x 1; the two ahead of the end of the 7 x 7 branches, and their end; after the pool.
            reduction_b: Both of the 3 x 3 branch; the first two of the 7 x 7 branch, its last two.
            inception_c: Each 1 x 1, 1 x 3 and 3 x 1 that ends a branch, also after the pool; the 1 x 1 that begins one;
                the two that follow in the double branch.
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
        )
        depths: ClassVar[tuple[str, ...]] = ("modules",)
        per_stage: ClassVar[tuple[str, ...]] = ("modules",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 3, "image_size": 299, "num_classes": 1000}

        modules: tuple[_Width, _Width, _Width] = (4, 7, 3)
        stem: tuple[_Width, _Width, _Width, _Width, _Width, _Width, _Width] = (32, 32, 64, 96, 64, 96, 192)
        inception_a: tuple[_Width, _Width] = (96, 64)
        reduction_a: tuple[_Width, _Width, _Width, _Width] = (192, 224, 256, 384)
        inception_b: tuple[_Width, _Width, _Width, _Width, _Width] = (384, 192, 224, 256, 128)
        reduction_b: tuple[_Width, _Width, _Width] = (192, 256, 320)
        inception_c: tuple[_Width, _Width, _Width, _Width] = (256, 384, 448, 512)
        dropout: float = Field(default=0.2, ge=0, lt=1)
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def public_names(self) -> Mapping[str, Renaming]:
            """Return timm's names, which are those of the pretrained-models collection too."""
            return {"timm": _timm(self.modules)}

    def __init__(self, config: InceptionV4.Config) -> None:
        super().__init__()
        if int(config.image_size) < _LEAST:
            raise ConfigError(
                f"InceptionV4.Config.image_size: expected at least {_LEAST}, got {config.image_size}; use larger "
                "images or another network, such as googlenet with stem='small'"
            )
        a, b, c = config.modules
        self.stem, width = _stem(int(config.in_channels), config.stem)  # (B, 384, 35, 35) for 299 x 299 images
        self.inception_a, width = stacked(_inception_a, width, [config.inception_a] * a)
        self.reduction_a, width = _reduction_a(width, config.reduction_a)  # (B, 1024, 17, 17)
        self.inception_b, width = stacked(_inception_b, width, [config.inception_b] * b)
        self.reduction_b, width = _reduction_b(width, config.reduction_b)  # (B, 1536, 8, 8)
        self.inception_c, width = stacked(_inception_c, width, [config.inception_c] * c)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        x = self.inception_a(self.stem(images))
        x = self.inception_b(self.reduction_a(x))
        x = self.inception_c(self.reduction_b(x))
        return self.head(self.dropout(self.flatten(self.pool(x))))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map and the head are."""
        return {"stem": "stem", "features": "inception_c", "head": "head"}


def _stem(in_channels: int, row: tuple[int, int, int, int, int, int, int]) -> tuple[nn.Sequential, int]:
    first, second, third, beside1, inner, out, beside2 = row
    joined = third + beside1
    layers = OrderedDict[str, nn.Module](
        conv1=conv_unit(in_channels, first, 3, stride=2, padded=False),  # (B, 32, 149, 149)
        conv2=conv_unit(first, second, 3, padded=False),
        conv3=conv_unit(second, third, 3),  # (B, 64, 147, 147)
    )
    layers["mixed1"] = Branches(  # (B, 160, 73, 73)
        {"pool": nn.MaxPool2d(3, stride=2), "branch3x3": conv_unit(third, beside1, 3, stride=2, padded=False)}
    )
    layers["mixed2"] = Branches(  # (B, 192, 71, 71)
        {
            "branch3x3": nn.Sequential(conv_unit(joined, inner), conv_unit(inner, out, 3, padded=False)),
            "branch7x7": nn.Sequential(
                conv_unit(joined, inner),
                conv_unit(inner, inner, (1, 7)),
                conv_unit(inner, inner, (7, 1)),
                conv_unit(inner, out, 3, padded=False),
            ),
        }
    )
    layers["mixed3"] = Branches(
        {"branch3x3": conv_unit(2 * out, beside2, 3, stride=2, padded=False), "pool": nn.MaxPool2d(3, stride=2)}
    )
    return nn.Sequential(layers), beside2 + 2 * out


def _inception_a(width: int, row: tuple[int, int]) -> tuple[Branches, int]:
    out, inner = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, out),
            "branch3x3": nn.Sequential(conv_unit(width, inner), conv_unit(inner, out, 3)),
            "branch3x3_double": nn.Sequential(
                conv_unit(width, inner), conv_unit(inner, out, 3), conv_unit(out, out, 3)
            ),
            "branch_pool": _pooled(width, out),
        }
    )
    return module, 4 * out


def _reduction_a(width: int, row: tuple[int, int, int, int]) -> tuple[Branches, int]:
    k, l, m, n = row  # noqa: E741
    module = Branches(
        {
            "branch3x3": conv_unit(width, n, 3, stride=2, padded=False),
            "branch3x3_double": nn.Sequential(
                conv_unit(width, k), conv_unit(k, l, 3), conv_unit(l, m, 3, stride=2, padded=False)
            ),
            "pool": nn.MaxPool2d(3, stride=2),
        }
    )
    return module, n + m + width


def _inception_b(width: int, row: tuple[int, int, int, int, int]) -> tuple[Branches, int]:
    one, first, second, out, pooled = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, one),
            "branch7x7": nn.Sequential(
                conv_unit(width, first), conv_unit(first, second, (1, 7)), conv_unit(second, out, (7, 1))
            ),
            "branch7x7_double": nn.Sequential(
                conv_unit(width, first),
                conv_unit(first, first, (7, 1)),
                conv_unit(first, second, (1, 7)),
                conv_unit(second, second, (7, 1)),
                conv_unit(second, out, (1, 7)),
            ),
            "branch_pool": _pooled(width, pooled),
        }
    )
    return module, one + 2 * out + pooled


def _reduction_b(width: int, row: tuple[int, int, int]) -> tuple[Branches, int]:
    three, first, last = row
    module = Branches(
        {
            "branch3x3": nn.Sequential(conv_unit(width, three), conv_unit(three, three, 3, stride=2, padded=False)),
            "branch7x7": nn.Sequential(
                conv_unit(width, first),
                conv_unit(first, first, (1, 7)),
                conv_unit(first, last, (7, 1)),
                conv_unit(last, last, 3, stride=2, padded=False),
            ),
            "pool": nn.MaxPool2d(3, stride=2),
        }
    )
    return module, three + last + width


def _inception_c(width: int, row: tuple[int, int, int, int]) -> tuple[Branches, int]:
    out, first, second, third = row
    module = Branches(
        {
            "branch1x1": conv_unit(width, out),
            "branch3x3": nn.Sequential(conv_unit(width, first), _fork(first, out)),
            "branch3x3_double": nn.Sequential(
                conv_unit(width, first),
                conv_unit(first, second, (3, 1)),
                conv_unit(second, third, (1, 3)),
                _fork(third, out),
            ),
            "branch_pool": _pooled(width, out),
        }
    )
    return module, 6 * out


def _fork(width: int, out: int) -> Branches:
    return Branches({"branch1x3": conv_unit(width, out, (1, 3)), "branch3x1": conv_unit(width, out, (3, 1))})


def _pooled(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), conv_unit(width, out))


def _timm(modules: tuple[int, int, int]) -> Renaming:
    """Return what turns timm's numbered layers into ours; where they stand follows from the number of modules."""
    a, b, c = modules
    blocks = [
        *((f"stem.conv{at}", {}) for at in (1, 2, 3)),
        ("stem.mixed1", {"conv": "3x3"}),
        ("stem.mixed2", {"branch0": "3x3", "branch1": "7x7"}),
        ("stem.mixed3", {"conv": "3x3"}),
        *((f"inception_a.{at}", _branches("3x3")) for at in range(a)),
        ("reduction_a", {"branch0": "3x3", "branch1": "3x3_double"}),
        *((f"inception_b.{at}", _branches("7x7")) for at in range(b)),
        ("reduction_b", {"branch0": "3x3", "branch1": "7x7"}),
        *((f"inception_c.{at}", _branches("3x3")) for at in range(c)),
    ]
    rules = [(r"\.bn\.", ".norm."), (r"^last_linear\.", "head.")]
    for number, (name, branches) in enumerate(blocks):
        rules += [
            (rf"^features\.{number}\.{theirs}(?=[._])", f"{name}.branch{ours}") for theirs, ours in branches.items()
        ]
        rules += [] if branches else [(rf"^features\.{number}\.", f"{name}.")]
    # the layers of the last modules' branches are named, not numbered; a and b are the two halves of an end
    rules += [(r"^(inception_c\.\d+\.branch\dx\d(?:_double)?)_(\d)", r"\1.\2")]
    return (*rules, (r"(\.\d)a\.", r"\1.branch1x3."), (r"(\.\d)b\.", r"\1.branch3x1."))


def _branches(kernel: str) -> dict[str, str]:
    return {"branch0": "1x1", "branch1": kernel, "branch2": f"{kernel}_double", "branch3": "_pool"}
