"""Where the words of the most probable route end: the inner loop, in plain Python.

Against the graph of :mod:`._word_dag`: no piece of text is cut out to be looked up (one character of the tree at a
time), the first two levels of the tree are looked up for a whole piece at once, no graph is kept, and the logarithm of
a count is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from netsmith.models.chinese._prefix_dictionary import Node, PrefixDictionary

__all__ = ["first_nodes", "route_ends"]

_END = "\0"
"""Stands behind a text: no word goes on with it, as it is outside every stretch of letters."""


def first_nodes(chars: Sequence[str], words: PrefixDictionary) -> list[Node | None]:
    """Return for each place the tree's node of its character and the next; None where no word goes on so."""
    trees = map(words.roots.__getitem__, chars)
    return list(map(dict.get, trees, [*chars[1:], _END]))


def route_ends(text: str, spans: Sequence[tuple[int, int]], words: PrefixDictionary) -> list[int]:
    """Return for each place where its word of the most probable route ends; 0 for a character alone.

    Sums are taken in jieba's order, so that every comparison of two routes comes out as there.

    Args:
        text: A piece of text.
        spans: The stretches to be segmented, each for itself.
        words: The dictionary.
    """
    chars = list(text)
    nodes = first_nodes(chars, words)
    singles = list(map(words.single_weights.__getitem__, chars))
    chars.append(_END)
    counts, total = words.counts, log(words.total)
    unlisted = 0.0 - total
    route, ends = [0.0] * len(chars), [0] * len(text)
    for first, last in spans:
        after = 0.0
        for start in range(last - 1, first - 1, -1):
            node = nodes[start]
            if node is None:
                route[start] = after = singles[start] + after
                continue
            alone = singles[start]
            # A character that is no word itself stands alone only where no word begins.
            best = alone + after if alone != unlisted or counts.get(chars[start]) else -inf
            end, at = 0, start + 2
            weight, tree = node
            if weight is not None:
                score = weight - total + route[at]
                if score >= best:  # as probable: the longer word
                    best, end = score, at
            while tree:
                node = tree.get(chars[at])
                if node is None:
                    break
                at += 1
                weight, tree = node
                if weight is not None:
                    score = weight - total + route[at]
                    if score >= best:
                        best, end = score, at
            if end:
                ends[start] = end
            elif best == -inf:
                best = alone + after
            route[start] = after = best
    return ends
