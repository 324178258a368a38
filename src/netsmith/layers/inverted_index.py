"""An inverted index: for each word the documents it comes in and how often; documents are streamed in."""

from __future__ import annotations

import array
import collections
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["InvertedIndex", "best"]


class InvertedIndex:
    """Counts of words by document, reached by word.

    A document is numbered in the order of :meth:`add` and is not kept: memory grows with the number of different words
    per document, not with the length of the texts.

    Example:
        >>> index = InvertedIndex()
        >>> for text in ("a b a", "b c"):
        ...     number = index.add(text.split())
        >>> [found.tolist() for found in index.postings("a")], index.lengths.tolist()
        ([[0], [2.0]], [3, 2])
    """

    def __init__(self) -> None:
        self._terms: dict[str, int] = {}
        self._documents: list[array.array[int]] = []
        self._counts: list[array.array[int]] = []
        self._lengths: array.array[int] = array.array("q")

    def __len__(self) -> int:
        """Return how many documents there are."""
        return len(self._lengths)

    @property
    def terms(self) -> tuple[str, ...]:
        """The different words, in the order they came."""
        return tuple(self._terms)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of words of each document, ``(N,)``."""
        return np.array(self._lengths, dtype=np.int64)

    def add(self, tokens: Iterable[str]) -> int:
        """Count a document's words and return its number; if ``tokens`` raises, the index is as before."""
        counts = collections.Counter(tokens)
        number = len(self._lengths)
        for term, count in counts.items():
            place = self._terms.setdefault(term, len(self._terms))
            if place == len(self._documents):
                self._documents.append(array.array("I"))
                self._counts.append(array.array("I"))
            self._documents[place].append(number)
            self._counts[place].append(count)
        self._lengths.append(counts.total())
        return number

    def frequency(self, term: str) -> int:
        """Return in how many documents a word comes."""
        place = self._terms.get(term)
        return 0 if place is None else len(self._documents[place])

    def postings(self, term: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the documents a word comes in, ascending, and how often it does in each."""
        place = self._terms.get(term)
        if place is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.array(self._documents[place], dtype=np.int64), np.array(self._counts[place], dtype=np.float64)


def best(scores: NDArray[np.float64], *, count: int | None = None) -> NDArray[np.int64]:
    """Return the numbers of the highest scores, best first; of equal ones the earlier document comes first.

    Example:
        >>> best(np.array([0.0, 2.0, 1.0, 2.0]), count=3).tolist()
        [1, 3, 2]
    """
    return np.argsort(-scores, kind="stable")[:count]
