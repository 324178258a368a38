"""Where a network looked for each word of the caption it wrote: the pictures of a captioning run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.writing import Writing
from netsmith.report.page import Picture
from netsmith.report.pictures import overlay, png, to_pixels, visible
from netsmith.report.run_page import PictureGroup

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["LooksAtPlaces", "caption_groups", "spread_over"]

_SIDE = 112  # pixels of a picture on the page


@runtime_checkable
class LooksAtPlaces(Protocol):
    """A writer whose attention is over the places of a grid.

    Attributes:
        grid: Rows and columns.
    """

    @property
    def grid(self) -> tuple[int, int]: ...


def caption_groups(network: Network, names: Sequence[str], raw: Tensor) -> tuple[list[PictureGroup], list[str]]:
    """Return for each picture the caption, and where the network looked for each of its words.

    Args:
        network: Of a captioning run.
        names: One per picture.
        raw: ``(B, C, H, W)`` as the schema has them.

    Raises:
        UnsupportedError: The network has no attention over places.
    """
    writing = network.module
    writer = writing.writer if isinstance(writing, Writing) else None
    if not isinstance(writing, Writing) or not isinstance(writer, LooksAtPlaces):
        raise UnsupportedError(
            f"{network.name} sees a picture as a whole; attention maps are of networks that look at parts of it "
            "(show_attend_and_tell)"
        )
    with torch.no_grad():
        found = writing.search(network.shipped.preprocess(raw), attention=True)
    tokens, weights = found.tokens[:, 0], found.attention
    assert weights is not None
    words = network.spec.outputs.names
    texts = [row["text"] for row in network.decode(tokens)]
    maps = spread_over(weights, writer.grid, (raw.shape[2], raw.shape[3]))  # (B, T, H, W)
    scale = max(1, round(_SIDE / raw.shape[3]))
    groups, notes = [], []
    for name, image, row, heat, text in zip(names, raw, tokens.tolist(), maps, texts, strict=True):
        shown = visible(image)
        pictures = [Picture(png(to_pixels(shown, low=0, high=network.spec.inputs.high), scale=scale), name)]
        for number, one in zip(row, heat, strict=True):
            if number in (0, END_NUMBER):
                break
            pictures.append(Picture(png(overlay(shown, one), scale=scale), words[number]))
        groups.append(PictureGroup(name, text or "(no word)", tuple(pictures), columns=8))
        notes.append(f"{name}: {text}")
    return groups, notes


def spread_over(weights: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return attention over places as maps of a picture: each pixel has the weight of its place, smoothed.

    Args:
        weights: ``(B, T, L)``, L places row by row.
        grid: Rows and columns.
        size: Height and width of the picture in pixels.

    Returns:
        ``(B, T, H, W)``.
    """
    maps = weights.unflatten(2, grid).flatten(0, 1)[:, None]  # (B T, 1, h, w)
    spread = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    return spread[:, 0].unflatten(0, weights.shape[:2])
