"""Phrases that translate each other: all spans that an alignment of their words keeps together (Och & Ney 2004)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.translation.word_links import Sentences

__all__ = ["Points", "Spans", "extract_phrases"]

_FAR = np.iinfo(np.int64).max


class Points(NamedTuple):
    """Alignment points of many sentence pairs, words counted through all sentences.

    Attributes:
        source: ``(A,)`` int64, the source word of each point.
        target: ``(A,)`` int64, its target word.
    """

    source: np.ndarray
    target: np.ndarray


class Spans(NamedTuple):
    """Pairs of spans, words counted through all sentences.

    Attributes:
        source: ``(N,)``, where the source phrase begins.
        source_length: ``(N,)``, its words.
        target: ``(N,)``, where the target phrase begins.
        target_length: ``(N,)``, its words.
    """

    source: np.ndarray
    source_length: np.ndarray
    target: np.ndarray
    target_length: np.ndarray


def extract_phrases(source: Sentences, target: Sentences, points: Points, *, longest: int = 5) -> Spans:
    """Return every pair of spans that is consistent with the alignment.

    A pair is consistent if it holds a point, and each point of one of its words lies within it: words outside have no
    points inside. Unaligned words at its edges may belong to it or not. All sentences are worked on at once: for each
    length of a source span its points' smallest and largest target words are those of a span one word shorter and of
    one word more.

    Args:
        source: The source sentences.
        target: The target sentences, as many.
        points: Their alignment.
        longest: Most words of a phrase on either side.

    Raises:
        ConfigError: ``longest`` below 1.
        DataError: A point between words of different sentence pairs.

    Example:
        Four phrases; the target's second word is not aligned:

        >>> from netsmith.models.translation.word_links import sentences
        >>> points = Points(np.array([0, 1]), np.array([0, 2]))
        >>> spans = extract_phrases(sentences([[5, 6]]), sentences([[7, 8, 9]]), points, longest=2)
        >>> list(zip(*(side.tolist() for side in spans)))
        [(0, 1, 0, 1), (0, 1, 0, 2), (1, 1, 1, 2), (1, 1, 2, 1)]
    """
    if longest < 1:
        raise ConfigError(f"longest={longest}; expected at least 1 word")
    of_source = np.repeat(np.arange(len(source.lengths)), source.lengths)
    of_target = np.repeat(np.arange(len(target.lengths)), target.lengths)
    if not np.array_equal(of_source[points.source], of_target[points.target]):
        raise DataError("a point joins words of different sentence pairs; expected points within each pair")
    low, high = _windows(points.source, points.target, len(source.words), longest)  # (longest, N) target words
    least, most = _windows(points.target, points.source, len(target.words), longest)  # (longest, M) source words
    free = np.bincount(points.target, minlength=len(target.words)) == 0
    found: list[tuple[np.ndarray, ...]] = []
    for length in range(1, longest + 1):
        start = np.arange(len(of_source) - length + 1)
        start = start[of_source[start] == of_source[start + length - 1]]
        first, last = low[length - 1, start], high[length - 1, start]
        short = (last >= 0) & (last - first < longest)
        start, first, last = start[short], first[short], last[short]
        inside = (least[last - first, first] >= start) & (most[last - first, first] < start + length)
        start, first, last = start[inside], first[inside], last[inside]
        for begin, one in _outward(np.arange(len(start)), first, -1, free, of_target, longest):
            for end, both in _outward(one, last[one], 1, free, of_target, longest):
                size = end - begin[np.searchsorted(one, both)] + 1
                keep = size <= longest
                found.append((start[both], np.full(len(both), length), end - size + 1, size))
                found[-1] = tuple(column[keep] for column in found[-1])
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    order = np.lexsort(columns[::-1])
    return Spans(*(column[order] for column in columns))


def _windows(own: np.ndarray, other: np.ndarray, size: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest word that 1, 2, ... words from each one on are aligned to.

    Where none of them is aligned, the smallest is far above and the largest below 0. Both are ``(longest, size)``.
    """
    low, high = np.full((longest, size), _FAR), np.full((longest, size), -1)
    np.minimum.at(low[0], own, other)
    np.maximum.at(high[0], own, other)
    for k in range(1, min(longest, size)):
        low[k, : size - k] = np.minimum(low[k - 1, : size - k], low[0, k:])
        high[k, : size - k] = np.maximum(high[k - 1, : size - k], high[0, k:])
    return low, high


def _outward(
    rows: np.ndarray, edge: np.ndarray, step: int, free: np.ndarray, sentence: np.ndarray, longest: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the edge of spans, then one free word further, ... : ``(edges, rows)`` of those that get so far."""
    for _ in range(longest):
        yield edge, rows
        further = edge + step
        open_ = (further >= 0) & (further < len(free))
        open_[open_] = free[further[open_]] & (sentence[further[open_]] == sentence[edge[open_]])
        edge, rows = further[open_], rows[open_]
