"""Chinese words: a segmenter by name or file, texts of any size line by line, dictionaries from marked texts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.data._text_files import refuse_null, utf16_hint
from netsmith.models.chinese import (
    CorpusCounts,
    HmmTable,
    PlaceHmm,
    PrefixDictionary,
    Segmenter,
    TagHmm,
    jieba_folder,
    jieba_place_table,
    jieba_tag_table,
    last_end,
    marked_words,
)

__all__ = ["ENCODINGS", "Part", "build_dictionary", "corpus_lines", "open_segmenter", "parts_of"]

ENCODINGS = ("utf-8", "gb18030", "gbk", "big5")
"""What a text file may hold: encodings in which no character contains the byte of a line's end."""
_READ = 2**20


class Part(NamedTuple):
    """A part of a line of text, the whole of it unless it is very long.

    Attributes:
        row: The line, 1-based.
        text: Without the line's end.
        last: Whether the line ends with it.
    """

    row: int
    text: str
    last: bool


def open_segmenter(
    dictionary: str = "",
    *,
    users: Sequence[str] = (),
    table: str = "",
    hmm: bool | None = None,
    tags: bool = False,
    fast: bool = False,
) -> Segmenter:
    """Return a segmenter made of files.

    Args:
        dictionary: A file of lines ``word count tag``, or ``jieba`` for the installed package's (its files are read,
            its code is not run); "": jieba's if it is installed.
        users: Files of words of one's own.
        table: A table of a hidden Markov model; "": the file beside the dictionary (``words.places.json``,
            ``words.tags.json`` beside ``words.txt``), else jieba's if it is installed, else none.
        hmm: Whether unknown words are found by it; None: if there is one.
        tags: Whether parts of speech will be asked for.
        fast: Run compiled.

    Raises:
        DataError: There is no dictionary, or no table where one is asked for; says how to get one.
        MissingExtraError: ``fast`` is asked for and numba is not installed.
    """
    folder = jieba_folder()
    if dictionary in ("", "jieba"):
        if folder is None:
            raise DataError(
                "no dictionary: jieba is not installed. Give one (--dictionary FILE of lines 'word count tag'), "
                "install it (pip install jieba), or build one: netsmith text dictionary --from CORPUS --out FILE"
            )
        path, beside = folder / "dict.txt", None
    else:
        path = beside = Path(dictionary)
    words = PrefixDictionary.from_file(path)
    places, tagger = (None, None) if hmm is False else _models(table, beside, folder, tags=tags)
    if hmm and places is None and tagger is None:
        raise DataError(
            "no table for unknown words: give one (--table FILE), build it with the dictionary (netsmith text "
            "dictionary --from CORPUS --out FILE), install jieba, or take --no-hmm"
        )
    segmenter = Segmenter(words, hmm=places, tag_hmm=tagger, fast=fast)
    for user in users:
        segmenter.load_user_words(user)
    return segmenter


def _models(
    table: str, beside: Path | None, folder: Path | None, *, tags: bool
) -> tuple[PlaceHmm | None, TagHmm | None]:
    if table:
        found = HmmTable.from_file(table)
        if any("-" in state for state in found.states()):
            return None, TagHmm(found)
        return PlaceHmm(found), None
    if beside is not None and beside.with_suffix(".tags.json").exists() and tags:
        return None, TagHmm(HmmTable.from_file(beside.with_suffix(".tags.json")))
    if beside is not None and beside.with_suffix(".places.json").exists():
        return PlaceHmm(HmmTable.from_file(beside.with_suffix(".places.json"))), None
    if folder is None:
        return None, None
    return (None, TagHmm(jieba_tag_table(folder))) if tags else (PlaceHmm(jieba_place_table(folder)), None)


def parts_of(file: BinaryIO, name: str, *, encoding: str = "utf-8") -> Iterator[Part]:
    """Yield the lines of a file; a line of more than a megabyte in parts that are segmented as the whole would be.

    Only a stretch without any blank or punctuation is held in memory whole.

    Raises:
        DataError: The file holds another encoding; names line and byte (both 1-based).
        UnknownNameError: No such encoding is supported.
    """
    if encoding.lower() not in ENCODINGS:
        raise UnknownNameError("encoding", encoding, ENCODINGS)
    decoder = codecs.getincrementaldecoder(encoding)()
    row, held, read, hint = 1, "", 0, ""
    while raw := file.readline(_READ):
        hint = hint or utf16_hint(raw, encoding=encoding) or _other(encoding)
        ended = raw.endswith(b"\n")
        waiting = len(decoder.getstate()[0])  # bytes of a character that began in the part before
        try:
            held += decoder.decode(raw, final=ended)
        except UnicodeDecodeError as error:
            place = f"{error.reason} at byte {read - waiting + error.start + 1} of the line"
            raise DataError(f"is not {encoding.upper()}: {place}; {hint}", name, row) from None
        refuse_null(held, name, row)
        if row == 1 and not read:
            held = held.removeprefix("\ufeff")
        read += len(raw)
        if ended:
            yield Part(row, held.removesuffix("\n").removesuffix("\r"), True)
            row, held, read = row + 1, "", 0
        elif cut := last_end(held):
            yield Part(row, held[:cut], False)
            held = held[cut:]
    try:
        held += decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise DataError(f"is not {encoding.upper()}: it ends within a character; {hint}", name, row) from None
    if read:
        yield Part(row, held, True)


def _other(encoding: str) -> str:
    return "is it --encoding gb18030?" if encoding.lower() == "utf-8" else "is it --encoding utf-8?"


def corpus_lines(path: str | Path, *, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yield the lines of a marked text with their numbers."""
    with Path(path).open("rb") as file:
        line = ""
        for part in parts_of(file, str(path), encoding=encoding):
            line += part.text
            if part.last:
                yield part.row, line
                line = ""


def build_dictionary(sources: Iterable[str], out: str | Path, *, encoding: str = "utf-8") -> dict[str, int | str]:
    """Count the words of marked texts; write a dictionary and, beside it, the tables for words it lacks.

    Args:
        sources: Files of words with blanks between, alone or as ``word/tag``; or ``jieba`` alone: what is installed.
        out: The dictionary, for example ``words.txt``; ``words.places.json`` and ``words.tags.json`` lie beside it.
        encoding: Of the sources.

    Returns:
        How many words it has, their total, and the files.

    Raises:
        DataError: A source is malformed, or holds no word.
    """
    out, names = Path(out), list(sources)
    if not re.fullmatch(r"\.\w+", out.suffix):
        raise DataError(f"expected a file's name like words.txt, got {out.name!r}")
    if names == ["jieba"]:
        folder = jieba_folder()
        if folder is None:
            raise DataError("jieba is not installed; install it (pip install jieba) or give marked texts")
        words = PrefixDictionary.from_file(folder / "dict.txt")
        tables = {"places": jieba_place_table(folder), "tags": jieba_tag_table(folder)}
    else:
        counts = CorpusCounts()
        for name in names:
            for sentence in marked_words(corpus_lines(name, encoding=encoding), name):
                counts.add(sentence)
        words = counts.dictionary()
        tables = {"places": counts.place_table(), "tags": counts.tag_table()}
    words.write(out)
    told: dict[str, int | str] = {"words": len(words), "total": words.total, "dictionary": str(out)}
    for kind, table in tables.items():
        if table is not None and table.start:
            path = out.with_suffix(f".{kind}.json")
            table.write(path)
            told[kind] = str(path)
    return told
