"""A glimpse: what an eye sees of an image at one place (Mnih, Heess, Graves & Kavukcuoglu 2014, arXiv:1406.6247)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["glimpse"]


def glimpse(images: Tensor, places: Tensor, *, size: int, scales: int = 1) -> Tensor:
    r"""Return square patches around one place of each image, sharp in the middle and coarse around it (section 3.1).

    The k-th patch has sides of :math:`g \cdot 2^{k-1}` pixels and is averaged down to ``g`` x ``g``: the paper's
    :math:`\rho(x, l)`. It is cut out of the image, at whole pixels; what lies outside is 0. So the glimpse has a
    gradient with respect to the image and none with respect to the place: where to look is learned from reward.

    Args:
        images: ``(B, C, H, W)``.
        places: ``(B, 2)``, x before y: -1 and 1 are the outer edges of the image, (0, 0) is its center.
        size: The side g in pixels.
        scales: How many patches, each twice as wide as the one before.

    Returns:
        ``(B, scales * C, size, size)``, the sharpest first.

    Example:
        >>> glimpse(torch.arange(16.0).view(1, 1, 4, 4), torch.tensor([[0.0, 0.0]]), size=2)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])
    """
    height, width = images.shape[2:]
    margin = size * 2 ** (scales - 1) // 2 + 1
    padded = F.pad(images, [margin] * 4)
    x, y = ((places.detach() + 1) / 2).unbind(1)  # (B,) from the outer edge, in 0..1
    found = []
    for scale in range(scales):
        side = size * 2**scale
        # Half a pixel is rounded up, everywhere: torch.round would go to the even one.
        reach = torch.arange(side, device=images.device) + margin
        columns = torch.floor(x * width - side / 2 + 0.5).long()[:, None] + reach  # (B, side)
        rows = torch.floor(y * height - side / 2 + 0.5).long()[:, None] + reach
        patch = padded.gather(2, rows[:, None, :, None].expand(-1, padded.shape[1], -1, padded.shape[3]))
        patch = patch.gather(3, columns[:, None, None, :].expand(-1, padded.shape[1], side, -1))
        found.append(F.avg_pool2d(patch, 2**scale) if scale else patch)
    return torch.cat(found, 1)
