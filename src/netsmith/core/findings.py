"""What a lab found, as plain data: numbers, figures as what they show, remarks; drawn elsewhere, and free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

__all__ = ["Figure", "Findings", "Grid", "Histograms", "Lab", "Lines", "Number", "Panel", "Series", "Surface"]

Number: TypeAlias = "int | float | str | None"


@dataclass(frozen=True, slots=True)
class Series:
    """One line, or one path over a surface.

    Attributes:
        name: Stands in the legend.
        xs: Positions; ascending for a line.
        ys: As many values.
    """

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A chart of lines over one axis.

    Attributes:
        name: Of its file, without the ending.
        title: Stands above it.
        x_label: The name of the horizontal axis, with its unit.
        y_label: The name of the vertical axis, with its unit.
        series: The lines.
        log_x: Whether the horizontal axis is logarithmic.
        log_y: Whether the vertical one is.
        caption: Stands below.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    log_x: bool = False
    log_y: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One histogram among several.

    Attributes:
        name: Stands above it.
        shares: Of all values, in each of as many equally wide bins.
    """

    name: str
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Histograms:
    """A row of histograms over the same range.

    Attributes:
        name: Of its file, without the ending.
        title: Stands above it.
        x_label: What is counted.
        low: Where the first bin begins.
        high: Where the last one ends.
        panels: From left to right.
        caption: Stands below.
    """

    name: str
    title: str
    x_label: str
    low: float
    high: float
    panels: tuple[Panel, ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Surface:
    """A function of two numbers as contour lines, with paths over it.

    Attributes:
        name: Of its file, without the ending.
        title: Stands above it.
        x_label: The name of the first number.
        y_label: The name of the second.
        xs: Columns of the grid, ascending.
        ys: Rows of the grid, ascending.
        values: A row of values for each of ``ys``.
        levels: The values that have a contour line.
        paths: What walks over it.
        marks: Points with a name (a minimum).
        caption: Stands below.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    levels: tuple[float, ...]
    paths: tuple[Series, ...] = ()
    marks: tuple[tuple[str, float, float], ...] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table.

    Attributes:
        title: Stands above it.
        columns: Names, with units.
        rows: A cell for each column: a number, a text, or None where there is nothing to say.
        caption: Stands below.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Number, ...], ...]
    caption: str = ""


Figure: TypeAlias = "Lines | Histograms | Surface"


@dataclass(frozen=True, slots=True)
class Findings:
    """What an experiment found.

    Attributes:
        numbers: By name: one, or one for each layer, step, ...; None where there is none.
        figures: In reading order.
        tables: After them.
        remarks: What the numbers show, formed from them and from nothing else.
    """

    numbers: Mapping[str, Number | tuple[Number, ...]]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Grid, ...] = ()
    remarks: tuple[str, ...] = field(default=())


class Lab(Protocol):
    """What a lab's config builds."""

    def run(self) -> Findings:
        """Run the experiment."""
        ...
