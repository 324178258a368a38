"""Synthetic twins of image data sets: the shapes, types and class count of the real files, made from a seed.

Class ``c`` is one two-dimensional cosine wave (a basis picture of the DCT-II) of random sign and strength on a gray
ground with noise. The sign makes the mean picture of every class the same gray, so a linear model stays near chance,
while one hidden layer (``|w.x|``) or a small convolutional network separates the classes. A wave mirrored is the same
wave up to its sign: flips keep the class.

Where images are turned and moved a wave would become another class's: :func:`twin_digits` draws the ten digits of a
seven-segment display instead.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key

__all__ = ["twin_digits", "twin_images"]


def _waves(classes: int, height: int, width: int) -> Tensor:
    """Return one wave per class, lowest frequencies first: ``(classes, H, W)`` in -1..1."""
    pairs = itertools.product(range(min(height, 16)), range(min(width, 16)))
    chosen = sorted((pair for pair in pairs if pair != (0, 0)), key=lambda pair: (max(pair), sum(pair), pair))[:classes]
    if len(chosen) < classes:
        raise ValueError(f"a twin of {height} x {width} pixels has {len(chosen)} classes; {classes} were asked for")
    rows = (torch.arange(height, dtype=torch.float64) + 0.5) * math.pi / height
    columns = (torch.arange(width, dtype=torch.float64) + 0.5) * math.pi / width
    return torch.stack([torch.outer(torch.cos(v * rows), torch.cos(h * columns)) for v, h in chosen])


def twin_images(
    name: str, *, count: int, classes: int, shape: tuple[int, int, int], high: int = 255
) -> tuple[Tensor, Tensor]:
    """Make a twin's images and labels; a pure function of its arguments.

    Args:
        name: Which part of which data set, for example ``"mnist/train"``; other names give other examples.
        count: Number of examples; the classes are as equal as can be, in random order.
        classes: Number of classes.
        shape: ``(C, H, W)``; each channel carries the wave with a sign of its own.
        high: The largest raw value.

    Returns:
        Images ``(count, C, H, W)`` uint8 and labels ``(count,)`` int64.
    """
    channels, height, width = shape
    generator = torch.Generator().manual_seed(named_key(0, "twin", name))
    labels = torch.arange(count) % classes
    labels = labels[torch.randperm(count, generator=generator)]
    signs = torch.randint(0, 2, (count, channels, 1, 1), generator=generator) * 2.0 - 1.0
    strength = 0.25 + 0.2 * torch.rand(count, 1, 1, 1, generator=generator)
    waves = _waves(classes, height, width).to(torch.float32)[labels][:, None]  # (count, 1, H, W)
    noise = 0.06 * torch.randn(count, channels, height, width, generator=generator)
    images = 0.5 + signs * strength * waves + noise
    return (images.clamp(0, 1) * high).round().to(torch.uint8), labels


_SEGMENTS = (  # from and to, in columns and rows of a box of 1 x 2; in the order of the letters A to G
    ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (1, 2)), ((0, 2), (1, 2)), ((0, 1), (0, 2)), ((0, 0), (0, 1)),
    ((0, 1), (1, 1)),
)  # fmt: skip
_LIT = ("ABCDEF", "BC", "ABDEG", "ABCDG", "BCFG", "ACDFG", "ACDEFG", "ABC", "ABCDEFG", "ABCDFG")


def twin_digits(name: str, *, count: int) -> tuple[Tensor, Tensor]:
    """Make images of 28 x 28 pixels with a digit of seven segments each, of random width, slant and stroke.

    Args:
        name: Which part of which data set; other names give other examples.
        count: Number of examples; the digits are as equal as can be, in random order.

    Returns:
        Images ``(count, 1, 28, 28)`` uint8, bright on black, and labels ``(count,)`` int64.
    """
    generator = torch.Generator().manual_seed(named_key(0, "twin", name))
    labels = torch.arange(count) % 10
    labels = labels[torch.randperm(count, generator=generator)]
    draws = torch.rand(count, 5, generator=generator)
    width, height, slant = 7 + 3 * draws[:, 0], 8 + 2 * draws[:, 1], (draws[:, 2] - 0.5) * 0.6  # of a segment, pixels
    stroke, ink = 1.2 + 0.8 * draws[:, 3], 0.7 + 0.3 * draws[:, 4]
    ends = torch.tensor(_SEGMENTS, dtype=torch.float32) - torch.tensor([0.5, 1.0])  # (7, 2, 2)
    y = ends[..., 1] * height[:, None, None]  # (count, 7, 2)
    x = ends[..., 0] * width[:, None, None] - slant[:, None, None] * y
    start, end = torch.stack([x, y], -1).unbind(2)  # (count, 7, 2) each
    line = torch.arange(28) - 13.5
    pixels = torch.stack([line.expand(28, 28), line[:, None].expand(28, 28)], -1).reshape(-1, 2)
    lit = torch.tensor([[letter in letters for letter in "ABCDEFG"] for letters in _LIT])[labels]  # (count, 7)
    distance = torch.full((count, 28 * 28), torch.inf)
    for segment in range(7):
        a, along = start[:, segment, None], (end - start)[:, segment, None]  # (count, 1, 2)
        share = ((pixels - a) * along).sum(-1, keepdim=True) / along.square().sum(-1, keepdim=True)
        here = (pixels - a - share.clamp(0, 1) * along).square().sum(-1).sqrt()
        distance = torch.where(lit[:, segment, None] & (here < distance), here, distance)
    bright = (stroke[:, None] + 0.5 - distance).clamp(0, 1) * ink[:, None]
    return (bright * 255).round().to(torch.uint8).view(count, 1, 28, 28), labels
