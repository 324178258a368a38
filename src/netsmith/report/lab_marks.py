"""What a lab found, as SVG text: points in the plane, bars in categories, small gray images."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netsmith.core.errors import UserError, shorten
from netsmith.core.findings import Bars, Pictures, Points, Series
from netsmith.report._axes import (
    COLORS,
    INK,
    MUTED,
    Scale,
    dash,
    frame,
    label,
    legend,
    linear_scale,
    log_scale,
    number_text,
    path,
    point,
    svg,
    text_width,
    tick_texts,
)
from netsmith.report.markup import element, escape
from netsmith.report.pictures import png, to_pixels

__all__ = ["grouped_bars", "picture_rows", "points_chart"]

_FAINT = 400  # from so many points on, each lets those below it be seen
_PAPER = "var(--paper,#fff)"


def points_chart(figure: Points, *, width: float = 460, height: float = 340) -> str:
    """Return groups of points, each in its color, with lines over them.

    Args:
        figure: What is shown; a position that is not finite, or has no place on a logarithmic axis, is left out, and
            breaks a line.
        width: SVG units (pixels at full size).
        height: SVG units, with one row of names; with ``equal`` what the width and the ranges make it.

    Raises:
        UserError: A series with more or fewer ys than xs.
    """
    groups = [[place for piece in _pieces(one, figure) for place in piece] for one in figure.series]
    lines = [_pieces(one, figure) for one in figure.lines]
    every = [place for places in (*groups, *(piece for pieces in lines for piece in pieces)) for place in places]
    parts = [label(0, 14, figure.title, size=14, color=INK, weight=600)]
    names, below = legend([one.name for one in (*figure.series, *figure.lines)], width, points=len(figure.series))
    parts.append(names)
    height += below
    if not every:
        parts.append(label(width / 2, height / 2, "no values", anchor="middle"))
        return svg("".join(parts), width=width, height=height, title=figure.title)
    xs, ys = [a for a, _ in every], [b for _, b in every]
    top, bottom = 72.0 + below, height - 44.0
    y = _axis(ys, bottom, top, log=figure.log_y)
    left = 12 + max(text_width(text, 11.5) for text in tick_texts(y))
    x = _axis(xs, left, width - 14, log=figure.log_x)
    if figure.equal:
        x, y = _equal(x, y)
        height = y.start + 44
    parts.append(frame(x, y, x_label=figure.x_label, y_label=figure.y_label))
    many = sum(map(len, groups)) >= _FAINT
    opacity = 0.55 if many else 0.85
    for number, (one, places) in enumerate(zip(figure.series, groups, strict=True)):
        tip = element("title", escape(one.name))
        style = f"fill:{COLORS[number % len(COLORS)]};fill-opacity:{opacity}"
        style += f";stroke:{_PAPER};stroke-width:.6"
        size = 2.2 if many else 3.2
        dots = "".join(element("path", d=point(number, x(a), y(b), size), style=style) for a, b in places)
        parts.append(element("g", tip + dots) if dots else "")
    for number, (one, pieces) in enumerate(zip(figure.lines, lines, strict=True), len(figure.series)):
        style = f"fill:none;stroke:{COLORS[number % len(COLORS)]};stroke-width:1.8;stroke-linejoin:round{dash(number)}"
        tip = element("title", escape(one.name))
        joined = (path([(x(a), y(b)) for a, b in places]) for places in pieces)
        parts += [element("polyline", tip, points=points, style=style) for points in joined]
    return svg("".join(parts), width=width, height=height, title=figure.title)


def grouped_bars(figure: Bars, *, width: float = 460, height: float = 300) -> str:
    """Return bars from zero, up or down, those of a category side by side.

    Args:
        figure: What is shown.
        width: SVG units (pixels at full size).
        height: SVG units, with one row of names above the chart and one of categories below.

    Raises:
        UserError: As many values or spreads as do not fit the categories, or a value that is not finite.
    """
    for bar in figure.series:
        if len(bar.values) != len(figure.categories) or len(bar.spreads) not in (0, len(bar.values)):
            raise UserError(
                f"{figure.name}: {bar.name!r} has {len(bar.values)} values and {len(bar.spreads)} spreads for "
                f"{len(figure.categories)} categories; expected a value, and a spread or none, for each"
            )
    ends = [
        value + side * spread
        for bar in figure.series
        for value, spread in zip(bar.values, bar.spreads or (0.0,) * len(bar.values), strict=True)
        if value is not None
        for side in (-1, 1)
    ]
    if not ends or not all(map(math.isfinite, ends)):
        raise UserError(f"{figure.name}: expected bars with finite values, got {len(ends) // 2} of them")
    parts = [label(0, 14, figure.title, size=14, color=INK, weight=600)]
    names, below = legend(["" if bar.name == figure.title else bar.name for bar in figure.series], width)
    parts.append(names)
    top = 72.0 + below
    shown = [shorten(name, 24) for name in figure.categories]
    y = linear_scale([0.0, *ends], height + below - 40, top)
    left = 12 + max(text_width(text, 11.5) for text in tick_texts(y))
    room = (width - 14 - left) / max(1, len(shown))
    longest = max(text_width(name, 11.5) for name in shown)
    turned = longest > room - 4
    height += below + (longest * 0.72 if turned else 0)
    parts.append(frame(Scale(0, 1, (), False, left, width - 14), y, y_label=figure.y_label))
    wide = 0.8 * room / len(figure.series)
    edge = f"stroke:{INK};stroke-width:1.2"
    for place, name in enumerate(shown):
        middle = left + room * (place + 0.5)
        anchor, rotate = ("end", -45.0) if turned else ("middle", 0.0)
        parts.append(label(middle + (4 if turned else 0), y.start + 18, name, anchor=anchor, rotate=rotate))
        for number, bar in enumerate(figure.series):
            value = bar.values[place]
            if value is None:
                continue
            tip = element("title", escape(f"{bar.name}, {figure.categories[place]}: {number_text(value)}"))
            start = middle - 0.4 * room + wide * number
            low, high = sorted((y(0), y(value)))
            style = f"fill:{COLORS[number % len(COLORS)]};fill-opacity:{0.9 if number < len(COLORS) else 0.5}"
            box = {"x": start, "y": low, "width": wide * 0.92, "height": max(0.6, high - low)}
            parts.append(element("rect", tip, **box, style=style))
            if bar.spreads and bar.spreads[place]:
                at, spread = start + wide * 0.46, bar.spreads[place]
                line = {"x1": at, "x2": at, "y1": y(value - spread), "y2": y(value + spread)}
                parts.append(element("line", **line, style=edge))
    return svg("".join(parts), width=width, height=height, title=figure.title)


def picture_rows(figure: Pictures, *, width: float = 960) -> str:
    """Return small gray images in rows, pixel by pixel.

    Args:
        figure: What is shown.
        width: SVG units (pixels at full size).

    Raises:
        UserError: No image, rows of unequal length, or a range that is none.
    """
    if not figure.pictures or not figure.low < figure.high or figure.columns < 1:
        raise UserError(
            f"{figure.name}: expected images over a range in at least one column; got {len(figure.pictures)}, "
            f"{figure.low:g} to {figure.high:g}, {figure.columns} columns"
        )
    gap, caption = 10.0, 18.0
    edge = min(110.0, (width - gap * (figure.columns - 1)) / figure.columns)
    parts, top = [label(0, 14, figure.title, size=14, color=INK, weight=600)], 28.0
    for start in range(0, len(figure.pictures), figure.columns):
        row = figure.pictures[start : start + figure.columns]
        tallest = 0.0
        for place, picture in enumerate(row):
            if not picture.values or len({len(line) for line in picture.values}) != 1 or not picture.values[0]:
                raise UserError(f"{figure.name}: the image {picture.name!r} has rows of unequal length, or no pixel")
            values = np.asarray(picture.values, dtype=np.float64)
            data = base64.b64encode(png(to_pixels(values[None], low=figure.low, high=figure.high))).decode("ascii")
            tall = edge * values.shape[0] / values.shape[1]
            left = place * (edge + gap)
            shown = shorten(picture.name, max(3, int(edge / 6.3)))
            tip = element("title", escape(picture.name))
            parts.append(label(left, top + 12, shown, size=11) if picture.name else "")
            box = {"x": left, "y": top + caption, "width": edge, "height": tall}
            parts.append(
                element("image", tip, **box, href=f"data:image/png;base64,{data}", style="image-rendering:pixelated")
            )
            parts.append(element("rect", **box, style=f"fill:none;stroke:{MUTED};stroke-width:.6;stroke-opacity:.5"))
            tallest = max(tallest, tall)
        top += caption + tallest + gap
    return svg("".join(parts), width=min(width, figure.columns * (edge + gap) - gap), height=top, title=figure.title)


def _pieces(one: Series, figure: Points) -> list[list[tuple[float, float]]]:
    """Return the positions that have a place, in one list for each stretch of them."""
    if len(one.xs) != len(one.ys):
        raise UserError(f"series {one.name!r} has {len(one.xs)} xs and {len(one.ys)} ys; expected as many")
    pieces: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(one.xs, one.ys, strict=True):
        finite = math.isfinite(a) and math.isfinite(b)
        if finite and (a > 0 or not figure.log_x) and (b > 0 or not figure.log_y):
            pieces[-1].append((a, b))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _axis(values: Sequence[float], start: float, stop: float, *, log: bool) -> Scale:
    return log_scale(values, start, stop, pad=1.1) if log else linear_scale(values, start, stop)


def _equal(x: Scale, y: Scale) -> tuple[Scale, Scale]:
    """Return both axes to one scale: the plot is as high as the ranges make it, between a half and once its width."""
    wide, tall, room = x.high - x.low, y.high - y.low, x.stop - x.start
    high = min(max(room * tall / wide, room / 2), room)
    unit = min(room / wide, high / tall)  # SVG units of one
    return _stretched(x, x.start, x.stop, unit), _stretched(y, y.stop + high, y.stop, unit)


def _stretched(scale: Scale, start: float, stop: float, unit: float) -> Scale:
    """Return a scale of a given unit, its range grown on both sides to fill its room."""
    spare = (abs(stop - start) / unit - (scale.high - scale.low)) / 2
    low, high = scale.low - spare, scale.high + spare
    # of the grown range: the ticks of a range a million times smaller would be as many
    ticks = tuple(tick for tick in linear_scale([low, high], start, stop).ticks if low <= tick <= high)
    return replace(scale, low=low, high=high, ticks=ticks, start=start, stop=stop)
