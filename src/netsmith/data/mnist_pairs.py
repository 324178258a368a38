"""Two MNIST digits in one large image (Ba, Mnih, Kavukcuoglu 2015, arXiv:1412.7755, section 4.1)."""

from __future__ import annotations

import functools
import itertools
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.spec import OutputKind
from netsmith.data._drawn import DIGIT_NAMES, DrawnFields, DrawnSource, paste, place, scatter_pieces
from netsmith.engine.random import keyed_uniform

__all__ = ["MnistPairs"]

_SIDE = 28
_PAIRS = tuple(itertools.combinations_with_replacement(range(10), 2))  # 55, the smaller digit first
_NAMES = {
    "pair": tuple(f"{a} and {b}" for a, b in _PAIRS),
    "sum": tuple(str(total) for total in range(19)),
    "sequence": DIGIT_NAMES,
}


class MnistPairs(DrawnSource):
    """Several objects in one image: the data of the deep recurrent attention model (DRAM).

    An example's own digit and another one of its split, drawn at random, lie on random places of an image of 100 x 100
    pixels and do not touch each other. What is asked:

    - ``pair``: which two digits, in no order: 55 classes. The paper adds distraction; set ``clutter``.
    - ``sum``: 19 classes, on an empty ground.
    - ``sequence``: both digits, that whose box begins further left first (where both begin in one column, the upper
      one): targets ``(B, 2)`` in 0..9 for the task ``tag``, as the house numbers of section 4.2 are read.

    Deviations: the paper does not say what its distraction is made of; here it is squares cut from random digits. Nor
    does it say whether digits may overlap; here their boxes do not.

    Raises:
        DataError: The official files of MNIST are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(DrawnFields):
        """The official files of MNIST, from ``$NETSMITH_DATA/mnist``, the cache, or the network.

        Attributes:
            target: What is asked.
            size: Height and width of an image, in pixels.
            clutter: Squares of 8 x 8 pixels from other digits on each image.
        """

        target: Literal["pair", "sum", "sequence"] = "sum"
        size: Annotated[int, Field(ge=84, le=256)] = 100
        clutter: Annotated[int, Field(ge=0, le=64)] = 0

    def __init__(self, config: Config) -> None:
        kind: OutputKind = "tags" if config.target == "sequence" else "classes"
        super().__init__(
            config,
            dataset="mnist-pairs",
            draw=functools.partial(_draw, config=config),
            answer=functools.partial(_answer, config=config),
            size=config.size,
            names=_NAMES[config.target],
            answers=kind,
        )


def _draw(digits: Tensor, at: Tensor, keys: Tensor, *, config: MnistPairs.Config) -> Tensor:
    canvas = digits.new_zeros(len(at), config.size, config.size)
    for which, corners in zip((at, _other(keys, len(digits))), _places(keys, size=config.size), strict=True):
        paste(canvas, digits[which, 0], corners)
    scatter_pieces(canvas, digits, keys, count=config.clutter, side=8)
    return canvas[:, None]


def _answer(labels: Tensor, at: Tensor, keys: Tensor, *, config: MnistPairs.Config) -> Tensor:
    ours, theirs = labels[at], labels[_other(keys, len(labels))]
    if config.target == "sum":
        return ours + theirs
    if config.target == "pair":
        low, high = torch.minimum(ours, theirs), torch.maximum(ours, theirs)
        return 10 * low - low * (low - 1) // 2 + high - low  # its place among _PAIRS
    first, second = (corners[:, 1] * config.size + corners[:, 0] for corners in _places(keys, size=config.size))
    both = torch.stack([ours, theirs], dim=1)  # (B, 2)
    return torch.where((first <= second)[:, None], both, both.flip(1))


def _other(keys: Tensor, count: int) -> Tensor:
    """Return which digit of the split stands beside the example's own."""
    return (keyed_uniform(keys, stream="pairs/other") * count).long()


def _places(keys: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    """Draw the corners of two boxes that have no pixel in common: ``(B, 2)`` rows and columns each."""
    drawn = place(keys, size=size, side=_SIDE, stream="pairs/places", count=9)  # (B, 9, 2)
    first, others = drawn[:, 0], drawn[:, 1:]
    apart = ((others - first[:, None]).abs() >= _SIDE).any(-1)  # (B, 8)
    second = others[torch.arange(len(keys)), apart.long().argmax(1)]
    # All eight may overlap: then the corner that is farthest from the first box, 28 pixels at least from 84 on.
    far = torch.where(first < (size - _SIDE + 1) // 2, size - _SIDE, 0)
    return first, torch.where(apart.any(1)[:, None], second, far)
