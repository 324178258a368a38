"""What keeps a drawn picture from being noise: total variation and a Gaussian blur."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["gaussian_blur", "total_variation"]


def total_variation(images: Tensor) -> Tensor:
    """Return the mean absolute difference of vertical plus that of horizontal neighbors: ``(K,)``."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().flatten(1)
    right = (images[..., 1:] - images[..., :-1]).abs().flatten(1)
    return down.sum(1) / max(1, down.shape[1]) + right.sum(1) / max(1, right.shape[1])


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, separable, with the edge repeated outside."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    channels = images.shape[1]
    padded = F.pad(images, [radius] * 4, mode="replicate")
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
