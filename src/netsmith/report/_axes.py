"""Scales, ticks and text placement shared by the figures: small pure functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from netsmith.core.errors import shorten
from netsmith.report.markup import element, escape

__all__ = [
    "COLORS",
    "Scale",
    "dash",
    "frame",
    "label",
    "legend",
    "linear_scale",
    "log_scale",
    "number_text",
    "number_texts",
    "point",
    "svg",
    "text_width",
    "tick_texts",
]

# Series colors; the page sets the variables for light and dark, the fallbacks serve an SVG that stands alone.
COLORS = (
    "var(--series-1,#2f5bc4)",
    "var(--series-2,#c4571f)",
    "var(--series-3,#007949)",
    "var(--series-4,#7f4b97)",
    "var(--series-5,#1b1c20)",
)
INK, MUTED, LINE = "var(--ink,#1b1c20)", "var(--muted,#62656d)", "var(--line,#e3e2dc)"


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """A mapping from values to positions, with its ticks.

    Attributes:
        low: The value at ``start``.
        high: The value at ``stop``.
        ticks: Values that are labeled, within the range.
        log: Positions follow the logarithm.
        start: Position of ``low``, in SVG units.
        stop: Position of ``high``.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)


def linear_scale(values: Sequence[float], start: float, stop: float, *, count: int = 5, cap: float = math.inf) -> Scale:
    """Return a scale from round number to round number around ``values``, never above ``cap``.

    Where all values are whole numbers (epochs, counts, degrees) all ticks are.
    """
    whole = cap == math.inf and _whole(values)  # a share of 0 or 1 is no count
    low, high = min(values), max(values)
    if high - low < 1e-12 * max(1.0, abs(high)):
        pad = 1.0 if whole else abs(high) * 0.1 or 1.0
        low, high = low - pad, min(high + pad, cap)
    step = _whole_step((high - low) / count) if whole else _round_step((high - low) / count)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    ticks = tuple(round(step * number, 12) for number in range(first, last + 1) if step * number <= cap + 1e-12)
    return Scale(ticks[0], max(ticks[-1], min(step * last, cap)), ticks, False, start, stop)


def log_scale(values: Sequence[float], start: float, stop: float, *, pad: float = 1.0) -> Scale:
    """Return a logarithmic scale around positive ``values``; ``pad`` is the factor left free on both sides.

    Ticks of whole numbers are whole, too.
    """
    low, high = min(values) / pad, max(values) * pad
    if high / low < 1.5:
        low, high = low / 1.5, high * 1.5
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades < 2.5 else (1,)
    stride = max(1, math.ceil(decades / 7))
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers if power % stride == 0 for step in steps]
    inside = tuple(tick for tick in ticks if low * 0.999 <= tick <= high * 1.001)
    if len(inside) < 2:  # a narrow range has no second 1, 2 or 5: the round numbers of a linear axis
        unit = 10.0 ** math.floor(math.log10(high))  # the linear axis takes tiny ranges for none
        round_numbers = linear_scale([low / unit, high / unit], start, stop, count=4).ticks
        inside = tuple(tick * unit for tick in round_numbers if low <= tick * unit <= high)
    if _whole(values):
        inside = tuple(tick for tick in inside if float(tick).is_integer()) or inside
    return Scale(low, high, inside, True, start, stop)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999)


def _whole_step(rough: float) -> float:
    """Return a round whole number near ``rough``: a few ticks more are better than two."""
    power = 10.0 ** math.floor(math.log10(max(1.0, rough)))
    steps = (1, 2, 2.5, 5, 10) if power > 1 else (1, 2, 5, 10)
    return next(step * power for step in steps if step * power >= rough * 0.8)


def _whole(values: Sequence[float]) -> bool:
    return all(float(value).is_integer() for value in values)


def tick_texts(scale: Scale, *, percent: bool = False) -> list[str]:
    """Return the labels of a scale's ticks; those of percents all have as many decimals as the finest needs."""
    if not percent:
        return number_texts(scale.ticks)
    digits = next((d for d in range(6) if all(abs(round(100 * t, d) - 100 * t) < 1e-7 for t in scale.ticks)), 6)
    return [f"{100 * tick:.{digits}f} %" for tick in scale.ticks]


def number_texts(values: Sequence[float]) -> list[str]:
    """Return short numbers in one notation: powers of ten for all but 0 where one of them needs it."""
    texts = [number_text(value) for value in values]
    return [_power_text(value) if value else "0" for value in values] if any("e" in text for text in texts) else texts


def _power_text(value: float) -> str:
    mantissa, power = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def number_text(value: float) -> str:
    """Return a short number: ``0.01``, ``1.5``, ``20k``, ``1e20``."""
    if value == 0:
        return "0"
    if abs(value) >= 1e13 or abs(value) < 1e-4:
        return _power_text(value)
    for limit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{name}"
    return f"{value:.4g}"


def text_width(text: str, size: float) -> float:
    """Estimate the width of ``text`` in a sans-serif face, in SVG units."""
    return sum(0.36 if c in "iljtfI.,:;'|!() " else 0.95 if c in "mwMW%@" else 0.63 for c in text) * size


def label(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 11.5,
    anchor: str = "start",
    color: str = MUTED,
    weight: int = 400,
    rotate: float = 0.0,
    halo: bool = False,
) -> str:
    """Return one line of text; a halo keeps it readable over lines."""
    style = f"fill:{color};font-size:{size:g}px;font-weight:{weight}"
    if halo:
        style += ";paint-order:stroke;stroke:var(--paper,#fff);stroke-width:4px;stroke-linejoin:round"
    turned = {"transform": f"rotate({rotate:g} {x:.2f} {y:.2f})"} if rotate else {}
    return element("text", escape(text), x=x, y=y, text_anchor=anchor, style=style, **turned)


def frame(x: Scale, y: Scale, *, percent_y: bool = False, x_label: str = "", y_label: str = "") -> str:
    """Return grid lines, tick labels and axis names of a chart; ``y.start`` is its lower edge."""
    parts = []
    for tick, text in zip(y.ticks, tick_texts(y, percent=percent_y), strict=True):
        style = f"stroke:{LINE};stroke-width:1"
        parts.append(element("line", x1=x.start, x2=x.stop, y1=y(tick), y2=y(tick), style=style))
        parts.append(label(x.start - 8, y(tick) + 4, text, anchor="end"))
    edge = f"stroke:{MUTED};stroke-width:1;stroke-opacity:.6"
    parts.append(element("line", x1=x.start, x2=x.stop, y1=y.start, y2=y.start, style=edge))
    for tick, text in zip(x.ticks, tick_texts(x), strict=True):
        parts.append(element("line", x1=x(tick), x2=x(tick), y1=y.start, y2=y.start + 4, style=edge))
        parts.append(label(x(tick), y.start + 18, text, anchor="middle"))
    if x_label:
        parts.append(label((x.start + x.stop) / 2, y.start + 37, x_label, anchor="middle"))
    if y_label:
        parts.append(label(max(x.start - 8, text_width(y_label, 11.5)), y.stop - 12, y_label, anchor="end"))
    return "".join(parts)


def legend(names: Sequence[str], width: float, *, points: int = 0) -> tuple[str, float]:
    """Return colors and names in as many rows as they take, and how much the further rows take; ``""`` has no place.

    The first ``points`` of them are groups of points, the others lines.
    """
    parts, at, row = [], 0.0, 0.0
    for number, name in enumerate(shorten(name, 32) for name in names):
        if not name:
            continue
        size = 20 + text_width(name, 12)
        if at and at + size > width:
            at, row = 0.0, row + 18
        color = COLORS[number % len(COLORS)]
        if number < points:
            parts.append(element("path", d=point(number, at + 7, 30.5 + row, 4.0), style=f"fill:{color}"))
        elif broken := dash(number):
            style = f"stroke:{color};stroke-width:3{broken}"
            parts.append(element("line", x1=at, x2=at + 14, y1=30.5 + row, y2=30.5 + row, style=style))
        else:
            parts.append(element("rect", x=at, y=29.0 + row, width=14.0, height=3.0, rx=1.5, style=f"fill:{color}"))
        parts.append(label(at + 20, 35 + row, name, size=12))
        at += size + 18
    return "".join(parts), row


def dash(number: int) -> str:
    """Return what tells the curves apart that have the same color."""
    return f";stroke-dasharray:{('7 5', '2 5')[(number // len(COLORS) - 1) % 2]}" if number >= len(COLORS) else ""


def point(number: int, x: float, y: float, size: float) -> str:
    """Return the outline of a point of group ``number``: a circle; a diamond where the colors begin again."""
    if number // len(COLORS) % 2:
        side = size * 1.25
        return f"M{x - side:.2f},{y:.2f}L{x:.2f},{y - side:.2f}L{x + side:.2f},{y:.2f}L{x:.2f},{y + side:.2f}Z"
    return f"M{x - size:.2f},{y:.2f}a{size:g},{size:g} 0 1,0 {2 * size:g},0a{size:g},{size:g} 0 1,0 {-2 * size:g},0"


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return points as SVG writes them."""
    return " ".join(f"{a:.2f},{b:.2f}" for a, b in points)


def svg(content: str, *, width: float, height: float, title: str) -> str:
    """Return an ``<svg>`` that scales with its place and tells a screen reader what it shows."""
    style = f"max-width:{width:g}px"
    body = element("title", escape(title)) + content
    return element("svg", body, viewBox=f"0 0 {width:g} {height:g}", role="img", style=style, class_="figure")
