"""Scores of word segmentation by the rule of the bakeoff of 2005 (Emerson 2005, SIGHAN, aclanthology.org/I05-3017)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from netsmith.core.errors import DataError, shorten

__all__ = ["WordScores", "score_words"]


class WordScores(NamedTuple):
    """How well words were found, in 0..1 each; NaN where there is nothing to divide by.

    Attributes:
        recall: Share of the true words that were found.
        precision: Share of the words that were found that are true.
        f1: Their harmonic mean.
        oov_rate: Share of the true words that training does not have.
        oov_recall: Share of those that were found.
        iv_recall: Share of the others that were found.
    """

    recall: float
    precision: float
    f1: float
    oov_rate: float
    oov_recall: float
    iv_recall: float


def score_words(
    true: Iterable[Sequence[str]], found: Iterable[Sequence[str]], *, known: Collection[str] = ()
) -> WordScores:
    """Score segmented texts: a word is found where one begins and ends as it does.

    Args:
        true: The words of each text.
        found: Those that were found, of the same characters.
        known: The words of training.

    Raises:
        DataError: A text whose words are not made of the same characters; names its number (1-based).

    Example:
        >>> scores = score_words([["今天", "天气", "好"]], [["今天", "天", "气", "好"]], known={"今天", "好"})
        >>> [round(score, 3) for score in scores]
        [0.667, 0.5, 0.571, 0.333, 0.0, 1.0]
    """
    count = {"true": 0, "found": 0, "right": 0, "new": 0, "new_right": 0}
    for number, (ours, theirs) in enumerate(zip(true, found, strict=True), start=1):
        if "".join(ours) != "".join(theirs):
            shown = shorten("".join(theirs), 20)
            raise DataError(f"text {number}: the words that were found are not of its characters: {shown!r}")
        places = set(_places(theirs))
        count["found"] += len(theirs)
        for word, place in zip(ours, _places(ours), strict=True):
            new, right = word not in known, place in places
            for name, one in (("true", True), ("right", right), ("new", new), ("new_right", new and right)):
                count[name] += one
    old, old_right = count["true"] - count["new"], count["right"] - count["new_right"]
    return WordScores(
        recall=_share(count["right"], count["true"]),
        precision=_share(count["right"], count["found"]),
        f1=_share(2 * count["right"], count["true"] + count["found"]),
        oov_rate=_share(count["new"], count["true"]),
        oov_recall=_share(count["new_right"], count["new"]),
        iv_recall=_share(old_right, old),
    )


def _places(words: Sequence[str]) -> list[tuple[int, int]]:
    found, at = [], 0
    for word in words:
        found.append((at, at + len(word)))
        at += len(word)
    return found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
