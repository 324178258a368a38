"""Words cut into parts that a small vocabulary holds: byte-pair merges, learned from counts and applied; torch-free.

Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units", ACL 2016 (arXiv:1508.07909).
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Mapping, Sequence

from netsmith.core.errors import ConfigError, shorten

__all__ = ["BLANK", "PIECES", "Subwords", "learn_merges", "marked", "subwords", "unmarked", "whole"]

BLANK = "▁"
"""U+2581, which stands for a blank in a piece."""

PIECES = r"▁?\w+|▁?[^\w▁]"
"""Pattern of the pieces that merges never leave: a word or one sign, with the blank before it."""

_Pair = tuple[str, str]
_TAUGHT = 1000  # signs; what is longer is no word, and each merge inside would pass over it again
_REMEMBERED = 2**16  # pieces


def marked(text: str) -> str:
    """Return a text with a mark for each run of blanks, and one in front.

    Example:
        >>> marked("It  is so.")
        '▁It▁is▁so.'
    """
    return BLANK + BLANK.join(text.split())


def unmarked(text: str) -> str:
    """Return what :func:`marked` made a text of, its blanks single."""
    return text.replace(BLANK, " ").strip()


def learn_merges(pieces: Mapping[str, int], count: int, *, least: int = 2) -> tuple[str, ...]:
    """Learn which neighbors to merge: again and again the pair of neighbors that comes most often (Algorithm 1).

    Pairs are counted inside pieces, the signs of which are the first parts. Of pairs that are equally frequent the
    first by letter is taken, so the result depends on the counts alone, not on their order. Only the counts of
    what a merge changes are counted anew. A piece of more than 1,000 signs teaches nothing.

    Args:
        pieces: How often each piece comes.
        count: The most merges.
        least: How often a pair must come to be merged.

    Returns:
        The merges in order, each two parts with a blank between.

    Raises:
        ConfigError: A number out of range.

    Example:
        >>> learn_merges({"low·": 5, "lower·": 2, "newest·": 6, "widest·": 3}, 5)
        ('e s', 'es t', 'est ·', 'l o', 'lo w')
    """
    if count < 0 or least < 1:
        raise ConfigError(f"count={count}, least={least}: expected 0 or more merges, and 1 or more")
    words = [(list(piece), often) for piece, often in sorted(pieces.items()) if 1 < len(piece) <= _TAUGHT]
    counts: dict[_Pair, int] = {}
    where: dict[_Pair, set[int]] = {}
    for at, (parts, often) in enumerate(words):
        for pair in itertools.pairwise(parts):
            counts[pair] = counts.get(pair, 0) + often
            where.setdefault(pair, set()).add(at)
    heap = [(-often, pair) for pair, often in counts.items()]
    heapq.heapify(heap)
    merges: list[str] = []
    while heap and len(merges) < count:
        claimed, pair = heapq.heappop(heap)
        if counts[pair] != -claimed:  # a count that fell since; one that grew has an entry of its own
            if counts[pair] > 0 and counts[pair] < -claimed:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        if counts[pair] < least:
            break
        merges.append(f"{pair[0]} {pair[1]}")
        made = pair[0] + pair[1]
        changes: dict[_Pair, int] = {}
        for at in where.pop(pair):
            parts, often = words[at]
            for other in itertools.pairwise(parts):
                changes[other] = changes.get(other, 0) - often
            _merge(parts, pair)
            for other in itertools.pairwise(parts):
                changes[other] = changes.get(other, 0) + often
                if made in other:
                    where.setdefault(other, set()).add(at)
        for other, change in changes.items():
            if change:
                counts[other] = counts.get(other, 0) + change
            if change > 0:
                heapq.heappush(heap, (-counts[other], other))
    return tuple(merges)


def _merge(parts: list[str], pair: _Pair) -> None:
    """Merge every such pair of neighbors in place, from the left."""
    left, right = pair
    at = 0
    while at < len(parts) - 1:
        if parts[at] == left and parts[at + 1] == right:
            parts[at : at + 2] = [left + right]
        at += 1


def whole(piece: str) -> tuple[str, ...]:
    """Return the merges that make one part of a piece; in front of others they keep it whole.

    Example:
        >>> whole("<2de>")
        ('< 2', '<2 d', '<2d e', '<2de >')
    """
    return tuple(f"{piece[:at]} {piece[at]}" for at in range(1, len(piece)))


class Subwords:
    """What cuts a piece into parts: its signs, merged in the order in which the merges were learned.

    Of all neighbors the pair of the earliest merge goes first, from the left; a piece costs n log n, and those that
    come again nothing.

    Args:
        merges: The merges in order, as of :func:`learn_merges`.

    Raises:
        ConfigError: A merge that is not two parts with a blank between.

    Example:
        >>> Subwords(("l o", "lo w", "e r", "er ·"))("lower·")
        ('low', 'er·')
    """

    def __init__(self, merges: Sequence[str]) -> None:
        self._ranks: dict[_Pair, int] = {}
        for rank, merge in enumerate(merges):
            left, _, right = merge.partition(" ")
            if not left or not right or " " in right:
                raise ConfigError(f"merge {rank + 1} is {shorten(repr(merge), 40)}; expected two parts and a blank")
            self._ranks.setdefault((left, right), rank)
        self._known = functools.lru_cache(_REMEMBERED)(self._cut)

    def __call__(self, piece: str) -> tuple[str, ...]:
        return self._known(piece) if len(piece) <= _TAUGHT else self._cut(piece)

    def _cut(self, piece: str) -> tuple[str, ...]:
        parts, size = list(piece), len(piece)
        after, before = list(range(1, size + 1)), list(range(-1, size - 1))
        heap: list[tuple[int, int]] = []  # (rank, place of the left one)

        def look(at: int) -> None:
            rank = self._ranks.get((parts[at], parts[after[at]])) if at >= 0 and after[at] < size else None
            if rank is not None:
                heapq.heappush(heap, (rank, at))

        for at in range(size):
            look(at)
        while heap:
            rank, at = heapq.heappop(heap)
            gone = after[at]
            if gone >= size or self._ranks.get((parts[at], parts[gone])) != rank:
                continue  # one of the two was merged meanwhile
            parts[at], parts[gone] = parts[at] + parts[gone], ""
            after[at] = after[gone]
            if after[at] < size:
                before[after[at]] = at
            look(before[at])
            look(at)
        return tuple(part for part in parts if part)


@functools.lru_cache(8)
def subwords(merges: tuple[str, ...]) -> Subwords:
    """Return what cuts by some merges; asked again, the same, which remembers the pieces it has cut.

    Raises:
        ConfigError: As of :class:`Subwords`.
    """
    return Subwords(merges)
