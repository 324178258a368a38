"""Which words a text was written from: a matrix of attention with words on both axes, as SVG text."""

from __future__ import annotations

from collections.abc import Sequence

from netsmith.core.errors import UserError, shorten
from netsmith.report._axes import INK, label, svg, text_width
from netsmith.report.markup import element, escape

__all__ = ["alignment_chart"]

_CELL, _SIZE, _LONGEST = 24.0, 12.0, 24


def alignment_chart(
    weights: Sequence[Sequence[float]], *, source: Sequence[str], target: Sequence[str], title: str, most: float = 1.0
) -> str:
    """Return the matrix as in Bahdanau et al. 2015, figure 3: a row per written word, a column per word read.

    The darker a cell, the more the word of its row looked at the word of its column; a cell says both and its weight
    where the pointer rests.

    Args:
        weights: A row of numbers in 0..1 for each written word.
        source: The words that were read.
        target: The words that were written.
        title: What a screen reader says.
        most: The weight that is darkest.

    Raises:
        UserError: As many rows or columns as there are not words, or a darkest weight that is not above 0.
    """
    if not most > 0:
        raise UserError(f"most is {most}; expected a weight above 0")
    if not source or len(weights) != len(target) or any(len(row) != len(source) for row in weights):
        widths = sorted({len(row) for row in weights})
        raise UserError(f"{len(weights)} rows of {widths} weights; expected {len(target)} of {len(source)}")
    columns, rows = ([shorten(word, _LONGEST) for word in words] for words in (source, target))
    left = 12 + max((text_width(word, _SIZE) for word in rows), default=0.0)
    top = 12 + max(text_width(word, _SIZE) for word in columns)
    parts = [
        label(left + _CELL * (at + 0.5) + 4, top - 8, word, size=_SIZE, color=INK, rotate=-90)
        for at, word in enumerate(columns)
    ]
    for row, (word, looked) in enumerate(zip(rows, weights, strict=True)):
        y = top + _CELL * row
        parts.append(label(left - 8, y + _CELL / 2 + 4, word, size=_SIZE, color=INK, anchor="end"))
        for at, weight in enumerate(looked):
            tip = element("title", escape(f"{target[row]} from {source[at]}: {weight:.2f}"))
            style = f"fill:{INK};fill-opacity:{0.04 + 0.96 * min(1.0, max(0.0, weight / most)):.3f}"
            place = {"x": left + _CELL * at, "y": y, "width": _CELL - 1.5, "height": _CELL - 1.5}
            parts.append(element("rect", tip, **place, style=style))
    return svg(
        "".join(parts),
        width=left + _CELL * len(source) + 4,
        height=top + _CELL * len(target) + 4,
        title=title,
    )
