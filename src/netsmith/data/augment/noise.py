"""Random normal noise on every pixel (Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", 1995)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_normal

__all__ = ["Noise"]


class Noise:
    """Add independent normal noise and clip to 0..1.

    Shapes:
        ``(B, C, H, W)`` in 0..1 to the same.
    """

    class Config(AugmentConfig):
        """Random noise.

        Attributes:
            std: Standard deviation, in units of the range 0..1.
        """

        std: Annotated[float, Field(gt=0, le=1)] = 0.05

    def __init__(self, config: Config) -> None:
        self.std = config.std

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the noisy images; the noise is a function of the keys alone."""
        noise = keyed_normal(keys, *images.shape[1:], stream="noise").to(images.dtype)
        return (images + self.std * noise).clamp(0, 1)
