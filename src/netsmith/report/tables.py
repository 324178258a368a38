"""Numbers for people, and one table for the terminal, the page and Markdown."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Sequence

from netsmith.core.errors import UserError
from netsmith.report.markup import escape

__all__ = ["Table", "bytes_text", "count_text", "milliseconds_text", "percent_text", "ratio_text"]

_NONE = "–"


def count_text(value: float | None) -> str:
    """Return a count with a decimal prefix: ``2.7 k``, ``11.2 M``; below a thousand as it is.

    Example:
        >>> count_text(2_713), count_text(999), count_text(999_960)
        ('2.7 k', '999', '1.0 M')
    """
    if value is None or not math.isfinite(value):
        return _NONE
    return _prefixed(value, ("", "k", "M", "G", "T", "P"), 1000)


def bytes_text(value: float | None) -> str:
    """Return bytes with a decimal prefix (1 MB = 1,000,000 bytes): ``1.2 MB``.

    Example:
        >>> bytes_text(1_234_567), bytes_text(512)
        ('1.2 MB', '512 B')
    """
    if value is None or not math.isfinite(value):
        return _NONE
    return _prefixed(value, ("B", "kB", "MB", "GB", "TB", "PB"), 1000)


def milliseconds_text(value: float | None) -> str:
    """Return a time given in milliseconds in the unit it reads best in: ``43 µs``, ``0.43 ms``, ``1.2 s``, ``3 min``.

    Example:
        >>> milliseconds_text(0.432), milliseconds_text(0.0124), milliseconds_text(2300)
        ('0.43 ms', '12 µs', '2.3 s')
    """
    if value is None or not math.isfinite(value):
        return _NONE
    size = abs(value)
    if size < 0.1:
        return f"{_significant(value * 1000)} µs"
    if size < 999.5:
        return f"{_significant(value)} ms"
    if size < 119_500:
        return f"{_significant(value / 1000)} s"
    return f"{value / 60_000:.0f} min"


def percent_text(value: float | None, *, digits: int = 1) -> str:
    """Return a proportion (0..1) in percent: ``98.3 %``; never rounds a mistake away (99.97 % stays below 100)."""
    if value is None or not math.isfinite(value):
        return _NONE
    while digits < 6 and value < 1 and f"{100 * value:.{digits}f}".startswith("100"):
        digits += 1
    return f"{100 * value:.{digits}f} %"


def ratio_text(value: float | None) -> str:
    """Return how many times smaller or faster: ``4.1x``.

    Example:
        >>> ratio_text(4.13), ratio_text(12.6), ratio_text(0.874)
        ('4.1x', '13x', '0.87x')
    """
    return _NONE if value is None or not math.isfinite(value) else f"{_significant(value)}x"


def _significant(value: float) -> str:
    """Two significant digits, and all digits before the point."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, 1 - math.floor(math.log10(abs(float(f'{value:.1e}')))))}f}"


def _prefixed(value: float, units: Sequence[str], base: int) -> str:
    size, place = abs(value), 0
    while place + 1 < len(units) and round(size, 1 if place and size < 100 else 0) >= base:
        size, place = size / base, place + 1
    number = (
        f"{size:.{0 if round(size, 1) >= 100 else 1}f}"
        if place
        else f"{size:.0f}"
        if size == int(size) or size >= 10
        else f"{size:.2g}"
    )
    return f"{'-' if value < 0 else ''}{number} {units[place]}".rstrip()


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headers; drawn in three ways.

    Attributes:
        headers: One per column.
        rows: Text, one per column.
        align: ``"l"`` or ``"r"`` per column; empty means the first column left, all others right.
        marked: Rows (0-based) that are set in bold: the best, the chosen one.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str = ""
    marked: Sequence[int] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.headers):
                raise UserError(
                    f"row {number} has {len(row)} cells; expected {len(self.headers)}: {list(self.headers)}"
                )
        if self.align and (len(self.align) != len(self.headers) or set(self.align) - set("lr")):
            raise UserError(f"align is {self.align!r}; expected one 'l' or 'r' for each of {len(self.headers)} columns")

    @property
    def sides(self) -> str:
        """The alignment of every column."""
        return self.align or "l" + "r" * (len(self.headers) - 1)

    def html(self) -> str:
        """Return a ``<table>``, everything escaped."""
        classes = ['class="number"' if side == "r" else "" for side in self.sides]
        head = "".join(f'<th scope="col" {c}>{escape(h)}</th>' for h, c in zip(self.headers, classes, strict=True))
        body = []
        for number, row in enumerate(self.rows):
            cells = "".join(f"<td {c}>{escape(cell)}</td>" for cell, c in zip(row, classes, strict=True))
            body.append(f'<tr class="marked">{cells}</tr>' if number in self.marked else f"<tr>{cells}</tr>")
        markup = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        return markup.replace("<td >", "<td>").replace(' scope="col" >', ' scope="col">')

    def markdown(self) -> str:
        """Return a Markdown table; pipes, tags and line breaks in cells are disarmed."""

        def line(cells: Sequence[str]) -> str:
            texts = [" ".join(str(cell).split()).replace("\\", "\\\\").replace("|", "\\|") for cell in cells]
            return "| " + " | ".join(text.replace("&", "&amp;").replace("<", "&lt;") for text in texts) + " |"

        rule = "|" + "|".join("---:" if side == "r" else ":---" for side in self.sides) + "|"
        rows = [
            [f"**{cell}**" if number in self.marked and cell else cell for cell in row]
            for number, row in enumerate(self.rows)
        ]
        return "\n".join([line(self.headers), rule, *(line(row) for row in rows)]) + "\n"

    def terminal(self, *, width: int = 100, color: bool = False) -> str:
        """Return the table as rich draws it in a terminal of ``width`` columns."""
        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for header, side in zip(self.headers, self.sides, strict=True):
            drawn.add_column(Text(header), justify="right" if side == "r" else "left")
        for number, row in enumerate(self.rows):
            drawn.add_row(*(Text(str(cell)) for cell in row), style="bold" if number in self.marked else None)
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=color, color_system="standard" if color else None)
        console.print(drawn)
        return stream.getvalue()
