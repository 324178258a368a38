"""Where the words of the most probable route end, and all the words of a text: the inner loops, in plain Python.

Against the graph of :mod:`._word_dag`: no piece of text is cut out to be looked up (one character of the tree at a
time), the first two levels of the tree are looked up for a whole piece at once, no graph is kept, and the logarithm of
a count is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log

from netsmith.models.chinese._blocks import BLANK, LATIN
from netsmith.models.chinese._prefix_dictionary import Node, PrefixDictionary
from netsmith.models.chinese._word_dag import word_dag

__all__ = ["every_word", "first_nodes", "route_ends"]

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


def every_word(text: str, spans: Sequence[tuple[int, int]], words: PrefixDictionary) -> list[str]:
    """Return all the words of the dictionary in a text, and the characters that none of them covers.

    Between the stretches: what blanks separate, the blanks, and, as in jieba, an empty word wherever two separators
    meet or one stands at an end.
    """
    found: list[str] = []
    add = found.append
    chars = list(text)
    nodes = first_nodes(chars, words)
    chars.append(_END)
    begun = 0
    mixed = LATIN.search(text) is not None
    for first, last in spans:
        if begun < first:
            found += BLANK.split(text[begun:first])
        begun = last
        if mixed and LATIN.search(text, first, last):
            found += _every_word_mixed(text[first:last], words)
            continue
        covered = first  # as in jieba, where the last word ends, not the farthest one
        for start in range(first, last):
            node = nodes[start]
            if node is None:
                if start >= covered:
                    add(chars[start])
                continue
            at = start + 2
            weight, tree = node
            plain = weight is None
            if not plain:
                add(text[start:at])
                covered = at
            while tree:
                node = tree.get(chars[at])
                if node is None:
                    break
                at += 1
                weight, tree = node
                if weight is not None:
                    add(text[start:at])
                    covered = at
                    plain = False
            if plain and start >= covered:
                add(chars[start])
    if begun < len(text):
        found += BLANK.split(text[begun:])
    return found


def _every_word_mixed(block: str, words: PrefixDictionary) -> list[str]:
    """Do the same for a stretch with Latin letters or digits, which are gathered while no longer word takes them."""
    found: list[str] = []
    covered, latin = -1, ""
    for start, ends in word_dag(block, words).items():
        letter = LATIN.match(block[start])
        if latin and not letter:
            found.append(latin)
            latin = ""
        if len(ends) == 1 and start > covered:
            covered = ends[0]
            word = block[start : covered + 1]
            if letter:
                latin += word
            else:
                found.append(word)
            continue
        for end in ends:
            if end > start:
                found.append(block[start : end + 1])
                covered = end
    if latin:
        found.append(latin)
    return found
