"""What a lab found, as SVG text: any figure by its kind; histograms in a row, paths over contour lines."""

from __future__ import annotations

from collections.abc import Sequence

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
    inner = []
    for number, level in enumerate(figure.levels):
        strength = 0.55 - 0.35 * number / max(1, len(figure.levels) - 1)  # the lower, the darker
        for line in generator.lines(level):
            points = path([(x(float(a)), y(float(b))) for a, b in line])
            tip = element("title", escape(f"f = {level:.3g}"))
            style = f"fill:none;stroke:{MUTED};stroke-width:1;stroke-opacity:{strength:.2f}"
            inner.append(element("polyline", tip, points=points, style=style))
    inner += [_path(one, COLORS[number % len(COLORS)], x, y) for number, one in enumerate(figure.paths)]
    inner += [_mark(name, x(a), y(b)) for name, a, b in figure.marks]
    box = {"x": left, "y": top, "width": width - 14 - left, "height": high}
    view = f"{left:g} {top:g} {width - 14 - left:g} {high:g}"
    parts.append(frame(x, y, x_label=figure.x_label, y_label=figure.y_label))
    parts.append(element("svg", "".join(inner), **box, viewBox=view, overflow="hidden"))  # a path may leave the window
    return svg("".join(parts), width=width, height=top + high + 44, title=figure.title)


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
