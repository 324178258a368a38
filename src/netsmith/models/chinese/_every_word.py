"""All the words of a text, as full mode gives them: the inner loop, in plain Python.

Against jieba's: no graph is built, and nothing is cut out of the text to be looked up unless each of its characters
stands at its place in some word that begins alike (:mod:`._later_characters`).
"""

from __future__ import annotations

import re
from operator import contains

from netsmith.models.chinese._blocks import BLANK, LATIN, LETTERS
from netsmith.models.chinese._prefix_dictionary import Node, PrefixDictionary

__all__ = ["every_word"]

_APART = re.compile(f"[a-zA-Z0-9]+|[^{LETTERS}]{{2,}}|\\s")
"""Where a character that no word covers is not just given: Latin runs, and what blanks separate."""


def every_word(text: str, words: PrefixDictionary) -> list[str]:
    """Return all the words of the dictionary in a text, and the characters that none of them covers.

    Latin letters and digits are gathered while no longer word takes them. Between the stretches of letters: what blanks
    separate, the blanks, and, as in jieba, an empty word wherever two separators meet or one stands at an end.
    """
    later, listed = words.later, words.counts.get
    pairs, thirds, further = later.pairs, later.thirds, later.further
    codes, of_each, chars = words.at_each(text)
    goes = list(map(contains, of_each(later.seconds), chars[1:]))
    found: list[str] = []
    add = found.append
    first = covered = 0  # as in jieba, where the last word ends, not the farthest one
    for last, after in [*(match.span() for match in _APART.finditer(text)), (len(text), len(text))]:
        for start in range(first, last):
            if goes[start]:
                code = codes[start]
                if chars[start + 2] in thirds[code]:
                    reached = 0
                    if chars[start + 1] in pairs[code]:
                        reached = start + 2
                        add(text[start:reached])
                    end = start + 3
                    if listed(word := text[start:end]):
                        reached = end
                        add(word)
                    for place in further[code]:
                        if chars[end] not in place:
                            break
                        end += 1
                        if listed(word := text[start:end]):
                            reached = end
                            add(word)
                    if reached:
                        covered = reached
                        continue
                elif chars[start + 1] in pairs[code]:
                    covered = start + 2
                    add(text[start:covered])
                    continue
            if start >= covered:
                add(chars[start])
        first = after
        if last == after:
            break
        if not LATIN.match(text, last):
            found += BLANK.split(text[last:after])
        elif not any(goes[last:after]):
            if covered < after:
                add(text[max(last, covered) : after])
                covered = after
        else:
            covered = _latin(text, last, after, covered, words, found)
    return found


def _latin(text: str, first: int, last: int, covered: int, words: PrefixDictionary, found: list[str]) -> int:
    """Do the same for a run of Latin letters and digits with which a word may begin; return what is covered."""
    listed = words.counts.get
    latin = ""
    for start in range(first, last):
        ends = _ends(text, start, words)
        if start >= covered and (not ends or (len(ends) == 1 and not listed(text[start]))):
            covered = ends[0] if ends else start + 1
            latin += text[start:covered]
            continue
        for end in ends:
            found.append(text[start:end])
            covered = end
    if latin:
        found.append(latin)
    return covered


def _ends(text: str, start: int, words: PrefixDictionary) -> list[int]:
    """Return where the words of two and more characters end that begin at a place."""
    ends: list[int] = []
    tree: dict[str, Node] | None = words.tree_of(text[start])
    for end in range(start + 2, len(text) + 1):
        node = tree.get(text[end - 1]) if tree else None
        if node is None:
            break
        weight, tree = node
        if weight is not None:
            ends.append(end)
    return ends
