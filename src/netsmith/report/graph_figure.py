"""A drawing of a graph around one of its nodes, as SVG text: who is how far away, and what each node and edge gave."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from netsmith.core.errors import UserError
from netsmith.report._axes import COLORS, INK, LINE, MUTED, label, svg
from netsmith.report.markup import element, escape

__all__ = ["Dot", "Link", "graph_chart"]

_FOR, _AGAINST = COLORS[1], COLORS[0]  # as in the pictures: orange speaks for the answer, blue against it
_NAMED = 6  # nodes whose names are written
_LEAST = 0.02  # of what the strongest node gave: those that gave less are drawn only on the way to others


@dataclasses.dataclass(frozen=True, slots=True)
class Dot:
    """A node.

    Attributes:
        name: Written beside it where it matters, and told under the pointer.
        value: What it gave, signed.
        about: More to tell under the pointer.
    """

    name: str
    value: float
    about: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """An edge between two nodes, by their positions, and what it gave (0 where that is not known)."""

    one: int
    other: int
    value: float = 0.0


def graph_chart(
    dots: Sequence[Dot],
    links: Sequence[Link],
    *,
    title: str,
    middle: int | None = None,
    most: int = 60,
    size: int = 520,
) -> str:
    """Return a drawing: the middle node, on rings around it those one step away, two steps, and so on.

    A node is the larger, and an edge the wider, the more it gave; orange gave for the answer, blue against it.

    Args:
        dots: The nodes.
        links: The edges; one between the same two nodes is drawn once, with what gave more.
        title: Stands above the drawing.
        middle: The node in the middle, in a ring of ink; None takes the one with most edges.
        most: Nodes drawn: those that gave most, and who leads to them.
        size: Width in SVG units; the drawing is as high, below the title.

    Raises:
        UserError: No nodes, or an edge of a node that is not there.
    """
    edges = _joined(dots, links)
    near: list[list[int]] = [[] for _ in dots]
    for one, other in edges:
        near[one].append(other)
        near[other].append(one)
    root = middle if middle is not None else max(range(len(dots)), key=lambda at: len(near[at]))
    parents, rings = _tree(root, near)
    shown = _chosen(dots, parents, root, most)
    places = _places(root, parents, rings, shown, size)
    strongest = max((abs(dots[at].value) for at in shown), default=0.0) or 1.0
    widest = max((abs(value) for (a, b), value in edges.items() if a in shown and b in shown), default=0.0) or 1.0
    parts = [label(0, 14, title, size=14, color=INK, weight=600)]
    for (one, other), value in sorted(edges.items(), key=lambda item: abs(item[1])):
        if one in shown and other in shown:
            (xa, ya), (xb, yb) = places[one], places[other]
            color = LINE if value == 0 else _color(value)
            style = f"stroke:{color};stroke-width:{1 + 4 * abs(value) / widest:.2f};stroke-opacity:.8"
            parts.append(element("line", x1=xa, y1=ya, x2=xb, y2=yb, style=style))
    rising = sorted(shown, key=lambda at: abs(dots[at].value))
    parts += [_circle(dots[at], places[at], strongest, root=at == middle) for at in rising]
    for at in dict.fromkeys((*rising[-_NAMED:], *([] if middle is None else [middle]))):
        x, y = places[at]
        if dots[at].value or at == middle:
            right = x <= size * 0.8
            away = (8 + 7 * abs(dots[at].value) / strongest) * (1 if right else -1)
            anchor = "start" if right else "end"
            parts.append(label(x + away, y + 4, dots[at].name, anchor=anchor, color=INK, halo=True))
    left_out = len(dots) - len(shown)
    if left_out:
        parts.append(label(0, size + 26, f"{left_out} more node{'s' * (left_out > 1)} not drawn", color=MUTED))
    return svg("".join(parts), width=size, height=size + 32, title=title)


def _joined(dots: Sequence[Dot], links: Sequence[Link]) -> dict[tuple[int, int], float]:
    """Return each pair of nodes once, with the value of more weight."""
    if not dots:
        raise UserError("a graph without nodes cannot be drawn")
    wrong = next((thing for thing in (*dots, *links) if not math.isfinite(thing.value)), None)
    if wrong:
        raise UserError(f"{wrong} has no finite value, so it has no size; leave it out")
    edges: dict[tuple[int, int], float] = {}
    for link in links:
        pair = min(link.one, link.other), max(link.one, link.other)
        if pair[0] < 0 or pair[1] >= len(dots):
            raise UserError(f"an edge joins {link.one} and {link.other}; expected nodes 0..{len(dots) - 1}")
        if pair[0] != pair[1] and abs(link.value) >= abs(edges.get(pair, 0.0)):
            edges[pair] = link.value
    return edges


def _tree(root: int, near: list[list[int]]) -> tuple[dict[int, int], dict[int, int]]:
    """Return of each node its parent on a shortest way from the root, and how many steps that is.

    Nodes without a way hang on the root, one ring outside of all others.
    """
    parents, rings, front = {root: root}, {root: 0}, [root]
    while front:
        ahead = []
        for at in front:
            for other in near[at]:
                if other not in parents:
                    parents[other], rings[other] = at, rings[at] + 1
                    ahead.append(other)
        front = ahead
    outer = max(rings.values()) + 1
    for at in range(len(near)):
        if at not in parents:
            parents[at], rings[at] = root, outer
    return parents, rings


def _chosen(dots: Sequence[Dot], parents: dict[int, int], root: int, most: int) -> set[int]:
    """Return the root, the nodes that gave most (all alike where none gave anything), and all on the way to them."""
    shown = {root}
    floor = _LEAST * max(abs(dot.value) for dot in dots)
    strong = [at for at in parents if abs(dots[at].value) >= floor]
    for at in sorted(strong, key=lambda at: -abs(dots[at].value)):
        way, free = [], most - len(shown)
        if not free:
            break
        while at not in shown and len(way) <= free:
            way.append(at)
            at = parents[at]
        if len(way) <= free:
            shown.update(way)
    return shown


def _places(
    root: int, parents: dict[int, int], rings: dict[int, int], shown: set[int], size: int
) -> dict[int, tuple[float, float]]:
    """Return where each node is: around its parent's direction, with room for all that hang on it."""
    children: dict[int, list[int]] = {at: [] for at in shown}
    for at in sorted(shown - {root}):
        children[parents[at]].append(at)
    room: dict[int, float] = {}
    for at in sorted(shown, key=lambda at: -rings[at]):  # less than in proportion: a hub may not squeeze the others
        room[at] = max(1.0, sum(room[child] for child in children[at]) ** 0.75)
    step = (size / 2 - 24) / max(1, *(rings[at] for at in shown))
    center = size / 2, size / 2 + 18
    places, waiting = {root: center}, [(root, 0.0, 2 * math.pi)]
    for at, start, share in waiting:  # grows while it is walked
        for child in children[at]:
            part = share * room[child] / sum(room[other] for other in children[at])
            angle, radius = start + part / 2, step * rings[child]
            places[child] = center[0] + radius * math.cos(angle), center[1] + radius * math.sin(angle)
            waiting.append((child, start, part))
            start += part
    return places


def _circle(dot: Dot, place: tuple[float, float], strongest: float, *, root: bool) -> str:
    share = abs(dot.value) / strongest
    told = ": ".join(part for part in (dot.name, dot.about) if part)
    edge = f"stroke:{INK};stroke-width:2.5" if root else f"stroke:{MUTED};stroke-width:.75"
    style = f"fill:{_color(dot.value) if dot.value else LINE};{edge}"
    body = element("title", escape(f"{told} ({dot.value:+.4f})"))
    return element("circle", body, cx=place[0], cy=place[1], r=4.0 + 7.0 * share, style=style)


def _color(value: float) -> str:
    return _FOR if value > 0 else _AGAINST
