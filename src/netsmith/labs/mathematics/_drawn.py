"""Arrays of numbers as the plain data of a figure."""

from __future__ import annotations

from collections.abc import Iterable

from netsmith.core.findings import Series

__all__ = ["Matrix", "floats", "listed", "rounded", "series"]

Matrix = tuple[tuple[float, float], tuple[float, float]]
"""A 2x2 matrix, a row after the other."""


def series(name: str, xs: Iterable[float], ys: Iterable[float]) -> Series:
    """Return a line or a group of points."""
    return Series(name, floats(xs), floats(ys))


def floats(values: Iterable[float]) -> tuple[float, ...]:
    """Return plain numbers."""
    return tuple(map(float, values))


def rounded(value: float, digits: int = 4) -> str:
    """Return a number as text, without a minus before 0 and without noise of rounding."""
    return f"{0.0 if abs(value) < 1e-12 else value:.{digits}g}"


def listed(values: Iterable[float], digits: int = 4) -> str:
    """Return numbers as text: ``(2, 3, -1)``."""
    return f"({', '.join(rounded(value, digits) for value in values)})"
