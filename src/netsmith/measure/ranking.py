"""How good a ranking is: average precision, reciprocal rank, precision and nDCG at a depth; free of torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Literal

from netsmith.core.errors import ConfigError, DataError

__all__ = ["average_precision", "ndcg", "precision_at", "ranking_figures", "reciprocal_rank"]

Gain = Literal["linear", "exponential"]


def average_precision(grades: Sequence[float], *, relevant: int | None = None) -> float:
    r"""Return the mean of the precisions at the ranks of the relevant documents; what was not found counts 0.

    Args:
        grades: Of the ranked documents, best rank first; above 0 is relevant.
        relevant: How many relevant documents there are; by default those within ``grades``.

    Raises:
        DataError: No relevant document.

    Example:
        >>> average_precision([1, 0, 1]), average_precision([1, 0, 1], relevant=4)
        (0.8333333333333333, 0.41666666666666663)
    """
    total = sum(grade > 0 for grade in grades) if relevant is None else relevant
    if total < 1:
        raise DataError("a query has no relevant document; expected one at least, or leave the query out")
    found, precisions = 0, 0.0
    for rank, grade in enumerate(grades, start=1):
        if grade > 0:
            found += 1
            precisions += found / rank
    return precisions / total


def reciprocal_rank(grades: Sequence[float]) -> float:
    """Return one over the rank of the first relevant document; 0 if there is none.

    Example:
        >>> reciprocal_rank([0, 0, 1, 1])
        0.3333333333333333
    """
    return next((1 / rank for rank, grade in enumerate(grades, start=1) if grade > 0), 0.0)


def precision_at(grades: Sequence[float], depth: int) -> float:
    """Return the share of relevant documents among the first ``depth``; ranks that are not filled count as misses.

    Example:
        >>> precision_at([1, 0, 1], 2), precision_at([1, 0, 1], 5)
        (0.5, 0.4)
    """
    return sum(grade > 0 for grade in grades[: _checked(depth)]) / depth


def ndcg(
    grades: Sequence[float], depth: int | None = None, *, judged: Sequence[float] | None = None, gain: Gain = "linear"
) -> float:
    r"""Return the discounted cumulative gain over that of the best ranking (Järvelin & Kekäläinen 2002).

    .. math:: \frac{1}{Z} \sum_{i=1}^{k} \frac{g(i)}{\log_2 (i + 1)}

    Args:
        grades: Of the ranked documents, best rank first; 0 or more.
        depth: How many ranks count; all by default.
        judged: The grades of all documents that could have been ranked; by default ``grades``.
        gain: Of a grade r: ``linear``, r; ``exponential``, 2^r - 1 (Burges et al. 2005).

    Raises:
        ConfigError: A depth below 1, or another gain.
        DataError: A grade below 0, or none above 0.

    Example:
        >>> round(ndcg([1, 3, 0], 2), 4)
        0.7967
    """
    if gain not in ("linear", "exponential"):
        raise ConfigError(f"gain={gain!r}; expected 'linear' or 'exponential'")
    depth = None if depth is None else _checked(depth)
    ideal = sorted(grades if judged is None else judged, reverse=True)
    if min((*grades, *ideal), default=0) < 0 or not any(ideal):
        raise DataError(f"the grades {list(ideal[:5])} of a query; expected 0 or more, and one above 0")
    return _discounted(grades[:depth], gain) / _discounted(ideal[:depth], gain)


def ranking_figures(queries: Iterable[tuple[Sequence[float], Sequence[float]]], *, depth: int = 10) -> dict[str, float]:
    """Return the means over queries of all measures.

    Args:
        queries: For each query the grades in the order of the ranking, and those of all its judged documents; all of
            them have a relevant document.
        depth: Of precision and nDCG.

    Returns:
        ``map``, ``mrr``, ``precision@DEPTH``, ``ndcg@DEPTH``, ``queries``.

    Raises:
        DataError: No query, or one without a relevant document.
    """
    rows = [
        (
            average_precision(grades, relevant=sum(grade > 0 for grade in judged)),
            reciprocal_rank(grades),
            precision_at(grades, depth),
            ndcg(grades, depth, judged=judged),
        )
        for grades, judged in queries
    ]
    if not rows:
        raise DataError("no query was ranked; expected one at least")
    names = ("map", "mrr", f"precision@{depth}", f"ndcg@{depth}")
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    return dict(zip(names, means, strict=True)) | {"queries": float(len(rows))}


def _discounted(grades: Sequence[float], gain: Gain) -> float:
    gains = [grade if gain == "linear" else 2**grade - 1 for grade in grades]
    return math.fsum(value / math.log2(rank + 1) for rank, value in enumerate(gains, start=1))


def _checked(depth: int) -> int:
    if depth < 1:
        raise ConfigError(f"depth={depth}; expected 1 or more")
    return depth
