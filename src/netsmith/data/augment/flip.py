"""Random mirror image (Krizhevsky, Sutskever, Hinton 2012, section 4.1: "horizontal reflections")."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.roles import AugmentConfig
from netsmith.engine.random import keyed_uniform

__all__ = ["Flip"]


class Flip:
    """Mirror each image left to right with some probability; not for digits and letters.

    Shapes:
        ``(B, C, H, W)`` to the same.
    """

    class Config(AugmentConfig):
        """Random horizontal flip.

        Attributes:
            probability: How often.
        """

        probability: Annotated[float, Field(ge=0, le=1)] = 0.5

    def __init__(self, config: Config) -> None:
        self.probability = config.probability

    def __call__(self, images: Tensor, keys: Tensor) -> Tensor:
        """Return the images, some mirrored; which ones is a function of the keys alone."""
        chosen = keyed_uniform(keys, stream="flip") < self.probability  # (B,)
        return torch.where(chosen[:, None, None, None], images.flip(-1), images)
