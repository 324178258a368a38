"""The vector space model: cosine of two texts' tf-idf vectors (Salton, Wong & Yang 1975); free of torch."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netsmith.layers.inverted_index import InvertedIndex

__all__ = ["TfIdfCosine"]


class TfIdfCosine:
    r"""The documents of an index as vectors of unit length.

    A word's weight is :math:`f\,(\ln \frac{1 + N}{1 + n} + 1)`, with f its count in the text, or
    :math:`1 + \ln f`; N documents, n with the word.

    Args:
        index: The documents; those added later are not seen.
        sublinear: Whether counts enter by their logarithm.

    Example:
        >>> index = InvertedIndex()
        >>> for text in ("wing lift", "wing wing drag", "heat"):
        ...     number = index.add(text.split())
        >>> TfIdfCosine(index).scores(["wing", "heat"]).round(3).tolist()
        [0.366, 0.506, 0.796]
    """

    def __init__(self, index: InvertedIndex, *, sublinear: bool = False) -> None:
        self._index, self._sublinear, self._size = index, sublinear, len(index)
        squares = np.zeros(self._size)
        for term in index.terms:
            documents, counts = index.postings(term)
            squares[documents] += (self._counted(counts) * self._idf(len(documents))) ** 2
        self._norms = np.sqrt(squares)

    def scores(self, query: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each document with a query, ``(N,)`` float64; words of no document count nothing."""
        found = np.zeros(self._size)
        square = 0.0
        for word, times in collections.Counter(query).items():
            documents, counts = self._index.postings(word)
            inside = documents < self._size
            documents, counts = documents[inside], counts[inside]
            if len(documents):
                idf = self._idf(len(documents))
                weight = float(self._counted(np.array(float(times)))) * idf
                square += weight**2
                found[documents] += weight * self._counted(counts) * idf
        lengths = self._norms * math.sqrt(square)
        return np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 0)

    def _idf(self, frequency: int) -> float:
        return math.log((1 + self._size) / (1 + frequency)) + 1

    def _counted(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 + np.log(counts) if self._sublinear else counts
