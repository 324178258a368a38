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
        sentences: One after another; each is judged once, and only the strongest are held.
        lexicon: The words that judge.
        about: A word or phrase, in any case; of English the whole word, also with a plural ``s``.
        strongest: How many sentences of each side are kept; of equal ones the more subjective, then the earlier.
    """
    term = r"\s+".join(map(re.escape, about.split()))
    named = re.compile(term if lexicon.language == "zh" else rf"(?<!\w){term}s?(?!\w)", re.I)
    counts, total = [0, 0, 0], 0.0  # neutral, for, against
    best: tuple[list[Opinion], ...] = [], [], []
    for sentence in sentences:
        if not about.strip() or named.search(sentence):
            judged = lexicon_sentiment(sentence, lexicon)
            side = 1 if judged.polarity > 0 else 2 if judged.polarity < 0 else 0
            counts[side] += 1
            total += judged.polarity
            if side:
                best[side].append(Opinion(sentence, judged.polarity, judged.subjectivity))
                best[side].sort(key=lambda one: (-abs(one.polarity), -one.subjectivity))
                del best[side][strongest:]
    neutral, positive, negative = counts
    mean = total / sum(counts) if sum(counts) else 0.0
    return OpinionSummary(about, positive, negative, neutral, mean, tuple(best[1]), tuple(best[2]))
