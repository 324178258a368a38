"""Drawn scenes of colored shapes, each with five captions whose facts can be checked."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.keys import key as named_key
from netsmith.data._arrays import array_part
from netsmith.data._captions import CaptionFields, CaptionSource
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.layers.shape_scenes import COLORS, PLACES, SHAPES, SIZES, Thing, true_captions

__all__ = ["ShapeCaptions", "draw_pictures", "draw_scenes"]

_SIDE = 32
_FINE = 4  # sub-pixels per pixel and axis
_CELL = _SIDE // 2
_MOST = 3
_CAPTIONS = 5
_AT_ONCE = 250
_EVALUATION = {"dev": 500, "test": 1000}
_INKS = ((0.85, 0.15, 0.15), (0.1, 0.7, 0.2), (0.2, 0.3, 0.9), (0.9, 0.85, 0.15))  # as COLORS


class ShapeCaptions(CaptionSource):
    """Say what is in a picture, where the answer can be checked: number, size, color, shape, place, relation.

    A picture of 32 x 32 pixels has one to three shapes, each in a quarter of its own, on a gray ground with noise.
    Five captions are drawn of those that :func:`~netsmith.layers.shape_scenes.true_captions` has for it. Each shape has
    one place in which it is never seen in training and dev; in the test every shape may be anywhere, so that about four
    pictures in ten hold a pair of shape and place that is new. Nothing is read; the same for all time from ``seed``.

    Evaluation also gets the ``scene`` ``(B, 3, 4)`` (of each thing :class:`~netsmith.layers.shape_scenes.Thing`, -1
    where there is none), against which what a text states is checked.
    """

    class Config(CaptionFields):
        """How many, and which picture goes with which captions.

        Attributes:
            size: Training pictures.
            seed: Of all of them.
            shuffled: Each picture goes with the captions and the scene of another: the control, in which nothing but
                the language can be learned.
            twin: 400 training pictures.
        """

        size: int = Field(default=6000, ge=10, le=1_000_000)
        seed: int = Field(default=0, ge=0)
        shuffled: bool = False

    def __init__(self, config: Config) -> None:
        sizes = {"train": 400 if config.twin else config.size}
        sizes |= {split: 100 if config.twin else size for split, size in _EVALUATION.items()}
        keys = {
            split: example_keys(named_key(config.seed, "shape_captions", split), torch.arange(size))
            for split, size in sizes.items()
        }
        self._scenes = {split: draw_scenes(found, everywhere=split == "test") for split, found in keys.items()}
        # Neighbors are independent draws: each picture's successor is as good as any other.
        shift = self._shift = int(config.shuffled)
        pictures = {split: draw_pictures(self._scenes[split], found)[0] for split, found in keys.items()}
        super().__init__(
            config,
            dataset="shape_captions",
            captions={split: _captions(self._scenes[split], found) for split, found in keys.items()},
            part=lambda split, targets: array_part(
                pictures[split].roll(shift, 0), targets, made="drawn", seed=config.seed
            ),
            shape=(3, _SIDE, _SIDE),
        )
        self._keys = keys

    def scene(self, split: str, index: int) -> list[Thing]:
        """Return the things of a scene."""
        return things(self._scenes[split][index])

    def boxes(self, split: str, indices: Tensor) -> Tensor:
        """Return the box of each thing in pixels, ``(B, 3, 4)``: top, left, bottom, right; -1 where there is none."""
        shown = (indices - self._shift) % len(self._keys[split])  # the scene of the picture, not that of the captions
        return draw_pictures(self._scenes[split][shown], self._keys[split][shown])[1]

    def _known(self, split: str, indices: Tensor) -> dict[str, Tensor]:
        return {"scene": self._scenes[split][indices]}


def draw_scenes(keys: Tensor, *, everywhere: bool) -> Tensor:
    """Return scenes ``(B, 3, 4)`` int64: size, color, shape and place of up to three things, -1 where there is none.

    Args:
        keys: ``(B,)``.
        everywhere: Each shape may be at each place; else shape s never is at place -s modulo 4.
    """
    u = keyed_uniform(keys, _MOST, 3, stream="scene/thing")
    place = keyed_uniform(keys, len(PLACES), stream="scene/place").argsort(1)[:, :_MOST]  # (B, 3)
    count = (keyed_uniform(keys, stream="scene/count") * _MOST).long() + 1
    size, color = (u[..., 0] * len(SIZES)).long(), (u[..., 1] * len(COLORS)).long()
    if everywhere:
        shape = (u[..., 2] * len(SHAPES)).long()
    else:
        shape = (1 - place + (u[..., 2] * (len(SHAPES) - 1)).long()) % len(SHAPES)  # all but -place
    scenes = torch.stack([size, color, shape, place], 2)
    return scenes.masked_fill((torch.arange(_MOST) >= count[:, None])[..., None], -1)


def things(scene: Tensor) -> list[Thing]:
    """Return the things of one scene ``(3, 4)``."""
    return [Thing(*row) for row in scene.tolist() if row[0] >= 0]


def draw_pictures(scenes: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Draw scenes: ``(B, 3, 32, 32)`` uint8, and the boxes of the things ``(B, 3, 4)`` in pixels.

    Args:
        scenes: ``(B, 3, 4)``.
        keys: ``(B,)``, which decide place within the quarter, exact size and color, a small turn, ground and noise.
    """
    found = [_draw(*part) for part in zip(scenes.split(_AT_ONCE), keys.split(_AT_ONCE), strict=True)]
    return torch.cat([pictures for pictures, _ in found]), torch.cat([boxes for _, boxes in found])


def _draw(scenes: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    size, color, shape, place = scenes.unbind(2)  # (B, 3)
    u = keyed_uniform(keys, _MOST, 4, stream="scene/picture")
    ink = keyed_uniform(keys, _MOST, 3, stream="scene/ink")
    radius = torch.where(size == 1, 5.5 + 1.5 * u[..., 0], 3.2 + 0.8 * u[..., 0])
    inside = radius[..., None] + (_CELL - 2 * radius[..., None]) * u[..., 1:3]  # its center in its quarter
    center = torch.stack([place // 2, place % 2], 2) * _CELL + inside
    boxes = torch.cat([center - radius[..., None], center + radius[..., None]], 2).masked_fill(shape[..., None] < 0, -1)
    turn = (u[..., 3] - 0.5) * math.pi / 6
    axis = (torch.arange(_CELL * _FINE, dtype=torch.float64) + 0.5) / _FINE
    at = torch.arange(len(scenes))
    ground = 0.25 + 0.3 * keyed_uniform(keys, 1, 1, 1, 1, stream="scene/ground")
    quarters = ground.repeat(1, len(PLACES), 3, _CELL, _CELL)
    inks = torch.tensor(_INKS, dtype=torch.float64)
    for number in range(_MOST):
        r = radius[:, number, None, None]
        dy = axis[:, None] - inside[:, number, :1, None]
        dx = axis - inside[:, number, 1:, None]  # (B, 1, S) in the quarter
        cos, sin = turn[:, number, None, None].cos(), turn[:, number, None, None].sin()
        right, down = (cos * dx + sin * dy) / r, (cos * dy - sin * dx) / r  # (B, S, S), 1 is the radius
        outer = torch.maximum(right.abs(), down.abs())
        forms = (
            right**2 + down**2 <= 1,
            outer <= 0.8,
            (down <= 0.6) & (down >= 1.8 * right.abs() - 1),
            (outer <= 0.95) & (torch.minimum(right.abs(), down.abs()) <= 0.3),
        )
        form = torch.stack(forms, 1)[at, shape[:, number]] & (shape[:, number] >= 0)[:, None, None]
        cover = F.avg_pool2d(form.double()[:, None], _FINE)  # (B, 1, 16, 16)
        tone = inks[color[:, number]] + 0.2 * (ink[:, number] - 0.5)  # (B, 3)
        where = at, place[:, number]
        quarters[where] = cover * tone[..., None, None] + (1 - cover) * quarters[where]
    pictures = quarters.unflatten(1, (2, 2)).permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, _SIDE, _SIDE)
    pictures = pictures + 0.06 * (keyed_uniform(keys, 3, _SIDE, _SIDE, stream="scene/noise") - 0.5)
    return (255 * pictures.clamp(0, 1)).round().to(torch.uint8), boxes


def _captions(scenes: Tensor, keys: Tensor) -> list[list[str]]:
    """Return five different captions of each scene."""
    found = []
    draws = keyed_uniform(keys, 100, stream="scene/captions")
    for scene, draw in zip(scenes, draws, strict=True):
        texts = true_captions(things(scene))
        found.append([texts[place] for place in draw[: len(texts)].argsort()[:_CAPTIONS].tolist()])
    return found
