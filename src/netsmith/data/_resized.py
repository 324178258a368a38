"""Images at the size that a network asks for, squashed when they are needed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.spec import Step
from netsmith.data._arrays import Part, digest

__all__ = ["resized"]


def resized(parts: Mapping[str, Part], size: int) -> tuple[dict[str, Part], tuple[Step, ...]]:
    """Return splits whose images are squashed to ``size`` x ``size`` when they are needed, and the step that says so.

    Bilinear and antialiased, as :class:`~netsmith.layers.preprocess.Preprocess` does, and rounded to whole values.

    Args:
        parts: The splits; ``fetch`` returns ``(B, C, H, W)`` uint8.
        size: Height and width in pixels.
    """
    return {
        name: dataclasses.replace(
            part,
            fetch=functools.partial(_squashed, part.fetch, size),
            sha256=digest(part.sha256, f"resized to {size}"),
        )
        for name, part in parts.items()
    }, (Step(name="resize", size=(size, size)),)


def _squashed(fetch: Callable[[Tensor], Tensor], size: int, at: Tensor) -> Tensor:
    images = fetch(at).to(torch.float32)
    images = F.interpolate(images, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return images.round_().to(torch.uint8)
