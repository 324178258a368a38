"""A sound over time, in the colors of what each window of it gave, and how much each gave, as SVG text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from netsmith.core.errors import UserError
from netsmith.report._axes import COLORS, INK, frame, label, linear_scale, path, svg
from netsmith.report.markup import element, escape

__all__ = ["wave_chart"]

_FOR, _AGAINST = COLORS[1], COLORS[0]  # as in the pictures: orange speaks for the answer, blue against it
_COLUMNS = 600  # places of the wave, each from the least to the largest of its samples
_WIDTH, _TOP, _WAVE, _SCORES = 620.0, 26.0, 110.0, 90.0


def wave_chart(samples: Sequence[float], scores: Sequence[float], *, size: int, rate: int, title: str) -> str:
    """Return the wave above bars that tell how much each window gave.

    Orange gave for the answer, blue against it; the stronger the color behind the wave, the more.

    Args:
        samples: The wave; it is drawn as high as there is room.
        scores: One per window; the last window may reach beyond the samples.
        size: Samples of a window.
        rate: Samples per second; 0 where it is not known, time is told in samples then.
        title: Stands above the chart.

    Raises:
        UserError: No samples, or windows that do not hold them.
    """
    if not samples or size < 1 or len(scores) != -(-len(samples) // size):
        raise UserError(
            f"{len(samples)} samples, {len(scores)} windows of {size}; expected samples, and windows that hold them"
        )
    unit, times = ("seconds", 1 / rate) if rate else ("samples", 1.0)
    bottom = _TOP + _WAVE + 24 + _SCORES
    y = linear_scale([0.0, *scores], bottom, bottom - _SCORES)
    x = linear_scale([0.0, len(samples) * times], 54.0, _WIDTH - 8)
    x = dataclasses.replace(x, high=len(samples) * times, ticks=tuple(t for t in x.ticks if t <= len(samples) * times))
    most = max(map(abs, scores)) or 1.0
    parts = [label(0, 14, title, size=14, color=INK, weight=600), frame(x, y, x_label=unit)]
    for at, score in enumerate(scores):
        start, stop = size * at * times, min(size * (at + 1), len(samples)) * times
        left, width, color = x(start), x(stop) - x(start), _FOR if score > 0 else _AGAINST
        tip = element("title", escape(f"{start:g} to {stop:g} {unit}: {score:+.4f}"))
        shade = f"fill:{color};fill-opacity:{0.75 * abs(score) / most:.3f}"
        parts.append(element("rect", tip, x=left, y=_TOP, width=width, height=_WAVE, style=shade))
        upper, lower = sorted((y(0.0), y(score)))
        bar = {"x": left + 0.1 * width, "y": upper, "width": 0.8 * width, "height": lower - upper}
        parts.append(element("rect", tip, **bar, style=f"fill:{color}"))
    parts.append(_wave(samples, x.start, x.stop))
    return svg("".join(parts), width=_WIDTH, height=bottom + 44, title=title)


def _wave(samples: Sequence[float], left: float, right: float) -> str:
    """Return the outline from the least to the largest sample of each place."""
    step, loud = -(-len(samples) // _COLUMNS), max(map(abs, samples)) or 1.0
    middle, half = _TOP + _WAVE / 2, (_WAVE / 2 - 4) / loud
    over, under = [], []
    for start in range(0, len(samples), step):
        part = samples[start : start + step + 1]  # with the first of the next, so that there is no gap
        across = left + (right - left) * start / len(samples)
        over.append((across, middle - half * max(part)))
        under.append((across, middle - half * min(part)))
    style = f"fill:{INK};stroke:{INK};stroke-width:0.8;stroke-linejoin:round;pointer-events:none"
    return element("polygon", points=path([*over, *reversed(under)]), style=style)
