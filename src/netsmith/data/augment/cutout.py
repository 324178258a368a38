"""Random square set to one value (DeVries, Taylor, "Improved Regularization ... with Cutout", arXiv:1708.04552)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_uniform

__all__ = ["Cutout"]


class Cutout:
    """Cover one square of each image; its center is any pixel, so a part of it may fall outside, as in the paper.

    Deviation: the paper covers with 0 after normalization (the mean); here the value is given, in 0..1.

    Shapes:
        ``(B, C, H, W)`` in 0..1 to the same.
    """

    class Config(AugmentConfig):
        """Random square.

        Attributes:
            size: Side in pixels.
            fill: The value in 0..1 that covers it.
        """

        size: Annotated[int, Field(gt=0)] = 8
        fill: Annotated[float, Field(ge=0, le=1)] = 0.0

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the images with a square covered; where is a function of the keys alone."""
        _, _, height, width = images.shape
        u = keyed_uniform(keys, 2, stream="cutout")
        rows = _covered(u[:, 0], height, self.config.size)  # (B, H)
        columns = _covered(u[:, 1], width, self.config.size)  # (B, W)
        return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], self.config.fill)


def _covered(u: Tensor, length: int, size: int) -> Tensor:
    start = (u * length).long() - size // 2  # (B,)
    at = torch.arange(length, device=u.device)
    return (at >= start[:, None]) & (at < start[:, None] + size)
