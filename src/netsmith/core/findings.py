"""What a lab found, as plain data: numbers, figures as what they show, remarks; drawn elsewhere, and free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

__all__ = [
    "Bar",
    "Bars",
    "Figure",
    "Findings",
    "Grid",
    "Histograms",
    "Lab",
    "Lines",
    "Number",
    "Panel",
    "Picture",
    "Pictures",
    "Points",
    "Series",
    "Surface",
]

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
class Points:
    """Groups of points in the plane, and lines through it (orbits, boundaries).

    Attributes:
        name: Of its file, without the ending.
        title: Stands above it.
        x_label: The name of the horizontal axis, with its unit.
        y_label: The name of the vertical axis, with its unit.
        series: Groups of points, in any order.
        lines: Joined in the order given, but for a break where a position is not finite; they have the colors after
            those of the groups.
        log_x: Whether the horizontal axis is logarithmic.
        log_y: Whether the vertical one is.
        equal: Both axes to the same scale: a circle is round.
        caption: Stands below.
    """

    name: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    lines: tuple[Series, ...] = ()
    log_x: bool = False
    log_y: bool = False
    equal: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar in each category.

    Attributes:
        name: Stands in the legend.
        values: One for each category; None where there is none.
        spreads: Half the length of the line through a bar's end (a standard deviation); empty for none.
    """

    name: str
    values: tuple[float | None, ...]
    spreads: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """Upright bars side by side in named categories.

    Attributes:
        name: Of its file, without the ending.
        title: Stands above it.
        y_label: What their height is, with its unit.
        categories: From left to right.
        series: A bar of each stands in every category.
        caption: Stands below.
    """

    name: str
    title: str
    y_label: str
    categories: tuple[str, ...]
    series: tuple[Bar, ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A small gray image.

    Attributes:
        name: Stands above it.
        values: Rows of pixels, from the top.
    """

    name: str
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Small gray images in rows.

    Attributes:
        name: Of the file, without the ending.
        title: Stands above them.
        pictures: In reading order.
        low: The value drawn black.
        high: The value drawn white.
        columns: Images in a row.
        caption: Stands below.
    """

    name: str
    title: str
    pictures: tuple[Picture, ...]
    low: float
    high: float
    columns: int = 10
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


Figure: TypeAlias = "Bars | Histograms | Lines | Pictures | Points | Surface"


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
