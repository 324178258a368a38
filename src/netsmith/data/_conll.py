"""Sentences in columns, as CoNLL's: a token and its tag on a line, an empty line after each sentence."""

from __future__ import annotations

from typing import NamedTuple

from netsmith.core.errors import DataError, shorten
from netsmith.data._text_files import decoded

__all__ = ["Sentence", "conll_sentences"]


class Sentence(NamedTuple):
    """Tokens with a tag each.

    Attributes:
        tokens: At least one.
        tags: As many.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def conll_sentences(data: bytes, name: str) -> list[Sentence]:
    """Return the sentences of a file: the first column holds tokens, the last one tags.

    Args:
        data: Its contents, UTF-8; columns are separated by blanks or tabs.
        name: Stands in errors.

    Raises:
        DataError: Another encoding, a line without two columns, or no sentence; names the line (1-based).
    """
    found: list[Sentence] = []
    tokens: list[str] = []
    tags: list[str] = []
    for row, line in enumerate([*decoded(data, name).split("\n"), ""], start=1):
        columns = line.split()
        if len(columns) == 1:
            raise DataError(f"has one column, {shorten(repr(line), 40)}; expected a token and its tag", name, row)
        if columns:
            tokens.append(columns[0])
            tags.append(columns[-1])
        elif tokens:
            found.append(Sentence(tuple(tokens), tuple(tags)))
            tokens, tags = [], []
    if not found:
        raise DataError("has no sentence; expected a token and its tag on each line", name)
    return found
