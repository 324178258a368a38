"""Texts in columns; with tabs between, as corpora come, quotes are signs like others."""

from __future__ import annotations

from pathlib import Path

from netsmith.core.errors import DataError, shorten
from netsmith.data._tables import Grid, parse_table, utf8_text

__all__ = ["parse_texts"]

_COLUMN_LIMIT = 1000


def parse_texts(data: bytes, name: str, *, header: bool, what: str) -> Grid:
    """Return a table of texts: of TSV a line is a row, and empty lines are left out; else as ``parse_table``.

    Args:
        data: The file's contents.
        name: Its name, which ends as its form says.
        header: Whether the first row of TSV and CSV names the columns; else they are ``1``, ``2``, ...
        what: What a row is, for errors.

    Raises:
        DataError: Another encoding, ragged rows, columns without a name or of one name, no row; names the row.
    """
    if Path(name).suffix.lower() == ".tsv":
        return _parse_tsv(data, name, header=header, what=what)
    return parse_table(data, name, header=header)


def _parse_tsv(data: bytes, name: str, *, header: bool, what: str) -> Grid:
    columns: tuple[str, ...] = ()
    cells: tuple[list[str], ...] = ()
    rows: list[int] = []
    for row, line in enumerate(utf8_text(data, name).split("\n"), start=1):
        if not line.strip("\r"):
            continue
        values = line.removesuffix("\r").split("\t")
        if not columns:
            columns = tuple(value.strip() for value in values) if header else tuple(map(str, range(1, len(values) + 1)))
            if len(set(columns)) < len(columns) or len(columns) > _COLUMN_LIMIT or not all(columns):
                shown = shorten(", ".join(map(repr, columns)), 80)
                raise DataError(
                    f"names its columns {shown}; expected names that differ (or data.header=false)", name, row
                )
            cells = tuple([] for _ in columns)
            if header:
                continue
        if len(values) != len(columns):
            raise DataError(f"has {len(values)} columns; the first row has {len(columns)}", name, row)
        for column, value in zip(cells, values, strict=True):
            column.append(value)
        rows.append(row)
    if not rows:
        raise DataError(f"holds no {what}; expected one a row", name)
    return Grid(name, columns, cells, rows)
