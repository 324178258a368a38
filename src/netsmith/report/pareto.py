"""The Pareto plot of models as SVG text: accuracy against what it costs (latency, multiply-adds, parameters)."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence

from netsmith.core.errors import UserError, shorten
from netsmith.report._axes import (
    COLORS,
    INK,
    MUTED,
    frame,
    label,
    linear_scale,
    log_scale,
    path,
    svg,
    text_width,
    tick_texts,
)
from netsmith.report.markup import element, escape
from netsmith.report.tables import milliseconds_text

__all__ = ["ModelPoint", "pareto_chart", "pareto_front"]


_COVERED = 0.1
"""Share of a name that may lie over other names and markers, where its model is not of the best."""


@dataclasses.dataclass(frozen=True, slots=True)
class ModelPoint:
    """One model of a Pareto plot.

    Attributes:
        name: Its label.
        cost: Above 0; further left is better.
        accuracy: A proportion 0..1; higher is better.
    """

    name: str
    cost: float
    accuracy: float


def pareto_front(points: Sequence[ModelPoint]) -> list[int]:
    """Return the points that no other beats in both cost and accuracy, cheapest first (equal ones: the first)."""
    order = sorted(range(len(points)), key=lambda i: (points[i].cost, -points[i].accuracy, i))
    front: list[int] = []
    for index in order:
        if not front or points[index].accuracy > points[front[-1]].accuracy:
            front.append(index)
    return front


def pareto_chart(
    points: Sequence[ModelPoint],
    *,
    title: str,
    axis: str = "median latency, ms",
    text: Callable[[float], str] = milliseconds_text,
    width: float = 470,
    height: float = 420,
) -> str:
    """Return accuracy against cost (logarithmic), a marker per model, and the line of those that nothing beats.

    Every model on that line has its name beside it. Of the others those have whose name does not cover what is there;
    the rest say theirs under the pointer only, so a chart of many models wants a table beside it.

    Args:
        points: Models; a cost that is not positive and finite is refused.
        title: Stands above the chart.
        axis: What the cost is.
        text: How a cost is written.
        width: SVG units (pixels at full size).
        height: SVG units.

    Raises:
        UserError: A cost or accuracy that cannot be drawn.
    """
    for point in points:
        if not (math.isfinite(point.cost) and point.cost > 0 and math.isfinite(point.accuracy)):
            raise UserError(f"{point.name!r} costs {point.cost} and has accuracy {point.accuracy}")
    parts = [label(0, 14, title, size=14, color=INK, weight=600)]
    if not points:
        parts.append(label(width / 2, height / 2, "no models", anchor="middle"))
        return svg("".join(parts), width=width, height=height, title=title)
    accuracies = [point.accuracy for point in points]
    spread = max(max(accuracies) - min(accuracies), 0.002)
    reach = [min(accuracies) - 0.15 * spread, max(accuracies) + 0.1 * spread]
    cap = 1.0 if max(accuracies) <= 1 else math.inf
    y = linear_scale([min(value, cap) for value in reach], height - 46, 62, cap=cap)
    left = 12 + max(text_width(text, 11.5) for text in tick_texts(y, percent=True))
    x = log_scale([point.cost for point in points], left, width - 14, pad=1.35)
    parts.append(frame(x, y, percent_y=True))
    parts.append(label((left + width) / 2, height - 8, f"{axis} (logarithmic)", anchor="middle"))
    parts.append(label(0, 40, "accuracy", size=11.5))
    front = pareto_front(points)
    line = f"fill:none;stroke:{COLORS[0]};stroke-width:1.5;stroke-opacity:.55;stroke-dasharray:1 5;stroke-linecap:round"
    if len(front) > 1:
        spots = [(x(points[i].cost), y(points[i].accuracy)) for i in front]
        steps = [spots[0]]
        for before, after in itertools.pairwise(spots):
            steps += [(after[0], before[1]), after]  # between two models one still gets the accuracy of the cheaper
        parts.append(element("polyline", points=path(steps), style=line))
    taken = [(x(p.cost) - 6, y(p.accuracy) - 6, x(p.cost) + 6, y(p.accuracy) + 6) for p in points]
    others = [index for index in range(len(points)) if index not in front]
    for index in [*others, *front]:  # the front lies on top
        point, best = points[index], index in front
        cx, cy = x(point.cost), y(point.accuracy)
        fill = COLORS[0] if best else "var(--paper,#fff)"
        style = f"fill:{fill};stroke:{COLORS[0] if best else MUTED};stroke-width:1.75"
        tip = f"{point.name}: {100 * point.accuracy:.2f} %, {text(point.cost)}"
        parts.append(element("circle", element("title", escape(tip)), cx=cx, cy=cy, r=5.5, style=style))
    for index in [*front, *others]:  # and chooses the place of its labels first
        point, best = points[index], index in front
        cx, cy = x(point.cost), y(point.accuracy)
        name = shorten(point.name, 34)
        box, anchor, covered = _place(cx, cy, text_width(name, 12.5), taken, (left, 50.0, width, height - 46))
        if covered > _COVERED and not best:
            continue
        taken.append(box)
        at = {"start": box[0], "end": box[2], "middle": (box[0] + box[2]) / 2}[anchor]
        color = INK if best else MUTED
        parts.append(
            label(at, box[3] - 4, name, size=12.5, anchor=anchor, color=color, weight=500 if best else 400, halo=True)
        )
    return svg("".join(parts), width=width, height=height, title=title)


def _place(
    cx: float,
    cy: float,
    length: float,
    taken: Sequence[tuple[float, float, float, float]],
    room: tuple[float, float, float, float],
) -> tuple[tuple[float, float, float, float], str, float]:
    """Choose a place for a label beside its marker: the first that is free, else the one that overlaps least.

    Returns:
        The box, its anchor, and the share of it that lies over what is there.
    """
    offsets = [("start", 10, 0), ("end", -10, 0), ("middle", 0, -18), ("middle", 0, 18)]
    offsets += [("start", 8, -14), ("start", 8, 14), ("end", -8, -14), ("end", -8, 14)]
    best, least, covered = None, math.inf, 0.0
    for anchor, dx, dy in offsets:
        begin = cx + dx - {"start": 0, "end": length, "middle": length / 2}[anchor]
        box = (begin, cy + dy - 8, begin + length, cy + dy + 8)
        over = sum(_overlap(box, other) for other in taken)
        outside = (
            max(0, room[0] - box[0]) + max(0, box[2] - room[2]) + max(0, room[1] - box[1]) + max(0, box[3] - room[3])
        )
        cost = over + 1000 * outside
        if cost < least - 1e-9:
            best, least, covered = (box, anchor), cost, over / (16 * length)
    assert best is not None
    return (*best, covered)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
