"""MNIST digits somewhere in a larger image, alone or among clutter (Mnih et al. 2014, arXiv:1406.6247, section 4.1)."""

from __future__ import annotations

import functools
from typing import Annotated

from pydantic import Field, model_validator
from torch import Tensor

from netsmith.data._drawn import DrawnFields, DrawnSource, paste, place, scatter_pieces

__all__ = ["TranslatedMnist"]


class TranslatedMnist(DrawnSource):
    """Where the digit is must be found: the data of the recurrent model of visual attention.

    ``clutter=0`` is the paper's Translated MNIST, ``clutter=4`` its Cluttered Translated MNIST: squares of 8 x 8 pixels
    cut from random digits are added at random places. ``size=100`` is its larger form. Splits are those of MNIST.

    Deviation: the paper does not say how what overlaps is put together; here the brighter value stays.

    Raises:
        DataError: The official files of MNIST are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(DrawnFields):
        """The official files of MNIST, from ``$NETSMITH_DATA/mnist``, the cache, or the network.

        Attributes:
            size: Height and width of an image, in pixels.
            clutter: Squares from other digits on each image.
            clutter_size: Height and width of such a square, in pixels.
        """

        size: Annotated[int, Field(ge=28, le=256)] = 60
        clutter: Annotated[int, Field(ge=0, le=64)] = 0
        clutter_size: Annotated[int, Field(ge=1, le=28)] = 8

        @model_validator(mode="after")
        def _check(self) -> TranslatedMnist.Config:
            if not self.clutter and self.clutter_size != 8:
                raise ValueError(f"clutter_size={self.clutter_size} means nothing with clutter=0; leave it out")
            return self

    def __init__(self, config: Config) -> None:
        name = "cluttered-translated-mnist" if config.clutter else "translated-mnist"
        draw = functools.partial(_draw, config=config)
        super().__init__(config, dataset=name, draw=draw, size=config.size)


def _draw(digits: Tensor, at: Tensor, keys: Tensor, *, config: TranslatedMnist.Config) -> Tensor:
    canvas = digits.new_zeros(len(at), config.size, config.size)
    paste(canvas, digits[at, 0], place(keys, size=config.size, side=28, stream="digit")[:, 0])
    scatter_pieces(canvas, digits, keys, count=config.clutter, side=config.clutter_size)
    return canvas[:, None]
