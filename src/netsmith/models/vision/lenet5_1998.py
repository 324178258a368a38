"""LeNet-5 as of 1998 (LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition")."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["ConnectedMaps", "LeNet5Of1998", "RadialBasis", "ScaledTanh", "Subsampling"]

_PADDING = {28: 2, 32: 0}

_TABLE = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),  # three in a row, around
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),  # four in a row
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),  # two and two
    (0, 1, 2, 3, 4, 5),
)
"""Table I: the maps of S2 that each map of C3 sees."""

_DIGITS = """
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
..###.. ...##.. .#####. .#####. .....## ####### ..####. ####### .#####. .#####.
.##.##. ..###.. ##...## ##...## ....### ##..... .##.... .....## ##...## ##...##
##...## .####.. ##...## .....## ...#### ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## ..##.## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. ..####. .##..## ######. ######. ....##. .#####. .######
##...## ...##.. ...##.. ..####. ##...## .....## ##...## ...##.. .#####. .....##
##...## ...##.. ..##... .....## ####### .....## ##...## ...##.. ##...## .....##
##...## ...##.. .##.... .....## .....## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## .....## ##...## ##...## ..##... ##...## ....##.
..###.. .###### ####### .#####. .....## .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... ....... ....... ....... ....... ....... .......
"""


class ScaledTanh(nn.Module):
    r"""The squashing function of LeNet-5 (Eq. 6): it maps 1 to 1 and -1 to -1, where it bends most.

    .. math:: f(a) = 1.7159 \tanh(\tfrac{2}{3} a)

    Shapes:
        Any, elementwise.

    Example:
        >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-1.0000,  0.0000,  1.0000])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of each element."""
        return 1.7159 * torch.tanh(2 / 3 * x)  # Eq. 6


class Subsampling(nn.Module):
    r"""Halve each map: the sum of 2 x 2 units, times the map's coefficient, plus its bias.

    .. math:: y = w_c \sum_{i=1}^{4} x_i + b_c

    Args:
        maps: Number of maps C.

    Attributes:
        weight: ``(C,)``, the coefficients.
        bias: ``(C,)``.

    Shapes:
        ``(B, C, H, W)`` to ``(B, C, H // 2, W // 2)``.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(maps)), nn.Parameter(torch.empty(maps))
        _draw(self.weight, self.bias, inputs=4)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the smaller maps."""
        return 4 * F.avg_pool2d(maps, 2) * self.weight[:, None, None] + self.bias[:, None, None]


class ConnectedMaps(nn.Module):
    """A convolution each map of which sees some of the maps below: it breaks the symmetry between its own maps.

    It is computed as one whole convolution in which the connections that are not there weigh zero. In LeNet-5 that
    multiplies 2,400 numbers a place where the table needs 1,500, and a step on one core is 17 times as fast as with
    grouped convolutions.

    Args:
        in_channels: Maps below.
        table: For each map the maps that it sees, by number, rising.
        kernel: Height and width of a kernel.

    Attributes:
        weight: ``(connections, kernel, kernel)``, in the table's order.
        bias: ``(maps,)``.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, maps, H - kernel + 1, W - kernel + 1)``.

    Example:
        >>> layer = ConnectedMaps(3, ((0, 1), (2,)), kernel=5)
        >>> sum(p.numel() for p in layer.parameters()), layer(torch.zeros(1, 3, 6, 6)).shape
        (77, torch.Size([1, 2, 2, 2]))
    """

    places: Tensor

    def __init__(self, in_channels: int, table: tuple[tuple[int, ...], ...], *, kernel: int) -> None:
        super().__init__()
        self.in_channels = in_channels
        places = [at * in_channels + below for at, seen in enumerate(table) for below in seen]
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(places), kernel, kernel))
        self.bias = nn.Parameter(torch.empty(len(table)))
        for kernels, bias in zip(self.weight.split([len(seen) for seen in table]), self.bias.split(1), strict=True):
            _draw(kernels, bias, inputs=kernels.numel())

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps above."""
        whole = self.weight.new_zeros(len(self.bias) * self.in_channels, *self.weight.shape[1:])
        kernels = whole.index_copy(0, self.places, self.weight).unflatten(0, (len(self.bias), self.in_channels))
        return F.conv2d(maps, kernels, self.bias)


class RadialBasis(nn.Module):
    r"""Euclidean radial basis functions: the squared distance of an input from each of some fixed centers (Eq. 7).

    .. math:: y_i = \sum_j (x_j - w_{ij})^2

    Args:
        centers: ``(K, D)``, w.

    Shapes:
        ``(B, D)`` to ``(B, K)``.
    """

    centers: Tensor

    def __init__(self, centers: Tensor) -> None:
        super().__init__()
        self.register_buffer("centers", centers, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the squared distances."""
        return (x[:, None] - self.centers).square().sum(-1)  # Eq. 7


class LeNet5Of1998(nn.Module):
    r"""The network of the paper's section II-B: shared weights, a table of connections, digits drawn as the targets.

    Trainable parameters by layer: C1 156, S2 12, C3 1,516 (Table I), S4 32, C5 48,120, F6 10,164; 60,000 in all. With
    the 840 fixed ones of the output 340,908 connections, biases included. Every layer up to F6 ends with
    :class:`ScaledTanh`. The 84 units of F6 are asked to draw the digit, 7 wide and 12 high: the output is the squared
    distance from the ten drawings (:class:`RadialBasis`), and what this network returns is minus that, so the nearest
    drawing is the answer.

    Under cross entropy such a logit is Eq. 9 without its class of rubbish (the constant j):

    .. math:: E = y_D + \log \sum_i e^{-y_i}

    There the length of F6's answer cancels: only its direction among the drawings is learned, as with a linear layer
    of fixed weights. :class:`~netsmith.models.vision.lenet5.LeNet5` is the form of today.

    Weights and biases are drawn evenly from :math:`\pm 2.4 / F` with F the number of inputs of a unit (appendix A).

    Deviations: the drawings are ours (the paper prints its own as Fig. 3). Images of 28 x 28 are made 32 x 32 by
    repeating their edges, which are the background; the paper's data come so.

    Shapes:
        ``(B, in_channels, S, S)`` to ``(B, 10)`` with S = 28 or 32.

    Raises:
        ConfigError: Images of another size, or another number of classes.
    """

    class Config(ModelConfig):
        """What the data decide; the form is the paper's.

        Attributes:
            in_channels: Channels of an image; the paper's have 1.
            image_size: Height and width in pixels: 28 or 32.
            num_classes: Number of classes: 10, one for each digit.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        published: ClassVar[Mapping[str, int]] = {"in_channels": 1, "image_size": 32, "num_classes": 10}

        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: LeNet5Of1998.Config) -> None:
        super().__init__()
        if config.image_size not in _PADDING:
            raise ConfigError(
                f"LeNet5Of1998.Config.image_size: expected 28 or 32, got {config.image_size}; "
                "resize the images, or use small_cnn, which takes any size"
            )
        if config.num_classes != 10:
            raise ConfigError(
                f"LeNet5Of1998.Config.num_classes: expected 10, a drawing for each digit, got {config.num_classes}; "
                "use lenet5, which takes any number"
            )
        self.padding = _PADDING[int(config.image_size)]
        self.features = nn.Sequential(
            OrderedDict(
                c1=_drawn(nn.Conv2d(int(config.in_channels), 6, 5)),  # (B, 6, 28, 28)
                squash1=ScaledTanh(),
                s2=Subsampling(6),  # (B, 6, 14, 14)
                squash2=ScaledTanh(),
                c3=ConnectedMaps(6, _TABLE, kernel=5),  # (B, 16, 10, 10)
                squash3=ScaledTanh(),
                s4=Subsampling(16),  # (B, 16, 5, 5)
                squash4=ScaledTanh(),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                c5=_drawn(nn.Conv2d(16, 120, 5)),  # (B, 120, 1, 1)
                squash5=ScaledTanh(),
                flatten=nn.Flatten(),
                f6=_drawn(nn.Linear(120, 84)),
                squash6=ScaledTanh(),
            )
        )
        self.head = RadialBasis(_drawings())

    def forward(self, images: Tensor) -> Tensor:
        """Return minus the squared distances."""
        if self.padding:
            images = F.pad(images, (self.padding,) * 4, mode="replicate")
        return -self.head(self.classifier(self.features(images)))

    def landmarks(self) -> dict[str, str]:
        """Return where the stem, the last feature map before subsampling and the head are."""
        return {"stem": "features.c1", "features": "features.squash3", "head": "head"}


def _drawings() -> Tensor:
    """Return the digits as ``(10, 84)``: 1 where there is ink, -1 elsewhere, row by row."""
    rows = [row.split() for row in _DIGITS.split("\n") if row]
    return torch.tensor([[1.0 if dot == "#" else -1.0 for row in rows for dot in row[digit]] for digit in range(10)])


def _drawn(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    _draw(*layer.parameters(), inputs=layer.weight[0].numel())
    return layer


@torch.no_grad()
def _draw(*values: Tensor, inputs: int) -> None:
    """Draw the weights of units with so many inputs (appendix A)."""
    for value in values:
        value.uniform_(-2.4 / inputs, 2.4 / inputs)
