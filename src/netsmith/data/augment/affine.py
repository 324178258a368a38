"""Random rotation, shift, scale and shear in one bilinear resampling (Simard, Steinkraus, Platt 2003, section 2)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_uniform

__all__ = ["Affine"]


class Affine:
    r"""Resample each image under a random affine map about its center; what comes in from outside is 0.

    The output pixel at ``p`` (in pixels from the center) takes its value at :math:`A^{-1}(p - t)`, where

    .. math:: A = R(\theta)\, \begin{pmatrix} 1 & \tan\phi \\ 0 & 1 \end{pmatrix} s

    with the angle, shear angle and shift uniform in plus-minus their bounds and the scale uniform in its range.

    Shapes:
        ``(B, C, H, W)`` in 0..1 to the same.
    """

    class Config(AugmentConfig):
        """Random affine map.

        Attributes:
            degrees: Largest rotation, either way.
            shift: Largest shift, as a share of the height and of the width.
            scale: Smallest and largest factor; above 1 enlarges.
            shear: Largest shear angle in degrees, either way.
        """

        degrees: Annotated[float, Field(ge=0, le=180)] = 10.0
        shift: Annotated[float, Field(ge=0, le=1)] = 0.1
        scale: tuple[float, float] = (0.9, 1.1)
        shear: Annotated[float, Field(ge=0, lt=90)] = 0.0

        @model_validator(mode="after")
        def _check(self) -> Affine.Config:
            if not 0 < self.scale[0] <= self.scale[1]:
                raise ValueError(f"scale must be two positive factors, the smaller first; got {self.scale}")
            return self

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the resampled images; the maps are a function of the keys alone."""
        config, (_, _, height, width) = self.config, images.shape
        u = keyed_uniform(keys, 5, stream="affine") * 2 - 1  # (B, 5) in -1..1
        angle, shear = u[:, 0] * math.radians(config.degrees), u[:, 1] * math.radians(config.shear)
        low, high = config.scale
        scale = low + (high - low) * (u[:, 2] + 1) / 2
        shift_x, shift_y = u[:, 3] * config.shift * width, u[:, 4] * config.shift * height  # pixels
        cos, sin, tan = angle.cos() / scale, angle.sin() / scale, shear.tan()
        # The inverse: undo the rotation and scale, then the shear x' = x + tan(phi) y.
        inverse = torch.stack([cos + tan * sin, sin - tan * cos, -sin, cos], dim=1).view(-1, 2, 2)
        x = torch.arange(width, dtype=torch.float64, device=images.device) - (width - 1) / 2
        y = torch.arange(height, dtype=torch.float64, device=images.device) - (height - 1) / 2
        x, y = x[None, None, :] - shift_x[:, None, None], y[None, :, None] - shift_y[:, None, None]
        source_x = inverse[:, 0, 0, None, None] * x + inverse[:, 0, 1, None, None] * y  # (B, H, W) pixels from center
        source_y = inverse[:, 1, 0, None, None] * x + inverse[:, 1, 1, None, None] * y
        grid = torch.stack([source_x * 2 / width, source_y * 2 / height], dim=-1).to(images.dtype)  # (B, H, W, 2)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
