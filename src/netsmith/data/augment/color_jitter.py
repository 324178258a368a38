"""Random brightness, contrast and saturation (Howard, "Some Improvements on Deep CNN ...", arXiv:1312.5402)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_uniform

__all__ = ["ColorJitter"]

_LUMA = (0.299, 0.587, 0.114)


class ColorJitter:
    r"""Blend each image with black, with its mean gray, and with its own gray picture, in this order.

    .. math:: x \leftarrow \mathrm{clip}_{0..1}\left(f x + (1 - f) y\right), \qquad f \sim U(1 - b, 1 + b)

    with ``y`` = 0 for brightness, the mean gray value of the image for contrast, its gray picture for saturation.

    Shapes:
        ``(B, C, H, W)`` in 0..1 to the same; ``C`` is 1 or 3.

    Raises:
        ConfigError: Saturation is asked for where there is one channel.
    """

    class Config(AugmentConfig):
        """Random colors.

        Attributes:
            brightness: Bound ``b`` of the factor's distance from 1; 0 for none.
            contrast: The same for contrast.
            saturation: The same for saturation; 0 for gray images.
        """

        brightness: Annotated[float, Field(ge=0, le=1)] = 0.2
        contrast: Annotated[float, Field(ge=0, le=1)] = 0.2
        saturation: Annotated[float, Field(ge=0, le=1)] = 0.0

    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the images in other colors; the factors are a function of the keys alone."""
        config = self.config
        if config.saturation and images.shape[1] != 3:
            raise ConfigError(
                f"color_jitter: saturation={config.saturation} needs 3 channels, got {images.shape[1]}; set it to 0"
            )
        bounds = torch.tensor([config.brightness, config.contrast, config.saturation], dtype=torch.float64)
        u = keyed_uniform(keys, 3, stream="color_jitter") * 2 - 1
        factors = (1 + u * bounds.to(u.device)).to(images.dtype)[:, :, None, None, None]  # (B, 3, 1, 1, 1)
        if config.brightness:
            images = (factors[:, 0] * images).clamp(0, 1)
        if config.contrast:
            images = _blend(images, _gray(images).mean(dim=(2, 3), keepdim=True), factors[:, 1])
        if config.saturation:
            images = _blend(images, _gray(images), factors[:, 2])
        return images


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (factor * images + (1 - factor) * other).clamp(0, 1)


def _gray(images: Tensor) -> Tensor:
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    return _LUMA[0] * images[:, 0:1] + _LUMA[1] * images[:, 1:2] + _LUMA[2] * images[:, 2:3]
