"""Arrays of numbers as the plain data of a figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from netsmith.core.findings import Series

__all__ = ["Entry", "Matrix", "floats", "listed", "rounded", "series"]

Entry = Annotated[float, Field(ge=-100, le=100)]
"""A number of a matrix or vector that a setting gives."""
Matrix = tuple[tuple[Entry, Entry], tuple[Entry, Entry]]
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
