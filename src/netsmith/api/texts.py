"""Texts that a person hands over: a text itself, a file line by line, a column of a table, or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.data._files import read_capped
from netsmith.data._tables import TABLE_SUFFIXES, parse_table

__all__ = ["is_text", "read_document", "read_texts"]

_CAP = 2**30
_NAME = 4096  # no path is longer


def is_text(source: str) -> bool:
    """Say whether an argument is a text, not the name of a file: no such file is there, and it does not look like one.

    Example:
        >>> [is_text(source) for source in ("a fine film", "superb", "很好", "reviews.csv", "data/x", "-")]
        [True, True, True, False, False, False]
    """
    if source in ("", "-"):
        return False
    try:
        if len(source) < _NAME and Path(source).exists():
            return False
    except (OSError, ValueError):  # too long for a name, or with a null byte
        return True
    plain = not any(sign.isspace() for sign in source) and len(source) < _NAME
    return not (plain and ("/" in source or "\\" in source or Path(source).suffix[1:].isalnum()))


def read_texts(source: str, *, column: str = "", encoding: str = "utf-8") -> list[tuple[str, str]]:
    """Return named texts: of a file a text per line, blank ones left out; of a table those of a column.

    Args:
        source: A text, a file, or ``-`` for what comes through a pipe.
        column: The column of a table; else the one named ``text``, or the only one.
        encoding: Of a plain text file or a pipe; tables are UTF-8.

    Raises:
        DataError: A file that is missing or empty, bytes of another encoding, or a table without the column.
        ConfigError: A column of what is no table, or an encoding that Python does not know.
    """
    if is_text(source):
        _no_column(column, "a text")
        return [("text", source)]
    if source not in ("", "-") and Path(source).suffix.lower() in TABLE_SUFFIXES:
        return _column(Path(source), column)
    _no_column(column, "a plain text; expected a .csv, .tsv, .jsonl or .parquet file")
    name, content = read_document(source, encoding=encoding)
    lines = [(f"line {row}", line.strip()) for row, line in enumerate(content.split("\n"), start=1) if line.strip()]
    if not lines:
        raise DataError("is empty; expected a text per line", name)
    return lines


def read_document(source: str, *, encoding: str = "utf-8") -> tuple[str, str]:
    """Return the name and the whole of a text, a file's or a pipe's.

    Raises:
        DataError: A file that is missing or has another encoding; names the byte.
        ConfigError: An encoding that Python does not know.
    """
    if is_text(source):
        return "text", source
    if source in ("", "-"):
        if sys.stdin is None:
            raise DataError("stdin is closed; give a file")
        name, data = "stdin", sys.stdin.buffer.read(_CAP + 1)
    else:
        name, data = Path(source).name, read_capped(Path(source), limit=_CAP)
    if len(data) > _CAP:
        raise DataError(f"has more than {_CAP} bytes; cut it", name)
    try:
        return name, data.decode("utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"is not {encoding} text (byte {error.start + 1}); save it as UTF-8, or say --encoding cp1252 or gb18030",
            name,
            row,
        ) from None
    except LookupError:
        raise ConfigError(
            f"no encoding is named {shorten(encoding, 40)!r}; expected utf-8, cp1252, gb18030, ..."
        ) from None


def _no_column(column: str, what: str) -> None:
    if column:
        raise ConfigError(f"--column {shorten(column, 40)} names a column of a table, and this is {what}")


def _column(path: Path, column: str) -> list[tuple[str, str]]:
    grid = parse_table(read_capped(path, limit=_CAP), path.name)
    if column and column not in grid.columns:
        raise DataError(f"has no column {column!r}{did_you_mean(column, grid.columns)}", path, 1)
    found = column or ("text" if "text" in grid.columns else grid.columns[0] if len(grid.columns) == 1 else "")
    if not found:
        names = ", ".join(map(repr, grid.columns[:8]))
        raise DataError(f"has the columns {names}; say which one with --column", path, 1)
    cells: list[Any] = grid.column(found)
    for cell, row in zip(cells, grid.rows, strict=True):
        if not isinstance(cell, str) or not cell.strip():
            raise DataError(f"the column {found!r} holds {shorten(repr(cell), 40)}, no text", path, row)
    return [(f"row {row}", cell) for cell, row in zip(cells, grid.rows, strict=True)]
