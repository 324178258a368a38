"""Drawn triangles, rectangles and ellipses, each with a known difficulty (after Bengio et al. 2009, section 5)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.data._arrays import ImageFields, ImageSource, array_part
from netsmith.engine.random import example_keys, keyed_uniform

__all__ = ["Shapes"]

_SIDE = 32
_AT_ONCE = 500
_SIZES = {"train": 0, "dev": 1000, "test": 2000}


class Shapes(ImageSource):
    """Which of three shapes is it: the data of the first curriculum.

    An image has one shape of random place, size, angle and gray on a darker ground. Its *difficulty* d in 0..1
    says how far it is from the regular shape: at 0 it is an equilateral triangle, a square or a circle (the paper's
    BasicShapes), and at 1 the shorter axis is 0.3 of the longer one and the corners of the triangle are moved
    (GeomShapes). The paper has two sets, one of each kind; here d is uniform, so that examples can be ordered. Nothing
    is read; the same for all time from ``seed``.
    """

    class Config(ImageFields):
        """How many.

        Attributes:
            size: Training examples.
            seed: Of all of them.
            twin: 600 training examples.
        """

        size: int = Field(default=3000, ge=3, le=1_000_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: Config) -> None:
        self._grades: dict[str, Tensor] = {}
        parts = {}
        for split, size in (_SIZES | {"train": 600 if config.twin else config.size}).items():
            keys = example_keys(named_key(config.seed, "shapes", split), torch.arange(size))
            labels = torch.arange(size) % 3
            grades = self._grades[split] = keyed_uniform(keys, stream="shapes/difficulty")
            cut = zip(*(part.split(_AT_ONCE) for part in (keys, labels, grades)), strict=True)
            images = torch.cat([_draw(*part) for part in cut])
            parts[split] = array_part(images, labels, made="drawn", seed=config.seed)
        names = ("triangle", "rectangle", "ellipse")
        super().__init__(config, dataset="shapes", parts=parts, shape=(1, _SIDE, _SIDE), names=names)

    def difficulty(self, split: str) -> Tensor:
        """Return d of each example, ``(N,)`` in 0..1."""
        return self._grades[split]


def _draw(keys: Tensor, labels: Tensor, difficulty: Tensor) -> Tensor:
    """Return ``(B, 1, 32, 32)`` uint8."""
    u = keyed_uniform(keys, 12, stream="shapes")
    radius = 7 + 6 * u[:, 0]
    center = radius[:, None] + (_SIDE - 1 - 2 * radius[:, None]) * u[:, 1:3]  # the whole shape is in the image
    axis = torch.arange(_SIDE, dtype=torch.float64)
    dy = axis[None, :, None] - center[:, 0, None, None]
    dx = axis[None, None, :] - center[:, 1, None, None]
    angle = 2 * math.pi * u[:, 3, None, None]
    along, across = angle.cos() * dx + angle.sin() * dy, angle.cos() * dy - angle.sin() * dx  # (B, 32, 32)
    long, short = radius[:, None, None], (radius * (1 - 0.7 * difficulty))[:, None, None]
    ellipse = (along / long) ** 2 + (across / short) ** 2 <= 1
    # the corners of a rectangle lie on the circle of the radius
    scale = long / (long**2 + short**2).sqrt()
    rectangle = (along.abs() <= long * scale) & (across.abs() <= short * scale)
    corners = 2 * math.pi / 3 * (torch.arange(3) + 0.6 * difficulty[:, None] * (u[:, 4:7] - 0.5))  # (B, 3)
    x, y = radius[:, None] * corners.cos(), radius[:, None] * corners.sin() * (1 - 0.5 * difficulty[:, None])
    triangle = torch.ones_like(ellipse)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        ax, ay, bx, by = (part[:, at, None, None] for at in (a, b) for part in (x, y))
        triangle &= (bx - ax) * (across - ay) - (by - ay) * (along - ax) >= 0
    inside = torch.where(
        (labels == 0)[:, None, None], triangle, torch.where((labels == 1)[:, None, None], rectangle, ellipse)
    )
    ground = 0.5 * u[:, 7]
    ink = ground + 0.25 + 0.25 * u[:, 8]
    gray = torch.where(inside, ink[:, None, None], ground[:, None, None])
    return (255 * gray).round().to(torch.uint8)[:, None]
