"""One alignment from two: those of a word model in each direction (Och & Ney 2003; Koehn, Och & Marcu 2003)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

from netsmith.core.errors import ConfigError

__all__ = ["Alignment", "Rule", "grow_diag_final_and", "symmetrize"]

Alignment = AbstractSet[tuple[int, int]]
"""Points (place in the source sentence, place in the target sentence), both from 0."""

Rule = Literal["intersection", "union", "grow_diag_final_and"]

_NEIGHBORS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def symmetrize(forward: Alignment, backward: Alignment, rule: Rule) -> set[tuple[int, int]]:
    """Return the alignment of a sentence pair made of those of both directions.

    Args:
        forward: Where each source word has at most one target word.
        backward: Where each target word has at most one source word; points are (source, target) here too.
        rule: The points of both (precise), those of either (complete), or what lies between.

    Raises:
        ConfigError: There is no such rule.

    Example:
        >>> sorted(symmetrize({(0, 0), (1, 1), (2, 1)}, {(0, 0), (1, 1), (1, 2)}, "grow_diag_final_and"))
        [(0, 0), (1, 1), (1, 2), (2, 1)]
    """
    if rule == "intersection":
        return set(forward & backward)
    if rule == "union":
        return set(forward | backward)
    if rule != "grow_diag_final_and":
        raise ConfigError(f"rule={rule!r}; expected intersection, union or grow_diag_final_and")
    return grow_diag_final_and(forward, backward)


def grow_diag_final_and(forward: Alignment, backward: Alignment) -> set[tuple[int, int]]:
    """Grow the intersection toward the union (Koehn et al. 2003, section 3; Koehn et al. 2005, IWSLT).

    Neighbors of points, diagonal ones included, are taken from the union where the source or the target word has no
    point yet, until none is left (grow-diag). Then points of the backward, after it of the forward alignment are taken
    where neither word has one (final-and).

    Args:
        forward: Where each source word has at most one target word.
        backward: Where each target word has at most one source word; points are (source, target) here too.
    """
    points = set(forward & backward)
    union = forward | backward
    sources, targets = {i for i, _ in points}, {j for _, j in points}
    order = sorted(union, key=_by_target)
    near = {(i, j): [(i + a, j + b) for a, b in _NEIGHBORS if (i + a, j + b) in union] for i, j in order}

    def take(point: tuple[int, int]) -> None:
        points.add(point)
        sources.add(point[0])
        targets.add(point[1])

    grew = len(points) < len(union)
    while grew:
        grew = False
        for point in order:
            if point in points:
                for new in near[point]:
                    if new not in points and (new[0] not in sources or new[1] not in targets):
                        take(new)
                        grew = True
    for side in (backward, forward):
        for point in sorted(side - points, key=_by_target):
            if point[0] not in sources and point[1] not in targets:
                take(point)
    return points


def _by_target(point: tuple[int, int]) -> tuple[int, int]:
    return point[1], point[0]
