"""Whether one threshold unit computes a function: decided exactly, with a proof either way."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, gcd, lcm
from typing import NamedTuple

__all__ = ["Impossible", "Unit", "separate"]


class Unit(NamedTuple):
    """A threshold unit that computes the function.

    Attributes:
        weights: One for each input.
        threshold: What their sum has to reach.
    """

    weights: tuple[int, ...]
    threshold: int


class Impossible(NamedTuple):
    """A proof that no unit does.

    Attributes:
        multipliers: One for each point, not negative, not all 0. Each point asks for w x - theta > 0 or for
            theta - w x > 0; these inequalities, times the multipliers, add up to 0 > 0.
    """

    multipliers: tuple[int, ...]


class _Row(NamedTuple):
    """The inequality ``coefficients . (w, theta) > 0``, and how it was added up from the points' own."""

    coefficients: tuple[int, ...]
    multipliers: tuple[int, ...]


def separate(points: Sequence[Sequence[int]], answers: Sequence[int]) -> Unit | Impossible:
    """Return a threshold unit that answers so, or the proof that there is none.

    Fourier-Motzkin elimination in whole numbers. Strict inequalities lose nothing: a threshold that some sum reaches
    exactly can be lowered a little, as the points are finitely many.

    Args:
        points: The inputs of each case.
        answers: 1 or 0 for each.

    Example:
        >>> separate([(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 1, 0])
        Impossible(multipliers=(1, 1, 1, 1))
    """
    rows = []
    for at, (point, answer) in enumerate(zip(points, answers, strict=True)):
        sign = 1 if answer else -1
        chosen = tuple(int(at == other) for other in range(len(points)))
        rows.append(_Row((*(sign * x for x in point), -sign), chosen))
    size = len(points[0]) + 1
    stages = []
    for variable in range(size):
        stages.append(rows)
        rows = _eliminated(rows, variable)
    if rows:
        return Impossible(rows[0].multipliers)
    values = [Fraction(0)] * size
    for variable in reversed(range(size)):
        values[variable] = _between(stages[variable], variable, values)
    scale = lcm(*(value.denominator for value in values))
    whole = [int(value * scale) for value in values]
    return Unit(tuple(whole[:-1]), whole[-1])


def _eliminated(rows: list[_Row], variable: int) -> list[_Row]:
    """Return what the inequalities say of the other variables: each upper bound is above each lower one."""
    found = {row.coefficients: row for row in rows if not row.coefficients[variable]}
    for low in rows:
        for high in rows:
            a, b = low.coefficients[variable], -high.coefficients[variable]
            if a > 0 and b > 0:
                coefficients = [b * x + a * y for x, y in zip(low.coefficients, high.coefficients, strict=True)]
                multipliers = [b * x + a * y for x, y in zip(low.multipliers, high.multipliers, strict=True)]
                shared = gcd(*coefficients, *multipliers)
                row = _Row(tuple(x // shared for x in coefficients), tuple(x // shared for x in multipliers))
                found.setdefault(row.coefficients, row)
    return list(found.values())


def _between(rows: list[_Row], variable: int, values: list[Fraction]) -> Fraction:
    """Return a number that all inequalities allow, the others given: a whole one near 0 where there is one."""
    low: Fraction | None = None
    high: Fraction | None = None
    for row in rows:
        own = row.coefficients[variable]
        rest = sum((c * v for at, (c, v) in enumerate(zip(row.coefficients, values, strict=True)) if at != variable), 0)
        if own > 0:
            low = Fraction(-rest, own) if low is None else max(low, Fraction(-rest, own))
        elif own < 0:
            high = Fraction(-rest, own) if high is None else min(high, Fraction(-rest, own))
    if low is not None and low >= 0:
        above = Fraction(floor(low) + 1)
        return above if high is None or above < high else (low + high) / 2
    if high is not None and high <= 0:
        below = -Fraction(floor(-high) + 1)
        return below if low is None or below > low else (low + high) / 2
    return Fraction(0)
