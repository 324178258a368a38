"""Where the words of a text look: a matrix with words on both axes, and a small picture for each head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from netsmith.report.alignment_figure import alignment_chart
from netsmith.report.page import Page, Picture
from netsmith.report.pictures import heat_pixels, png

__all__ = ["write_attention"]

_WORDS = 40  # a matrix of more could not be read
_SIDE = 112  # pixels of a small picture on the page


def write_attention(page: Page, words: Sequence[str], maps: Mapping[str, Tensor]) -> None:
    """Write the matrix of the last layer, heads averaged, and below it every head of every layer.

    Args:
        page: What is filled.
        words: One per position, empty for padding, which is left out.
        maps: By name of the layer, ``(heads, Q, L)``; a row is where one position looks. Positions are words where
            there are as many of them. A matrix that is 0 all over is left out with a note.
    """
    kept = [at for at, word in enumerate(words) if word]
    if not kept or not maps:
        return
    shown = {
        name: one[:, kept if one.shape[1] == len(words) else slice(None)][:, :, kept] for name, one in maps.items()
    }
    name, last = list(shown.items())[-1]
    mean, source = last.mean(0), [words[at] for at in kept]
    rows = source if len(mean) == len(kept) else [f"place {number}" for number in range(1, len(mean) + 1)]
    most = float(mean.max())
    heads = f", the mean of its {len(last)} heads" if len(last) > 1 else ""
    columns, readable = max(len(one) for one in shown.values()), max(len(rows), len(source)) <= _WORDS
    several = len(shown) * columns > 1
    if not most > 0:
        page.notes([f"{name}: its matrix is left out, no place looks at any of the words"])
    elif readable:
        told = f"a row for each place, a column for each word it takes from; the darkest is {most:.2f}"
        told += "; below it each head, on a scale of its own" if several else ""
        chart = alignment_chart(mean.tolist(), source=source, target=rows, title=f"attention in {name}", most=most)
        page.figure(chart, caption=f"{name}{heads}: {told}.")
    if readable and not several:
        return
    pictures = []
    for layer, one in shown.items():
        for head, weights in enumerate(one, start=1):
            pixels = heat_pixels(weights, low=0.0)
            caption = f"{layer}, head {head}" if len(one) > 1 else layer
            pictures.append(Picture(png(pixels, scale=max(1, _SIDE // max(pixels.shape[:2]))), caption))
        pictures += [Picture(png(heat_pixels([[0.0]], signed=True)))] * (columns - len(one))
    page.pictures(pictures, columns=columns)
