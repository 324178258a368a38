"""Random crop of the padded image (He et al. 2016, section 4.2: "4 pixels are padded on each side")."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_uniform

__all__ = ["Crop"]


class Crop:
    """Shift each image by up to ``padding`` pixels; what comes in from outside is 0.

    The offsets are ``floor((2 padding + 1) u)`` for rows and columns, ``u`` uniform, so every offset is equally likely.

    Shapes:
        ``(B, C, H, W)`` in 0..1 to the same.
    """

    class Config(AugmentConfig):
        """Random crop.

        Attributes:
            padding: Pixels added on each side before the crop.
        """

        padding: Annotated[int, Field(gt=0)] = 4

    def __init__(self, config: Config) -> None:
        self.padding = config.padding

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the cropped images; the offsets are a function of the keys alone."""
        pad = self.padding
        _, _, height, width = images.shape
        padded = F.pad(images, (pad, pad, pad, pad))
        offsets = (keyed_uniform(keys, 2, stream="crop") * (2 * pad + 1)).long()  # (B, 2)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2 pad + 1, 2 pad + 1, H, W), a view
        return windows[torch.arange(len(images), device=images.device), :, offsets[:, 0], offsets[:, 1]]
