"""Opinions on a subject: the strongest sentences that name it, and how many are for and against; free of torch."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from netsmith.layers.lexicon import Lexicon
from netsmith.models.text.lexicon_sentiment import lexicon_sentiment

__all__ = ["Opinion", "OpinionSummary", "summarize_opinions"]


@dataclasses.dataclass(frozen=True)
class Opinion:
    """A sentence with what it says.

    Attributes:
        sentence: The sentence.
        polarity: -1 to 1.
        subjectivity: 0 to 1.
    """

    sentence: str
    polarity: float
    subjectivity: float


@dataclasses.dataclass(frozen=True)
class OpinionSummary:
    """What some texts say of a subject.

    Attributes:
        about: The subject; ``""`` for everything.
        positive: How many sentences are for it.
        negative: How many are against it.
        neutral: How many name it and are neither.
        polarity: The mean polarity of all of them; 0 without any.
        strongest_positive: The sentences most for it.
        strongest_negative: Those most against it.
    """

    about: str
    positive: int
    negative: int
    neutral: int
    polarity: float
    strongest_positive: tuple[Opinion, ...]
    strongest_negative: tuple[Opinion, ...]


def summarize_opinions(
    sentences: Iterable[str], lexicon: Lexicon, *, about: str = "", strongest: int = 3
) -> OpinionSummary:
    """Find the sentences that name a subject, count those for and against it, and keep the strongest.

    Args:
        sentences: One after another; each is judged once.
        lexicon: The words that judge.
        about: A word or phrase, in any case; of English the whole word, also with a plural ``s``.
        strongest: How many sentences of each side are kept; of equal ones the more subjective, then the earlier.
    """
    border = "" if lexicon.language == "zh" else r"\b"
    named = re.compile(border + r"\s+".join(map(re.escape, about.split())) + (rf"s?{border}" if border else ""), re.I)
    found: list[Opinion] = []
    for sentence in sentences:
        if not about.strip() or named.search(sentence):
            judged = lexicon_sentiment(sentence, lexicon)
            found.append(Opinion(sentence, judged.polarity, judged.subjectivity))
    sides: list[tuple[Opinion, ...]] = []
    for sign in (1, -1):
        side = [one for one in found if one.polarity * sign > 0]
        sides.append(tuple(sorted(side, key=lambda one: (-abs(one.polarity), -one.subjectivity))[:strongest]))
    positive, negative = sum(one.polarity > 0 for one in found), sum(one.polarity < 0 for one in found)
    mean = sum(one.polarity for one in found) / len(found) if found else 0.0
    return OpinionSummary(about, positive, negative, len(found) - positive - negative, mean, *sides)
