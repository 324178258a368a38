"""The orientation of words from a corpus and a few seed words, by mutual information (Turney 2002); free of torch."""

from __future__ import annotations

import collections
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from netsmith.core.errors import ConfigError
from netsmith.layers.lexicon import Entry

__all__ = ["SEEDS", "orientation_entries", "so_pmi"]

SEEDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        ("good", "nice", "excellent", "positive", "fortunate", "correct", "superior"),
        ("bad", "nasty", "poor", "negative", "unfortunate", "wrong", "inferior"),
    ),
    "zh": (("好", "优秀", "满意", "喜欢", "不错", "舒适"), ("坏", "差", "失望", "糟糕", "讨厌", "难受")),
}
"""Seed words of praise and blame: the English ones are those of Turney & Littman 2003 (ACM TOIS 21)."""


def so_pmi(
    texts: Iterable[Sequence[str]],
    *,
    positive: Collection[str],
    negative: Collection[str],
    near: int = 10,
    least: int = 5,
    smoothing: float = 0.01,
) -> dict[str, float]:
    r"""Return the semantic orientation of the words of a corpus: whether they keep company with praise or with blame.

    .. math:: SO(w) = \log_2 \frac{(hits(w\ \text{near}\ P) + s) \; hits(N)}{(hits(w\ \text{near}\ N) + s) \; hits(P)}

    P and N are all seed words of one side together; the paper's are *excellent* and *poor*. The texts are read once, as
    a stream; only counts are kept.

    Args:
        texts: Tokens in lower case, text by text; nothing is near across two texts.
        positive: Seeds of praise.
        negative: Seeds of blame.
        near: How many tokens apart two words are near each other (the paper: 10).
        least: How often a word must stand near a seed to be judged.
        smoothing: s, added to each number of hits (the paper: 0.01).

    Returns:
        SO of each word that is judged, in bits; seeds themselves are left out.

    Raises:
        ConfigError: Seeds of one side that never come, a seed on both sides, or a number out of range.

    Example:
        >>> texts = [["a", "good", "lens"], ["good", "lens"], ["bad", "lens", "cap"], ["bad", "cap"]]
        >>> {word: round(so, 2) for word, so in so_pmi(texts, positive=["good"], negative=["bad"], least=2).items()}
        {'cap': -7.65, 'lens': 0.99}
    """
    both = set(positive) & set(negative)
    if both or near < 1 or least < 1 or smoothing <= 0:
        what = (
            f"seeds of both sides: {', '.join(sorted(both))}" if both else f"near={near}, least={least}, s={smoothing}"
        )
        raise ConfigError(f"{what}; expected disjoint seeds, near and least of 1 or more, and smoothing above 0")
    sides = {word: side for side, words in enumerate((positive, negative)) for word in words}
    hits = [0, 0]
    beside: tuple[collections.Counter[str], collections.Counter[str]] = collections.Counter(), collections.Counter()
    for tokens in texts:
        for place, token in enumerate(tokens):
            side = sides.get(token)
            if side is not None:
                hits[side] += 1
                beside[side].update(tokens[max(0, place - near) : place])
                beside[side].update(tokens[place + 1 : place + 1 + near])
    for name, side in (("positive", 0), ("negative", 1)):
        if not hits[side]:
            seeds = ", ".join(sorted(positive if side == 0 else negative)[:6])
            raise ConfigError(f"none of the {name} seeds ({seeds}) comes in the texts; expected each side to come")
    return {
        word: math.log2((beside[0][word] + smoothing) * hits[1] / ((beside[1][word] + smoothing) * hits[0]))
        for word in sorted(beside[0].keys() | beside[1].keys())
        if word not in sides and beside[0][word] + beside[1][word] >= least
    }


def orientation_entries(
    orientation: Mapping[str, float],
    *,
    positive: Collection[str] = (),
    negative: Collection[str] = (),
    scale: float = 4.0,
    least: float = 0.0,
) -> dict[str, Entry]:
    """Return a lexicon's entries for words of known orientation.

    The polarity is ``tanh(SO / scale)``, the subjectivity its strength; the seeds themselves are 1 and -1. Words
    without a letter are left out.

    Args:
        orientation: SO by word, as of :func:`so_pmi`.
        positive: Seeds of praise.
        negative: Seeds of blame.
        scale: Bits at which a word is 0.76 good.
        least: Words with less of SO are left out.
    """
    found = {
        word: Entry(math.tanh(so / scale), abs(math.tanh(so / scale)))
        for word, so in sorted(orientation.items())
        if abs(so) >= least and any(sign.isalpha() for sign in word)
    }
    return found | {word: Entry(1.0, 1.0) for word in positive} | {word: Entry(-1.0, 1.0) for word in negative}
