"""Plane polygons over given points: convex hull, area, whether edges cross; pure Python."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Point", "area", "convex_hull", "coverage", "is_simple", "same_cycle"]

Point = Sequence[float]
"""Two numbers, x and y."""


def convex_hull(points: Sequence[Point]) -> list[int]:
    """Return the places of the hull's corners, counterclockwise, from the one given first.

    Andrew's monotone chain (1979, doi:10.1016/0020-0190(79)90072-3): the points from left to right make the lower
    chain, from right to left the upper one; a point where a chain does not turn left is left out, so that one between
    two corners is none.

    Args:
        points: At least one; of equal points the first counts.

    Example:
        >>> convex_hull([(0.5, 0.4), (1, 0), (1, 1), (0, 1), (0, 0)])
        [1, 2, 3, 4]
    """
    order = sorted(range(len(points)), key=lambda place: (points[place][0], points[place][1], place))
    distinct = [
        place
        for at, place in enumerate(order)
        if not at or (points[place][0], points[place][1]) != (points[order[at - 1]][0], points[order[at - 1]][1])
    ]
    if len(distinct) < 3:
        return sorted(distinct)
    corners = [*_chain(points, distinct)[:-1], *_chain(points, distinct[::-1])[:-1]]
    first = corners.index(min(corners))
    return corners[first:] + corners[:first]


def _chain(points: Sequence[Point], order: Sequence[int]) -> list[int]:
    chain: list[int] = []
    for place in order:
        while len(chain) > 1 and _turn(points[chain[-2]], points[chain[-1]], points[place]) <= 0:
            chain.pop()
        chain.append(place)
    return chain


def _turn(a: Point, b: Point, c: Point) -> float:
    """Return twice the signed area of a triangle: positive where the way from a over b to c turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def area(corners: Sequence[Point]) -> float:
    """Return the signed area within a closed way over some corners: positive counterclockwise (Gauss's shoelace).

    Example:
        >>> area([(0, 0), (2, 0), (2, 1)])
        1.0
    """
    after = [*corners[1:], *corners[:1]]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, after, strict=True)) / 2


def is_simple(corners: Sequence[Point]) -> bool:
    """Return whether the closed way over at least 3 different corners never touches itself.

    Example:
        >>> is_simple([(0, 0), (1, 0), (1, 1), (0, 1)]), is_simple([(0, 0), (1, 1), (1, 0), (0, 1)])
        (True, False)
    """
    count = len(corners)
    if count < 3 or len({(corner[0], corner[1]) for corner in corners}) < count:
        return False
    edges = [(corners[at], corners[(at + 1) % count]) for at in range(count)]
    for at, (a, b) in enumerate(edges):
        c = edges[(at + 1) % count][1]
        if _turn(a, b, c) == 0 and _between(a, b, c, folded=True):
            return False  # the next edge goes back on this one
        others = range(at + 2, count - (at == 0))  # neighbors share a corner
        if any(_touch(a, b, *edges[other]) for other in others):
            return False
    return True


def _between(a: Point, b: Point, c: Point, *, folded: bool = False) -> bool:
    """Return whether c, on one line with a and b, lies between them; ``folded``: on a's side of b."""
    if folded:
        return (c[0] - b[0]) * (a[0] - b[0]) + (c[1] - b[1]) * (a[1] - b[1]) > 0
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])


def _touch(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Return whether the stretches from a to b and from c to d have a point in common."""
    sides = (_turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b))
    if sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0:
        return True
    ends = zip(sides, ((a, b, c), (a, b, d), (c, d, a), (c, d, b)), strict=True)
    return any(side == 0 and _between(*three) for side, three in ends)


def same_cycle(first: Sequence[int], second: Sequence[int]) -> bool:
    """Return whether two closed ways pass the same places, wherever and in whichever direction they begin.

    Example:
        >>> same_cycle([4, 2, 7], [2, 7, 4]), same_cycle([4, 2, 7], [7, 2, 4]), same_cycle([1, 2, 3, 4], [1, 3, 2, 4])
        (True, True, False)
    """
    if sorted(first) != sorted(second) or len(set(first)) < len(first):
        return False
    if not first:
        return True
    at = list(second).index(first[0])
    turned = [*second[at:], *second[:at]]
    return list(first) in (turned, [turned[0], *turned[:0:-1]])


def coverage(points: Sequence[Point], places: Sequence[int]) -> float | None:
    """Return which share of the hull's area a polygon over some of the points covers; None where it is not simple.

    All corners are points, so the polygon lies within the hull.

    Example:
        >>> coverage([(0, 0), (1, 0), (1, 1), (0, 1)], [0, 1, 2])
        0.5
    """
    corners = [points[place] for place in places]
    if not is_simple(corners):
        return None
    return abs(area(corners)) / area([points[place] for place in convex_hull(points)])
