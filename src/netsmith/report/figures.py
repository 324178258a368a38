"""Figures as SVG text, drawn by small pure functions: learning curves, confusion matrix, bars.

They take colors from the page's variables, so they follow light and dark, and fall back to light colors when they stand
alone (:func:`standalone`). Every label is escaped; the result is well-formed XML.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from netsmith.core.errors import UserError, shorten
from netsmith.report._axes import (
    COLORS,
    INK,
    LINE,
    Scale,
    dash,
    frame,
    label,
    legend,
    linear_scale,
    log_scale,
    number_text,
    path,
    svg,
    text_width,
    tick_texts,
)
from netsmith.report.markup import element, escape
from netsmith.report.tables import count_text

__all__ = [
    "Bar",
    "Curve",
    "bar_chart",
    "confusion_chart",
    "line_chart",
    "standalone",
]

_MOST_POINTS = 240  # per curve: more than the pixels can tell apart are drawn as mean and range


@dataclasses.dataclass(frozen=True, slots=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: Shown in the legend.
        xs: Positions, usually steps, ascending.
        ys: Values; those that are not finite are left out.
        mark: ``"max"`` or ``"min"`` marks that point with its value, ``""`` none.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    mark: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length, and the text at its end."""

    name: str
    value: float
    text: str


def line_chart(
    curves: Sequence[Curve],
    *,
    title: str,
    x_label: str = "step",
    y_label: str = "",
    log_y: bool = False,
    log_x: bool = False,
    percent: bool = False,
    width: float = 460,
    height: float = 300,
) -> str:
    """Return curves over one axis; long ones are drawn as their local mean in a pale band of their local range.

    Args:
        curves: Five are told apart by color; those after them are dashed, in the same colors.
        title: Stands above the chart.
        x_label: The name of the horizontal axis.
        y_label: The name of the vertical axis.
        log_y: Logarithmic; values that are not positive are left out.
        log_x: The same for the horizontal axis.
        percent: The values are proportions and shown in percent.
        width: SVG units (pixels at full size).
        height: SVG units, with one row of names above the chart; each further row adds its own.

    Raises:
        UserError: A curve with more or fewer ys than xs.
    """
    drawn = [_bucket(_clean(curve, log_y, log_x)) for curve in curves]
    parts = [label(0, 14, title, size=14, color=INK, weight=600)]
    names, below = legend([curve.name for curve in curves], width)
    parts.append(names)
    height += below
    values = [value for points in drawn for point in points for value in point[2:]]
    if not values:
        parts.append(label(width / 2, height / 2, "no values", anchor="middle"))
        return svg("".join(parts), width=width, height=height, title=title)
    top, bottom = (72.0 if y_label else 56.0) + below, height - (44.0 if x_label else 26.0)
    cap = 1.0 if percent and max(values) <= 1 else math.inf
    y = log_scale(values, bottom, top, pad=1.1) if log_y else linear_scale(values, bottom, top, cap=cap)
    left = 10 + max(text_width(text, 11.5) for text in tick_texts(y, percent=percent))
    steps = [point[0] for points in drawn for point in points]
    x = log_scale(steps, left, width - 14) if log_x else linear_scale(steps, left, width - 14)
    # The horizontal axis ends with the data, not at the next round number.
    low, high = min(steps), max(steps)
    if high > low:
        x = dataclasses.replace(x, low=low, high=high, ticks=tuple(t for t in x.ticks if low <= t <= high))
    parts.append(frame(x, y, percent_y=percent, x_label=x_label, y_label=y_label))
    for number, (curve, points) in enumerate(zip(curves, drawn, strict=True)):
        if not points:
            continue
        color = COLORS[number % len(COLORS)]
        if any(most > least for _, _, least, most in points):
            edge = [(x(p[0]), y(p[3])) for p in points] + [(x(p[0]), y(p[2])) for p in reversed(points)]
            parts.append(element("polygon", points=path(edge), style=f"fill:{color};fill-opacity:.16"))
        line = f"fill:none;stroke:{color};stroke-width:2;stroke-linejoin:round;stroke-linecap:round{dash(number)}"
        parts.append(element("polyline", points=path([(x(p[0]), y(p[1])) for p in points]), style=line))
        if len(points) == 1:
            parts.append(element("circle", cx=x(points[0][0]), cy=y(points[0][1]), r=3.0, style=f"fill:{color}"))
        if curve.mark:
            parts.append(_mark(_clean(curve, log_y, log_x), curve.mark, x, y, color, percent))
    return svg("".join(parts), width=width, height=height, title=title)


def confusion_chart(matrix: Sequence[Sequence[int]], names: Sequence[str], *, title: str) -> str:
    """Return a heat map of counts: rows are the truth, columns the prediction, the last column is the recall.

    Right answers and mistakes have colors of their own, each by its share of the row (square root, so that a rare
    mistake shows). Above 24 classes the counts stand in the tooltips only.

    Args:
        matrix: ``(K, K)`` counts.
        names: K class names.
        title: Stands above the chart.

    Raises:
        UserError: A matrix that is not square, or as many names as do not fit.
    """
    count = len(names)
    if len(matrix) != count or any(len(row) != count for row in matrix) or not count:
        shape = f"{len(matrix)} rows of {sorted({len(row) for row in matrix})}"
        raise UserError(f"the matrix has {shape} cells for {count} names; expected K rows of K, K >= 1")
    cell = min(46.0, max(5.0, (370 if count <= 12 else 780) / count))
    size = min(12.0, max(7.0, cell * 0.36))
    shown = [shorten(name, 16) for name in names]
    longest = max(text_width(name, size) for name in shown)
    turned = longest > cell - 4
    named = cell >= 9
    left = 26 + (longest + 8 if named else 0)
    top = 54 + ((longest * 0.75 + 10 if turned else size + 8) if named else 0)
    width, height = left + cell * count + 58, top + cell * count + 8
    middle = left + cell * count / 2
    parts = [
        label(0, 14, title, size=14, color=INK, weight=600),
        label(middle, 40, "predicted", size=12, anchor="middle"),
        label(12, top + cell * count / 2, "true", size=12, anchor="middle", rotate=-90),
    ]
    if count <= 24:
        parts.append(label(left + cell * count + 54, top - 8, "recall", size=size, anchor="end"))
    for number, name in enumerate(shown if named else []):
        center = left + cell * (number + 0.5)
        rotate = -45.0 if turned else 0.0
        anchor = "start" if turned else "middle"
        parts.append(label(center, top - 8, name, size=size, color=INK, anchor=anchor, rotate=rotate))
        y = top + cell * (number + 0.5) + size * 0.36
        parts.append(label(left - 8, y, name, size=size, color=INK, anchor="end"))
    gap = 1.5 if cell > 12 else 0.5
    for row, counts in enumerate(matrix):
        total = sum(counts)
        for column, value in enumerate(counts):
            parts.append(
                _cell(
                    value / total if total else 0.0,
                    int(value),
                    (left + cell * column, top + cell * row, cell - gap),
                    f"{names[row]} taken for {names[column]}: {value}" if row != column else f"{names[row]}: {value}",
                    right=row == column,
                    size=size if count <= 24 else 0.0,
                )
            )
        if count <= 24 and total:
            y = top + cell * (row + 0.5) + size * 0.36
            text = (
                f"{100 * counts[row] / total:.0f} %"
                if counts[row] in (0, total)
                else f"{_inner_percent(counts[row], total)} %"
            )
            parts.append(label(left + cell * count + 54, y, text, size=size, anchor="end"))
    return svg("".join(parts), width=width, height=height, title=title)


def bar_chart(bars: Sequence[Bar], *, title: str, width: float = 460) -> str:
    """Return horizontal bars from zero, each with its text at the end.

    Args:
        bars: Values of at least 0, in the order shown; the first keeps the accent color.
        title: Stands above the chart.
        width: SVG units (pixels at full size).

    Raises:
        UserError: A value below 0 or not finite.
    """
    for bar in bars:
        if not (math.isfinite(bar.value) and bar.value >= 0):
            raise UserError(f"bar {bar.name!r} has value {bar.value}; expected a finite value of at least 0")
    names = [shorten(bar.name, 28) for bar in bars]
    left = 10 + max((text_width(name, 12.5) for name in names), default=0)
    room = width - left - 10 - max((text_width(bar.text, 12) for bar in bars), default=0)
    most = max((bar.value for bar in bars), default=0) or 1.0
    parts = [label(0, 14, title, size=14, color=INK, weight=600)]
    for number, (bar, name) in enumerate(zip(bars, names, strict=True)):
        y = 34 + 27 * number
        length = max(2.0, room * bar.value / most)
        parts.append(label(left - 10, y + 12.5, name, size=12.5, anchor="end", color=INK))
        style = f"fill:{COLORS[0]};fill-opacity:{1 if number == 0 else 0.62}"
        parts.append(element("rect", x=left, y=float(y), width=length, height=17.0, rx=3.0, style=style))
        parts.append(label(left + length + 7, y + 12.5, bar.text, size=12))
    return svg("".join(parts), width=width, height=34 + 27 * len(bars) + 4, title=title)


def standalone(figure: str) -> str:
    """Return a figure as a file of its own (with the XML namespace and a font)."""
    start = '<svg xmlns="http://www.w3.org/2000/svg" font-family="system-ui,sans-serif" '
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + figure.replace("<svg ", start, 1) + "\n"


def _clean(curve: Curve, log_y: bool, log_x: bool) -> list[tuple[float, float]]:
    if len(curve.xs) != len(curve.ys):
        raise UserError(f"curve {curve.name!r} has {len(curve.xs)} xs and {len(curve.ys)} ys; expected as many")
    pairs = [(float(a), float(b)) for a, b in zip(curve.xs, curve.ys, strict=True)]
    finite = [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    return [(a, b) for a, b in finite if (b > 0 or not log_y) and (a > 0 or not log_x)]


def _bucket(points: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """Join neighbors to (x, mean, least, most) so that at most ``_MOST_POINTS`` are drawn."""
    size = -(-len(points) // _MOST_POINTS) or 1
    joined = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        ys = [b for _, b in part]
        # The first and the last bucket reach to the ends of the curve.
        at = part[0][0] if start == 0 else part[-1][0] if start + size >= len(points) else part[len(part) // 2][0]
        joined.append((at, sum(ys) / len(ys), min(ys), max(ys)))
    return joined


def _mark(points: list[tuple[float, float]], kind: str, x: Scale, y: Scale, color: str, percent: bool) -> str:
    at, value = (max if kind == "max" else min)(points, key=lambda point: point[1])
    cx, cy = x(at), y(value)
    text = f"{100 * value:.2f} %" if percent else number_text(value)
    ring = f"fill:var(--paper,#fff);stroke:{color};stroke-width:2"
    near_end = cx > x.stop - 60
    above = cy - 10 if cy - 10 > y.stop - 6 else cy + 20
    return element("circle", cx=cx, cy=cy, r=4.0, style=ring) + label(
        cx + (4 if near_end else 0),
        above,
        text,
        size=12,
        weight=600,
        color=color,
        anchor="end" if near_end else "middle",
    )


def _cell(rate: float, value: int, place: tuple[float, float, float], tip: str, *, right: bool, size: float) -> str:
    x, y, edge = place
    strength = 0.0 if value == 0 else 0.10 + 0.82 * math.sqrt(rate)
    color = LINE if value == 0 else COLORS[0] if right else COLORS[1]
    style = f"fill:{color};fill-opacity:{0.35 if value == 0 else round(strength, 3)}"
    box = element(
        "rect", element("title", escape(tip)), x=x, y=y, width=edge, height=edge, rx=min(3.0, edge / 8), style=style
    )
    if value == 0 or not size:
        return box
    text = str(value) if value < 10_000 else count_text(value).replace(" ", "")
    fitting = min(size, 0.94 * edge / max(0.1, text_width(text, 1)))
    ink = "var(--on-accent,#fff)" if strength > 0.55 else INK
    return box + label(x + edge / 2, y + edge / 2 + fitting * 0.36, text, size=fitting, anchor="middle", color=ink)


def _inner_percent(part: int, total: int) -> int:
    """Percent, never 100 or 0 by rounding."""
    return min(99, max(1, round(100 * part / total)))
