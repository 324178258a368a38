"""Where the words of the most probable route end: the inner loop, in plain Python.

Against the graph of :mod:`._word_dag`: no piece of text is cut out to be looked up (one character of the tree at a
time), the first two levels of the tree are looked up for a whole piece at once, no graph is kept, and the logarithm of
a count is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from netsmith.models.chinese._prefix_dictionary import Node, PrefixDictionary

__all__ = ["first_nodes", "route_ends", "words_inside"]


def first_nodes(text: str, words: PrefixDictionary) -> tuple[Sequence[str], list[Node | None]]:
    """Return the characters, with two signs behind them, and for each the tree's node of it and the next, or None."""
    _, of_each, chars = words.at_each(text)
    return chars, list(map(dict.get, of_each(words.trees), chars[1:]))


def route_ends(
    chars: Sequence[str], nodes: Sequence[Node | None], spans: Sequence[tuple[int, int]], words: PrefixDictionary
) -> list[int]:
    """Return for each place where its word of the most probable route ends; 0 for a character alone.

    Sums are taken in jieba's order, so that every comparison of two routes comes out as there.

    Args:
        chars: What :func:`first_nodes` gives for a piece of text.
        nodes: The same.
        spans: The stretches to be segmented, each for itself.
        words: The dictionary.
    """
    singles = list(map(words.single_weights.__getitem__, chars))
    counts, total = words.counts, log(words.total)
    unlisted = 0.0 - total
    route, ends = [0.0] * len(chars), [0] * len(chars)
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
            while tree and (char := chars[at]) in tree:
                weight, tree = tree[char]
                at += 1
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


def words_inside(piece: str, nodes: Sequence[Node | None], words: Sequence[str]) -> list[str]:
    """Return the words a piece was cut into, before each longer one the words of two and of three characters in it.

    Args:
        piece: The piece of text.
        nodes: What :func:`first_nodes` gives for it.
        words: All its words, in order.
    """
    found: list[str] = []
    add = found.append
    end = 0
    for word in words:
        start, end = end, end + len(word)
        if end - start > 2:
            for at in range(start, end - 1):
                node = nodes[at]
                if node is not None and node[0] is not None:
                    add(piece[at : at + 2])
            if end - start > 3:
                for at in range(start, end - 2):
                    node = nodes[at]
                    third = node[1].get(piece[at + 2]) if node is not None and node[1] else None
                    if third is not None and third[0] is not None:
                        add(piece[at : at + 3])
        add(word)
    return found
