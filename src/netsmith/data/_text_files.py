"""Text files of a folder as they come: of mixed encodings, empty, binary or huge; read line by line."""

from __future__ import annotations

import codecs
import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from netsmith.core.errors import ConfigError, DataError, shorten

__all__ = [
    "checked_encoding",
    "decoded",
    "encoding_hint",
    "guessed_encoding",
    "refuse_null",
    "text_files",
    "text_lines",
    "text_of",
    "utf16_hint",
]

_HEAD = 2**16
_LONGEST = 2**16  # characters of a line that are held at once
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF16 = tuple(mark for mark, name in _MARKS if name == "utf-16")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_PAIRED = 0.8  # in Chinese encodings nearly all bytes above 127 stand side by side, in Western ones few


def text_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every file below a folder, by name: its path relative to the folder, and why it cannot be read, if so.

    Hidden files and folders are left out, and links to folders are not followed.

    Raises:
        DataError: It is no folder.
    """
    if not folder.is_dir():
        raise DataError("is a file; expected a folder of texts" if folder.exists() else "does not exist", folder)
    refused: list[OSError] = []
    for base, below, names in os.walk(folder, onerror=refused.append):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(base, name)
            try:
                plain = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                yield path.relative_to(folder).as_posix(), f"cannot be read: {error.strerror or error}"
            else:
                yield path.relative_to(folder).as_posix(), "" if plain else "is not a plain file"
    for error in refused:
        yield os.path.relpath(error.filename or folder, folder), f"cannot be listed: {error.strerror or error}"


def checked_encoding(encoding: str) -> str:
    """Return the name of an encoding of texts as Python writes it.

    Raises:
        ConfigError: Python knows none of that name.
    """
    try:
        "".encode(encoding)  # of codecs only those of texts
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ConfigError(
            f"no encoding of texts is named {shorten(encoding, 40)!r}; expected utf-8, cp1252, gb18030, ..."
        ) from None


def decoded(data: bytes, name: str, *, encoding: str = "UTF-8") -> str:
    """Return the text of a file whose encoding its makers say; a mark at the beginning of UTF-8 is left out.

    Args:
        data: Its contents.
        name: Stands in errors.
        encoding: As it is written in errors.

    Raises:
        DataError: It is encoded otherwise.
    """
    try:
        return data.decode("utf-8-sig" if encoding == "UTF-8" else encoding)
    except UnicodeDecodeError as error:
        raise DataError(f"is not {encoding}: {error.reason} at byte {error.start}", name) from None


def text_of(data: bytes, name: str, *, encoding: str = "") -> str:
    """Return the text of a file of the user's; a mark at the beginning of UTF-8 is left out.

    Args:
        data: Its contents.
        name: Stands in errors.
        encoding: As the option ``--encoding`` says it; ``""`` for UTF-8, where there is no such option to advise.

    Raises:
        DataError: It is encoded otherwise; names the line.
        ConfigError: Python knows no encoding of that name.
    """
    known = checked_encoding(encoding or "utf-8")
    try:
        text = data.decode("utf-8-sig" if known == "utf-8" else known)
    except UnicodeDecodeError as error:
        hint = encoding_hint(data, encoding=known) if encoding else utf16_hint(data, encoding=known)
        row = data.count(b"\n", 0, error.start) + 1
        problem = f"is not {encoding or 'UTF-8'} text (byte {error.start + 1}); {hint or 'save it as UTF-8'}"
        raise DataError(problem, name, row) from None
    refuse_null(text, name, 1, option="--encoding " if encoding else "")
    return text


def refuse_null(text: str, name: str | Path, row: int, *, option: str = "") -> None:
    """Refuse what holds a NUL: a file that is no text, or UTF-16 without the mark at its beginning.

    Args:
        text: What was decoded.
        name: Stands in the error.
        row: Of its first line (1-based).
        option: What names an encoding to the reader, if anything does.

    Raises:
        DataError: It does; names the line.
    """
    at = text.find("\0")
    if at >= 0:
        order = "be" if at % 2 == 0 else "le"  # of a letter's two bytes the one that is zero comes first, or second
        hint = f"; if it is UTF-16 without a mark, say {option}utf-16-{order}" if option else ""
        raise DataError(f"holds a NUL; expected a text{hint}", name, row + text.count("\n", 0, at))


def encoding_hint(head: bytes, *, encoding: str) -> str:
    """Return what to do about a file that is not encoded as the option ``--encoding`` said."""
    hint = utf16_hint(head, encoding=encoding, option="--encoding ")
    return hint or "save it as UTF-8, or say --encoding cp1252 or gb18030"


def utf16_hint(head: bytes, *, encoding: str, option: str = "") -> str:
    """Return what to do about a file that was read in another encoding and begins as UTF-16 does; "" of others.

    Args:
        head: Its beginning.
        encoding: In which it was read.
        option: What names an encoding to the reader, if anything does.

    Example:
        >>> utf16_hint("a".encode("utf-16"), encoding="utf-8", option="--encoding ")
        'it begins as UTF-16 does: save it as UTF-8, or say --encoding utf-16'
    """
    if not head.startswith(_UTF16) or codecs.lookup(encoding).name.startswith("utf-16"):
        return ""
    return "it begins as UTF-16 does: save it as UTF-8" + (f", or say {option}utf-16" if option else "")


def guessed_encoding(path: Path) -> str:
    """Return how a text file is encoded; "" if it is binary.

    A mark at the beginning decides; else UTF-8 if the whole file is; else ``gb18030`` if nearly all of its bytes above
    127 stand side by side, and ``cp1252`` if not. A file with null bytes or many control characters is binary.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        if b"\0" in head or 10 * len(_CONTROL.findall(head)) > len(head):
            return ""
        decoder = codecs.getincrementaldecoder("utf-8")()
        piece = head
        try:
            while piece:
                decoder.decode(piece)
                previous, piece = piece, file.read(_HEAD)
                head = previous
            decoder.decode(b"", final=True)
            return "utf-8"
        except UnicodeDecodeError:
            runs = [len(run) for run in _HIGH_RUN.findall(piece or head)]
    paired = sum(size for size in runs if size > 1)
    return "gb18030" if paired > _PAIRED * sum(runs) else "cp1252"


def text_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield a file's lines with their numbers (1-based), without their ends.

    A line of more than 65,536 characters comes in parts, cut at blanks where it has some; memory stays bounded.

    Raises:
        UnicodeDecodeError: It is encoded otherwise.
        OSError: It cannot be read.
    """
    with path.open(encoding=encoding) as file:
        rest = ""
        for row in itertools.count(1):
            while (piece := file.readline(_LONGEST)) and not piece.endswith("\n"):
                piece = rest + piece
                cut = 0 if len(piece) < _LONGEST else max(piece.rfind(" "), piece.rfind("\t")) + 1
                cut = len(piece) if not cut and len(piece) >= 2 * _LONGEST else cut
                if cut:
                    yield row, piece[:cut]
                rest = piece[cut:]
            if piece or rest:
                yield row, rest + piece.removesuffix("\n")
                rest = ""
            if not piece:
                return
