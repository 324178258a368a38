"""Reading CSV, TSV, JSONL and Parquet into columns; a file is treated as hostile."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netsmith.core.errors import DataError, shorten
from netsmith.core.extras import require
from netsmith.data._files import read_capped

__all__ = ["TABLE_LIMIT", "TABLE_SUFFIXES", "Grid", "parse_table", "read_table", "utf8_text"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TABLE_LIMIT = 512 * 2**20
_CELL_LIMIT = 100_000_000
_COLUMN_LIMIT = 10_000


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table as read.

    Attributes:
        name: The file's name.
        columns: Names of the columns, in order.
        cells: The values by column: texts, and for JSONL and Parquet also numbers, booleans and null.
        rows: The row of each record in its file, 1-based as an editor counts (for Parquet: the record's number).
    """

    name: str
    columns: tuple[str, ...]
    cells: tuple[list[Any], ...]
    rows: list[int]

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        return self.cells[self.columns.index(name)]


def parse_table(data: bytes, name: str, *, header: bool = True) -> Grid:
    """Parse a table by the ending of its name.

    CSV is UTF-8 with a header; its delimiter is the one of comma, semicolon and tab that stands most often in the
    header. Without a ``header`` its columns are ``1``, ``2``, ..., and its delimiter is that of which every row has as
    many, the fewest but more than one. JSONL has one object per line; a key that a line lacks is null.

    Raises:
        DataError: Another encoding, ragged rows, duplicate or empty column names, no records, damaged contents.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise DataError(f"is no table; expected one of {', '.join(TABLE_SUFFIXES)}", name)
    if not data:
        raise DataError("is empty; expected a table with a header and rows", name)
    if suffix == ".parquet":
        grid = _parquet(data, name)
    elif suffix in (".jsonl", ".ndjson"):
        grid = _jsonl(utf8_text(data, name), name)
    else:
        grid = _csv(utf8_text(data, name), name, tab=suffix == ".tsv", header=header)
    if not grid.rows:
        raise DataError("has a header but no rows", name)
    return grid


def read_table(path: Path, *, parse: Callable[[bytes, str], Grid] = parse_table) -> Grid:
    """Read a table file.

    Args:
        path: The file.
        parse: What makes a table of its contents and its name.

    Raises:
        DataError: As in :func:`parse_table`, or a file that is missing, unreadable or too large (512 MiB).
    """
    return parse(read_capped(path, limit=TABLE_LIMIT), path.name)


def utf8_text(data: bytes, name: str) -> str:
    """Return the text of a file in UTF-8.

    Raises:
        DataError: It is encoded otherwise, or holds a NUL byte; names the row.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("is encoded as UTF-16; save it as UTF-8", name, 1)
    zero = data.find(b"\0")
    if zero >= 0:
        raise DataError("holds a NUL byte; expected text in UTF-8", name, data.count(b"\n", 0, zero) + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"holds the byte 0x{data[error.start]:02x}, not UTF-8; save it as UTF-8", name, row) from None


def _check_columns(columns: list[str], name: str) -> None:
    if len(columns) > _COLUMN_LIMIT:
        raise DataError(f"has {len(columns)} columns; expected at most {_COLUMN_LIMIT}", name, 1)
    for position, column in enumerate(columns, start=1):
        if not column:
            raise DataError(f"column {position} has no name in the header", name, 1)
        if columns.index(column) != position - 1:
            raise DataError(f"the column {shorten(column, 60)!r} is there twice in the header", name, 1)


def _delimiter(text: str) -> str:
    """Return the delimiter of rows without a header: every row has as many values, and few."""
    widths = {
        sign: {len(row) for row in itertools.islice(csv.reader(io.StringIO(text, newline=""), delimiter=sign), 100)}
        for sign in ",;\t"
    }
    return min(widths, key=lambda sign: (len(widths[sign] - {0}) != 1 or 1 in widths[sign], max(widths[sign] or {0})))


def _csv(text: str, name: str, *, tab: bool, header: bool) -> Grid:
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = "\t" if tab else max(",;\t", key=head.count)
    columns: list[str] = []
    cells: tuple[list[Any], ...] = ()
    rows: list[int] = []
    begin = 1
    try:
        if not header and not tab:
            delimiter = _delimiter(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for record in reader:
            row, begin = begin, reader.line_num + 1
            if not record or (len(record) == 1 and not record[0].strip() and len(columns) != 1):
                continue  # a blank line
            if not columns:
                columns = [column.strip() if header else str(at) for at, column in enumerate(record, start=1)]
                _check_columns(columns, name)
                cells = tuple([] for _ in columns)
                if header:
                    continue
            if len(record) != len(columns):
                raise DataError(f"has {len(record)} values; the header has {len(columns)} columns", name, row)
            for values, value in zip(cells, record, strict=True):
                values.append(value)
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"is not CSV: {error}", name, begin) from None
    if not columns:
        raise DataError("holds only blank lines; expected a header and rows", name)
    return Grid(name=name, columns=tuple(columns), cells=cells, rows=rows)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key is there twice")
    return result


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _jsonl(text: str, name: str) -> Grid:
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    columns: dict[str, None] = {}
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line.strip())
            if "\\u" in line:
                json.dumps(record, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except (ValueError, RecursionError) as error:
            raise DataError(f"is not JSON: {error}", name, row) from None
        if not isinstance(record, dict):
            raise DataError(f"holds {type(record).__name__}; expected one object per line", name, row)
        for key, value in record.items():
            if isinstance(value, (dict, list)):
                raise DataError(
                    f"{shorten(key, 40)!r} holds a nested value; expected text, number, true or null", name, row
                )
        columns |= dict.fromkeys(record)
        if len(columns) * (len(rows) + 1) > _CELL_LIMIT:
            raise DataError(f"holds more than {_CELL_LIMIT} cells", name, row)
        records.append(record)
        rows.append(row)
    _check_columns(list(columns), name)
    cells = tuple([record.get(column) for record in records] for column in columns)
    return Grid(name=name, columns=tuple(columns), cells=cells, rows=rows)


def _parquet(data: bytes, name: str) -> Grid:
    pyarrow = require("pyarrow", extra="data")
    parquet = require("pyarrow.parquet", extra="data")
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        count = file.metadata.num_rows * max(file.metadata.num_columns, 1)
        size = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
        if count > _CELL_LIMIT or size > 4 * TABLE_LIMIT or count < 0:
            raise DataError(f"announces {count} cells in {size} bytes; expected at most {_CELL_LIMIT} cells", name)
        columns = [str(field.name) for field in file.schema_arrow]
        _check_columns(columns, name)
        for field in file.schema_arrow:
            kind = field.type.value_type if pyarrow.types.is_dictionary(field.type) else field.type
            simple = (
                pyarrow.types.is_integer(kind)
                or pyarrow.types.is_floating(kind)
                or pyarrow.types.is_boolean(kind)
                or pyarrow.types.is_string(kind)
                or pyarrow.types.is_large_string(kind)
                or pyarrow.types.is_null(kind)
            )
            if not simple:
                raise DataError(f"column {field.name!r} holds {field.type}; expected text, numbers or booleans", name)
        table = file.read()
        table.validate(full=True)
        cells = tuple(table.column(position).to_pylist() for position in range(len(columns)))
    except (DataError, ImportError):
        raise
    except Exception as error:  # a damaged file raises from deep inside pyarrow, in many ways
        raise DataError(f"is not a whole Parquet file: {error}", name) from None
    return Grid(name=name, columns=tuple(columns), cells=cells, rows=list(range(1, len(cells[0]) + 1 if cells else 1)))
