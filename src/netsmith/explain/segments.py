r"""Segments: the parts of an input that LIME and Shapley values switch on and off together.

A map of segments is an int64 tensor that broadcasts to the inputs; places of one number belong together, -1 marks
places that are never switched off (padding). Squares (:func:`grid_segments`) suit every picture; superpixels follow its
edges (SLIC, Achanta et al. 2012, doi:10.1109/TPAMI.2012.120): k-means over color and place with the distance

.. math:: D^2 = d_{color}^2 + \Big(\frac{d_{place}}{S}\Big)^2 m^2, \qquad S = \sqrt{H W / K}
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netsmith.core.errors import UserError

__all__ = ["grid_segments", "superpixels", "token_segments"]


def grid_segments(height: int, width: int, *, cells: int = 7) -> Tensor:
    """Cut a picture into ``cells`` x ``cells`` rectangles of nearly the same size.

    Args:
        height: In pixels.
        width: In pixels.
        cells: Rectangles per axis, fewer where the picture has fewer pixels.

    Returns:
        ``(1, 1, H, W)`` int64, numbered row by row.

    Raises:
        UserError: A size or a number below 1.
    """
    if min(height, width, cells) < 1:
        raise UserError(f"height is {height}, width is {width}, cells is {cells}; expected at least 1 each")
    down, right = min(cells, height), min(cells, width)
    rows = torch.arange(height) * down // height
    columns = torch.arange(width) * right // width
    return (rows[:, None] * right + columns)[None, None]


def superpixels(images: Tensor, *, count: int = 50, compactness: float = 0.2, iterations: int = 10) -> Tensor:
    """Cut each picture along its edges into about ``count`` pieces.

    Deviations from the paper: distances to all centers are taken, not only to the near ones; pieces may consist of
    several islands; color is what the channels hold, not CIELAB.

    Args:
        images: ``(B, C, H, W)``, in 0..1 for the ``compactness`` to mean the same everywhere.
        count: The paper's K, about.
        compactness: The paper's m, in units of color: larger ones give squares.
        iterations: Rounds of k-means; the paper takes 10.

    Returns:
        ``(B, 1, H, W)`` int64, numbered 0.. without gaps in each picture.

    Raises:
        UserError: Other shapes, or settings out of range.
    """
    if images.dim() != 4 or count < 1 or iterations < 0 or not compactness > 0:
        raise UserError(
            f"images {tuple(images.shape)}, count {count}, compactness {compactness}, iterations {iterations}; "
            "expected (B, C, H, W), count >= 1, compactness > 0, iterations >= 0"
        )
    height, width = images.shape[2:]
    step = math.sqrt(height * width / min(count, height * width))  # S
    start = grid_segments(height, width, cells=max(1, round(math.sqrt(count)))).flatten()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([rows, columns], -1).flatten(0, 1).double() * compactness / step  # (H * W, 2)
    found = []
    for image in images.detach().cpu().double():
        points = torch.cat([image.flatten(1).T, place], 1)  # (H * W, C + 2)
        labels, pieces = start, int(start.max()) + 1
        for _ in range(iterations):
            sizes = torch.bincount(labels, minlength=pieces)
            sums = points.new_zeros(pieces, points.shape[1]).index_add(0, labels, points)
            centers = torch.where(sizes[:, None] > 0, sums / sizes.clamp(min=1)[:, None], math.inf)
            centers = centers[sizes > 0]
            pieces = len(centers)
            labels = torch.cdist(points, centers).argmin(1)
        found.append(torch.unique(labels, return_inverse=True)[1].reshape(1, height, width))
    return torch.stack(found).to(images.device)


def token_segments(tokens: Tensor, *, padding: int = 0) -> Tensor:
    """Make each token a segment of its own; padding belongs to none.

    Args:
        tokens: ``(B, L)`` int64.
        padding: Its number.

    Returns:
        ``(B, L)`` int64: 0, 1, ... over the tokens of a text, -1 at padding.
    """
    given = tokens != padding
    return torch.where(given, given.long().cumsum(1) - 1, -1)
