"""What a lab found, as SVG text: any figure by its kind; histograms in a row, paths over contour lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from netsmith.core.errors import UserError, shorten
from netsmith.core.extras import require
from netsmith.core.findings import Bars, Figure, Histograms, Lines, Pictures, Points, Series, Surface
from netsmith.report._axes import (
    COLORS,
    INK,
    MUTED,
    Scale,
    frame,
    label,
    legend,
    linear_scale,
    number_text,
    number_texts,
    path,
    svg,
    text_width,
    tick_texts,
)
from netsmith.report.figures import Curve, line_chart
from netsmith.report.lab_marks import grouped_bars, picture_rows, points_chart
from netsmith.report.markup import element, escape

__all__ = ["contour_chart", "draw", "histogram_row"]

_DOTS = 10  # along a path: they show how fast it was
_HALO = "var(--paper,#fff)"
_APART = 26.0  # SVG units between the value of a contour line and the next one, or a path
_PLACES = 60  # along a contour line that are tried for its value


def draw(figure: Figure) -> str:
    """Return a figure of a lab as SVG text.

    Raises:
        MissingExtraError: Contour lines need the extra ``plot``.
        UserError: A figure whose parts do not fit each other.
    """
    if isinstance(figure, Lines):
        # a line with the name of the chart needs no legend
        return line_chart(
            [Curve("" if one.name == figure.title else one.name, one.xs, one.ys) for one in figure.series],
            title=figure.title,
            x_label=figure.x_label,
            y_label=figure.y_label,
            log_x=figure.log_x,
            log_y=figure.log_y,
        )
    if isinstance(figure, Histograms):
        return histogram_row(figure)
    if isinstance(figure, Points):
        return points_chart(figure)
    if isinstance(figure, Bars):
        return grouped_bars(figure)
    return picture_rows(figure) if isinstance(figure, Pictures) else contour_chart(figure)


def histogram_row(figure: Histograms, *, width: float = 960, height: float = 150) -> str:
    """Return histograms side by side, each as high as its tallest bar allows.

    Args:
        figure: What is shown.
        width: SVG units (pixels at full size).
        height: SVG units.

    Raises:
        UserError: No panel, or a range that is none.
    """
    if not figure.panels or not figure.low < figure.high:
        raise UserError(
            f"{figure.name}: expected panels over a range; got {len(figure.panels)}, {figure.low} to {figure.high}"
        )
    gap = 14.0
    room = (width - gap * (len(figure.panels) - 1)) / len(figure.panels)
    top, bottom = 52.0, height - 42.0
    edge = f"stroke:{MUTED};stroke-width:1;stroke-opacity:.6"
    parts = [label(0, 14, figure.title, size=14, color=INK, weight=600)]
    for number, panel in enumerate(figure.panels):
        left = number * (room + gap)
        parts.append(label(left, top - 12, shorten(panel.name, 16), size=12))
        tallest, wide = max(panel.shares, default=0.0) or 1.0, room / max(1, len(panel.shares))
        for place, share in enumerate(panel.shares):
            if share > 0:
                tall = max(0.6, (bottom - top) * share / tallest)
                tip = element("title", escape(f"{panel.name}: {100 * share:.3g} %"))
                size = {"x": left + wide * place, "y": bottom - tall, "width": wide * 0.92, "height": tall}
                parts.append(element("rect", tip, **size, style=f"fill:{COLORS[0]}"))
        parts.append(element("line", x1=left, x2=left + room, y1=bottom, y2=bottom, style=edge))
        for value, x, anchor in ((figure.low, left, "start"), (figure.high, left + room, "end")):
            parts.append(label(x, bottom + 15, number_text(float(f"{value:.2g}")), size=11, anchor=anchor))
    parts.append(label(width / 2, height - 6, figure.x_label, anchor="middle"))
    return svg("".join(parts), width=width, height=height, title=figure.title)


def contour_chart(figure: Surface, *, width: float = 460) -> str:
    """Return paths over the contour lines of a surface, both axes to the same scale where the window allows it.

    A contour line carries its value where there is room for it.

    Args:
        figure: What is shown.
        width: SVG units (pixels at full size).

    Raises:
        MissingExtraError: ``contourpy`` (it comes with matplotlib) is not there.
        UserError: Values that do not fit the grid.
    """
    if len(figure.values) != len(figure.ys) or any(len(row) != len(figure.xs) for row in figure.values):
        raise UserError(
            f"{figure.name}: {len(figure.values)} rows of values for {len(figure.xs)} xs and {len(figure.ys)} ys; "
            "expected a row for each y, a value for each x"
        )
    generator = require("contourpy", extra="plot").contour_generator(figure.xs, figure.ys, figure.values)
    parts = [label(0, 14, figure.title, size=14, color=INK, weight=600)]
    names, below = legend([one.name for one in figure.paths], width)
    parts.append(names)
    top = 72.0 + below
    rough = linear_scale(figure.ys, 300, 0)
    left = 12 + max(text_width(text, 11.5) for text in tick_texts(rough))
    wide, tall = figure.xs[-1] - figure.xs[0], figure.ys[-1] - figure.ys[0]
    high = min(420.0, max(220.0, (width - 14 - left) * tall / wide))
    x, y = _within(figure.xs, left, width - 14), _within(figure.ys, top + high, top)
    inner: list[str] = []
    drawn: list[list[tuple[float, float]]] = []  # the longest line of each level
    for number, level in enumerate(figure.levels):
        longest: list[tuple[float, float]] = []
        strength = 0.55 - 0.35 * number / max(1, len(figure.levels) - 1)  # the lower, the darker
        for line in generator.lines(level):
            places = [(x(float(a)), y(float(b))) for a, b in line]
            points, longest = path(places), max(longest, places, key=_length)
            tip = element("title", escape(f"f = {level:.3g}"))
            style = f"fill:none;stroke:{MUTED};stroke-width:1;stroke-opacity:{strength:.2f}"
            inner.append(element("polyline", tip, points=points, style=style))
        drawn.append(longest)
    inner += _values(figure, drawn, x, y)
    inner += [_path(one, COLORS[number % len(COLORS)], x, y) for number, one in enumerate(figure.paths)]
    inner += [_mark(name, x(a), y(b)) for name, a, b in figure.marks]
    box = {"x": left, "y": top, "width": width - 14 - left, "height": high}
    view = f"{left:g} {top:g} {width - 14 - left:g} {high:g}"
    parts.append(frame(x, y, x_label=figure.x_label, y_label=figure.y_label))
    parts.append(element("svg", "".join(inner), **box, viewBox=view, overflow="hidden"))  # a path may leave the window
    return svg("".join(parts), width=width, height=top + high + 44, title=figure.title)


def _length(places: Sequence[tuple[float, float]]) -> float:
    return sum(math.dist(one, other) for one, other in pairwise(places))


def _values(figure: Surface, drawn: Sequence[Sequence[tuple[float, float]]], x: Scale, y: Scale) -> list[str]:
    """Return the value of each contour line, on its longest part, where it is farthest from all else."""
    taken: list[tuple[float, float]] = []
    for one in figure.paths:
        taken += _fine([(x(a), y(b)) for a, b in zip(one.xs, one.ys, strict=True)])
    taken += [(x(a) + 4.0 * step, y(b) - 4) for name, a, b in figure.marks for step in range(2 + 2 * len(name))]
    labels = []
    texts = number_texts([float(f"{level:.3g}") for level in figure.levels])
    for text, places in zip(texts, drawn, strict=True):
        half = text_width(text, 10) / 2 + 4
        free = [
            (min((math.dist(place, other) for other in taken), default=math.inf), place)
            for place in places[:: max(1, len(places) // _PLACES)]
            if x.start + half < place[0] < x.stop - half and y.stop + 10 < place[1] < y.start - 10
        ]
        room, (a, b) = max(free, default=(0.0, (0.0, 0.0)))
        if room >= _APART:
            labels.append(label(a, b + 3.5, text, size=10, anchor="middle", halo=True))
            taken.append((a, b))
    return labels


def _fine(places: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return places along a path, none farther from the next than half of what values keep from it."""
    found = places[:1]
    for (a, b), (c, d) in pairwise(places):
        parts = max(1, min(100, math.ceil(math.dist((a, b), (c, d)) / (_APART / 2))))
        found += [(a + (c - a) * at / parts, b + (d - b) * at / parts) for at in range(1, parts + 1)]
    return found


def _within(values: Sequence[float], start: float, stop: float) -> Scale:
    scale = linear_scale(values, start, stop)
    low, high = values[0], values[-1]
    return Scale(low, high, tuple(tick for tick in scale.ticks if low <= tick <= high), False, start, stop)


def _path(one: Series, color: str, x: Scale, y: Scale) -> str:
    places = [(x(a), y(b)) for a, b in zip(one.xs, one.ys, strict=True)]
    line = {"points": path(places)}
    halo = f"fill:none;stroke:{_HALO};stroke-width:4;stroke-opacity:.8;stroke-linejoin:round"
    shown = f"fill:none;stroke:{color};stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round"
    tip = element("title", escape(one.name))
    stride = max(1, (len(places) - 1) // _DOTS)
    dots = [
        element("circle", cx=a, cy=b, r=2.6, style=f"fill:{color};stroke:{_HALO};stroke-width:.8")
        for a, b in places[stride::stride]
    ]
    return element("polyline", **line, style=halo) + element("polyline", tip, **line, style=shown) + "".join(dots)


def _mark(name: str, x: float, y: float) -> str:
    ring = f"fill:{_HALO};stroke:{INK};stroke-width:1.6"
    return element("circle", cx=x, cy=y, r=4.0, style=ring) + label(x + 8, y - 7, name, size=11.5, color=INK, halo=True)
