"""Texts that a person hands over: a text itself, a file line by line, a column of a table, or a pipe."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.data._files import open_plain, read_capped
from netsmith.data._tables import TABLE_SUFFIXES, parse_table
from netsmith.data._text_files import encoding_hint, refuse_null, text_of

__all__ = ["Texts", "is_text", "read_texts"]

_CAP = 2**30  # bytes of a table
_LINE = 2**24  # bytes of a text
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


class Texts:
    """Named texts that can be passed through again and again: of a file a text per line, read anew each time.

    Of a plain file, and of a pipe, which is kept in a temporary file, no more than a line is held; a table is read
    whole. Blank lines are left out, but of :meth:`rows`.

    Args:
        source: A text, a file, or ``-`` for what comes through a pipe.
        column: The column of a table; else the one named ``text``, or the only one.
        encoding: Of a plain text file or a pipe; tables are UTF-8.

    Raises:
        DataError: A file that is missing or JSON, or a table without the column; while they are passed through: a file
            that is empty, bytes of another encoding, a NUL, a line of more than 16 MiB.
        ConfigError: A column of what is no table, or an encoding that Python does not know.
    """

    def __init__(self, source: str, *, column: str = "", encoding: str = "utf-8") -> None:
        self._given: list[tuple[int, str]] | None = None
        self._file: BinaryIO | None = None
        self._path = Path(source)
        self._name = "stdin" if source in ("", "-") else self._path.name
        self._encoding = _known(encoding)
        self._unit = "line"
        if is_text(source):
            _no_column(column, "a text")
            self._given, self._unit = [(1, source)], "text"
        elif source not in ("", "-") and self._path.suffix.lower() in TABLE_SUFFIXES:
            self._given, self._unit = _column(self._path, column, self._encoding), "row"
        else:
            _no_column(column, "a plain text; expected a .csv, .tsv, .jsonl or .parquet file")
            if self._path.suffix.lower() == ".json":
                raise DataError("is JSON; expected a text per line, or a .csv, .tsv, .jsonl or .parquet", self._path)
            if source in ("", "-"):
                self._file = _kept_pipe()
                weakref.finalize(self, self._file.close)
            else:
                open_plain(self._path).close()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for row, text in self.rows():
            if text:
                yield "text" if self._unit == "text" else f"{self._unit} {row}", text

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield each text with its row in the file (1-based); ``""`` for a blank line."""
        if self._given is not None:
            yield from self._given
            return
        empty = True
        with contextlib.ExitStack() as stack:
            if self._file is None:
                file: BinaryIO = stack.enter_context(open_plain(self._path))
            else:
                file = self._file
                file.seek(0)
            for row, line in enumerate(_lines(file, self._name, self._encoding), start=1):
                text = line.strip()
                empty = empty and not text
                yield row, text
        if empty:
            raise DataError("is empty; expected a text per line", self._name)

    @property
    def alone(self) -> Iterable[str]:
        """The texts without their names."""
        return _Alone(self)

    def sample(self, count: int = 100) -> str:
        """Return the first texts as one, to tell the language."""
        return " ".join(text for _, text in itertools.islice(self, count))


class _Alone:
    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in self._texts)


def read_texts(source: str, *, column: str = "", encoding: str = "utf-8") -> list[tuple[str, str]]:
    """Return named texts, all at once; arguments and errors are those of :class:`Texts`."""
    return list(Texts(source, column=column, encoding=encoding))


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
        return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except LookupError:
        raise ConfigError(
            f"no encoding is named {shorten(encoding, 40)!r}; expected utf-8, cp1252, gb18030, ..."
        ) from None


def _kept_pipe() -> BinaryIO:
    """Return what comes through the pipe, kept outside of memory."""
    if sys.stdin is None:
        raise DataError("stdin is closed; give a file")
    kept = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(sys.stdin.buffer, kept)
    return cast("BinaryIO", kept)


def _lines(file: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends.

    Raises:
        DataError: As :class:`Texts`; names the line and, where a line break is one byte, the byte.
    """
    single = "\n".encode(encoding).removeprefix(codecs.BOM_UTF8) == b"\n"
    whole = None if single else io.TextIOWrapper(file, encoding, newline="\n")
    read, row = 0, 1
    try:
        while piece := file.readline(_LINE + 1) if whole is None else whole.readline(_LINE + 1):
            if len(piece) > _LINE:
                raise DataError(f"has a line of more than {_LINE:,} bytes; expected a text per line", name, row)
            first = encoding if row == 1 else encoding.removesuffix("-sig")
            text = piece.decode(first) if isinstance(piece, bytes) else piece
            refuse_null(text, name, row, option="--encoding ")
            yield text
            read, row = read + len(piece), row + 1
    except UnicodeDecodeError as error:
        place = f" (byte {read + error.start + 1})" if single else ""
        file.seek(0)
        hint = encoding_hint(file.read(2), encoding=encoding)
        raise DataError(f"is not {encoding.removesuffix('-sig')} text{place}; {hint}", name, row) from None
    finally:
        if whole is not None:
            whole.detach()


def _no_column(column: str, what: str) -> None:
    if column:
        raise ConfigError(f"--column {shorten(column, 40)} names a column of a table, and this is {what}")


def _column(path: Path, column: str, encoding: str) -> list[tuple[int, str]]:
    data = read_capped(path, limit=_CAP)
    if path.suffix.lower() != ".parquet" and not encoding.startswith("utf-8"):
        data = text_of(data, path.name, encoding=encoding).encode()
    grid = parse_table(data, path.name)
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
    return list(zip(grid.rows, cells, strict=True))
