"""Search in a folder of one's own texts, ranked by BM25, tf-idf or a trained network; nothing is stored."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from netsmith.core.errors import ConfigError, DataError, UnknownNameError, shorten
from netsmith.data._text_files import checked_encoding, guessed_encoding, text_files, text_lines
from netsmith.layers.bm25 import bm25_scores
from netsmith.layers.inverted_index import InvertedIndex, best
from netsmith.models.matching.search_tokens import search_tokens
from netsmith.models.matching.tf_idf_cosine import TfIdfCosine

__all__ = ["METHODS", "FolderIndex", "Hit", "Ranker", "index_folder"]

METHODS = ("bm25", "tfidf")
"""How texts are ranked."""
_SHOWN = 160
_AGAIN = 100  # texts that a network ranks again
_READ = 100_000  # signs of a text that it is shown
_WORD = re.compile(r"[\w'’-]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that has words of the query.

    Attributes:
        path: The file, relative to the folder.
        score: How well it fits; of one query the scores can be compared.
        line: Where the words are that say most, 1-based.
        text: That line, or the part of it around them.
    """

    path: str
    score: float
    line: int
    text: str


class Ranker(Protocol):
    """What ranks texts again: a run or a network that was trained to."""

    def predict(self, values: Any) -> list[dict[str, Any]]:
        """Return ``ranking`` and ``scores`` for each query with its documents."""
        ...


class FolderIndex:
    """The words of a folder's texts, held in memory; see :func:`index_folder`.

    Args:
        folder: The folder.
        index: A document for each of ``files``.
        files: The texts, with their encodings.
        skipped: The files that are no texts, and why.
    """

    def __init__(self, folder: Path, index: InvertedIndex, *, files: dict[str, str], skipped: dict[str, str]) -> None:
        self.folder, self.files, self.skipped = folder, files, skipped
        self._index = index
        self._names = tuple(files)
        self._cosine: TfIdfCosine | None = None

    def search(
        self,
        query: str,
        *,
        method: str = "bm25",
        top: int = 10,
        k1: float = 1.2,
        b: float = 0.75,
        ranker: Ranker | None = None,
    ) -> list[Hit]:
        """Return the texts that fit a query best, best first; of equal ones the first by name.

        Texts without any of its words are left out. The lines are read from the files anew.

        Args:
            query: Some words.
            method: ``bm25``, or ``tfidf`` (cosine).
            top: How many texts at most.
            k1: Of BM25, see :func:`~netsmith.layers.bm25.bm25_scores`.
            b: Of BM25.
            ranker: What ranks the method's best 100 texts again; scores are then its own.

        Raises:
            UnknownNameError: Another method.
            ConfigError: A query without a word, or a number out of range.
            DataError: A file went away, or changed its encoding, since it was indexed.
        """
        if method not in METHODS:
            raise UnknownNameError("method of search", method, METHODS)
        if top < 1:
            raise ConfigError(f"top={top}; expected 1 or more")
        wanted = search_tokens(query)
        if not wanted:
            raise ConfigError(f"the query {shorten(query, 40)!r} has no word; expected one at least")
        if method == "bm25":
            scores = bm25_scores(self._index, wanted, k1=k1, b=b)
        else:
            self._cosine = self._cosine or TfIdfCosine(self._index)
            scores = self._cosine.scores(wanted)
        weights = {word: self._weight(word) for word in wanted}
        count = top if ranker is None else max(top, _AGAIN)
        places = [int(place) for place in best(scores, count=count) if scores[place] > 0]
        found = [(place, float(scores[place])) for place in places]
        if ranker is not None and found:
            found = self._again(query, places, ranker)
        return [self._hit(place, score, weights) for place, score in found[:top]]

    def _again(self, query: str, places: Sequence[int], ranker: Ranker) -> list[tuple[int, float]]:
        """Return some texts in the order of a network, with its scores."""
        (found,) = ranker.predict([{"query": query, "documents": [self._text(place) for place in places]}])
        return [(places[at], score) for at, score in zip(found["ranking"], found["scores"], strict=True)]

    def _text(self, place: int) -> str:
        """Return the beginning of a text."""
        name = self._names[place]
        lines: list[str] = []
        read = 0
        try:
            for _, line in text_lines(self.folder / name, self.files[name]):
                lines.append(line)
                read += len(line) + 1  # the line break
                if read > _READ:
                    break
        except (OSError, UnicodeError):
            raise DataError("changed since it was indexed; search again", self.folder / name) from None
        return "\n".join(lines)[:_READ]

    def _weight(self, word: str) -> float:
        """Return how much a word says: the logarithm of how few texts have it."""
        return math.log1p(len(self._names) / (1 + self._index.frequency(word)))

    def _hit(self, place: int, score: float, weights: dict[str, float]) -> Hit:
        name = self._names[place]
        path = self.folder / name
        found, most, shown = 1, 0.0, ""
        try:
            for row, line in text_lines(path, self.files[name]):
                said = sum(weights[word] for word in weights.keys() & set(search_tokens(line)))
                if said > most:
                    found, most, shown = row, said, _around(line, weights)
        except (OSError, UnicodeError):
            raise DataError("changed since it was indexed; search again", path) from None
        return Hit(name, score, found, shown)


def index_folder(folder: str | Path, *, encoding: str = "") -> FolderIndex:
    """Count the words of every text below a folder; each file is a text, read as a stream.

    Hidden files are left out. Empty and binary files, and those that cannot be read, are no texts; they are named in
    ``skipped``.

    Args:
        folder: The folder.
        encoding: Of files without a mark at their beginning; by default each file's own is found: UTF-8, else GB 18030
            or Windows-1252.

    Raises:
        ConfigError: An encoding that Python does not know.
        DataError: It is no folder, or has no text.
    """
    folder = Path(folder)
    given = checked_encoding(encoding) if encoding else ""
    index = InvertedIndex()
    files: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name, problem in text_files(folder):
        path, kind = folder / name, ""
        try:
            kind = "" if problem else guessed_encoding(path)
            kind = given if not kind and given.startswith(("utf-16", "utf-32")) else kind
            if not problem and path.stat().st_size == 0:
                problem = "is empty"
            elif not problem and not kind:
                problem = "is binary"
            if not problem:
                kind = given if given and not kind.startswith(("utf-16", "utf-8-sig")) else kind
                tokens = _tokens(path, kind)
                first = next(tokens, None)
                if first is None:
                    problem = "has no word"
                else:
                    index.add(_with(first, tokens))
                    files[name] = kind
        except UnicodeError:
            problem = f"is not {kind} text"
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
        if problem:
            skipped[name] = problem
    if not files:
        told = "; ".join(f"{name} {problem}" for name, problem in list(skipped.items())[:3])
        raise DataError(f"holds no text{f' ({told})' if told else ''}; expected text files", folder)
    return FolderIndex(folder, index, files=files, skipped=skipped)


def _tokens(path: Path, encoding: str) -> Iterator[str]:
    for _, line in text_lines(path, encoding):
        yield from search_tokens(line)


def _with(first: str, others: Iterator[str]) -> Iterator[str]:
    yield first
    yield from others


def _around(line: str, words: Collection[str]) -> str:
    """Return a line, or as much of a long one as is shown around the first of some words."""
    line = " ".join(line.split()) if len(line) <= 4 * _SHOWN else line
    if len(line) <= _SHOWN:
        return line
    signs = sorted((word for word in words if _CHINESE.match(word) and word in line), key=len)
    if signs:
        at = line.find(signs[-1])
    else:
        at = next((match.start() for match in _WORD.finditer(line) if _has(match.group(), words)), 0)
    start = max(0, min(at - _SHOWN // 3, len(line) - _SHOWN))
    cut = " ".join(line[start : start + _SHOWN].split())
    return f"{'...' if start else ''}{cut}{'...' if start + _SHOWN < len(line) else ''}"


def _has(piece: str, words: Collection[str]) -> bool:
    return any(word in words for word in search_tokens(piece))
