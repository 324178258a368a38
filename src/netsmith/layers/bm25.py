"""BM25: words of a query that are rare, weighted by how often they come in a document of its length; free of torch.

Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", FnTIR 3:4, 2009.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from netsmith.core.errors import ConfigError
from netsmith.layers.inverted_index import InvertedIndex

__all__ = ["Idf", "bm25_idf", "bm25_scores"]

Idf = Literal["positive", "robertson"]


def bm25_idf(frequency: int, *, size: int, idf: Idf = "positive") -> float:
    r"""Return the weight of a word that comes in ``frequency`` of ``size`` documents.

    ``robertson`` is :math:`\ln \frac{N - n + 1/2}{n + 1/2}`, below 0 for a
    word of more than half of the documents; ``positive`` adds 1 within the logarithm, as Lucene does.

    Raises:
        ConfigError: Another form.

    Example:
        >>> [round(bm25_idf(8, size=10, idf=form), 3) for form in ("positive", "robertson")]
        [0.258, -1.224]
    """
    if idf not in ("positive", "robertson"):
        raise ConfigError(f"idf={idf!r}; expected 'positive' or 'robertson'")
    odds = (size - frequency + 0.5) / (frequency + 0.5)
    return math.log1p(odds) if idf == "positive" else math.log(odds)


def bm25_scores(
    index: InvertedIndex, query: Sequence[str], *, k1: float = 1.2, b: float = 0.75, idf: Idf = "positive"
) -> NDArray[np.float64]:
    r"""Return the score of each document for a query.

    .. math:: \sum_{w \in q} \mathrm{idf}_w \,
        \frac{(k_1 + 1)\, f_{w,d}}{f_{w,d} + k_1 (1 - b + b\, |d| / \overline{|d|})}

    A word that comes twice in the query counts twice; one that comes in no document counts nothing.

    Args:
        index: The documents.
        query: The words of the query.
        k1: How late the count of a word saturates, 0 or more; at 0 only its presence counts.
        b: How much a document's length counts, 0..1.
        idf: The form of the words' weights, see :func:`bm25_idf`.

    Returns:
        ``(N,)`` float64.

    Raises:
        ConfigError: A setting out of range.

    Example:
        >>> index = InvertedIndex()
        >>> for text in ("wing lift", "wing wing drag", "heat"):
        ...     number = index.add(text.split())
        >>> bm25_scores(index, ["wing", "heat"]).round(3).tolist()
        [0.47, 0.567, 1.233]
    """
    if not (0 <= k1 < math.inf and 0 <= b <= 1):
        raise ConfigError(f"k1={k1}, b={b}; expected k1 of 0 or more, and b within 0..1")
    scores = np.zeros(len(index))
    lengths = index.lengths
    mean = lengths.mean() if lengths.any() else 1.0
    saturation = k1 * (1 - b + b * lengths / mean)  # (N,)
    for word, times in collections.Counter(query).items():
        documents, counts = index.postings(word)
        if len(documents):
            weight = times * bm25_idf(len(documents), size=len(index), idf=idf)
            scores[documents] += weight * (k1 + 1) * counts / (counts + saturation[documents])
    return scores
