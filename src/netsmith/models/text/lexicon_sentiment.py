"""Sentiment by a lexicon: words with their polarity, what strengthens them, what turns them around; free of torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

from netsmith.layers.lexicon import Entry, Lexicon

__all__ = ["Assessment", "Sentiment", "assess", "lexicon_sentiment", "lexicon_tokens"]

_NEGATED = -0.5  # "not good" is bad, but not as bad as "bad"
_EXCLAMATION = 1.25
_SMALL = {"negation": 1, "modifier": 2}  # letters of a word across which they still reach: "not a good", "very, good"
_REACH = 3  # tokens across which they reach in Chinese, where every unknown sign is small
_QUOTES = re.compile(r"([\"'“”‘’])")
_PUNCTUATION = ".,;:!?()[]{}`''\"@#$^&*+-|=~_“”‘’"
_EMOTICONS = MappingProxyType(
    {
        ":)": 0.5, ":-)": 0.5, "=)": 0.5, ":d": 1.0, ":-d": 1.0, ";)": 0.25, ";-)": 0.25, "<3": 1.0, ":p": 0.75,
        ":(": -0.75, ":-(": -0.75, "=(": -0.75, ":/": -0.25, ":-/": -0.25, ":'(": -1.0,
    }
)  # fmt: skip
_FACES = re.compile(r"(?<!\S)(?:[:;=] ?-? ?[()dDpP/]|: ?' ?\(|<3)(?!\S)")
_CHINESE = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+(?:\.\d+)?|\S")
_ENDS = frozenset("，。！？；,.!?;…\n")


class Assessment(NamedTuple):
    """One opinion of a text.

    Attributes:
        words: What makes it: negation, modifier, word.
        polarity: -1 to 1.
        subjectivity: 0 to 1.
    """

    words: tuple[str, ...]
    polarity: float
    subjectivity: float


class Sentiment(NamedTuple):
    """What a text says, and how personally.

    Attributes:
        polarity: The mean over its opinions, -1 to 1; 0 without one.
        subjectivity: The mean over its opinions, 0 to 1; 0 without one.
        opinions: They, in order.
    """

    polarity: float
    subjectivity: float
    opinions: tuple[Assessment, ...]


def lexicon_sentiment(text: str | Sequence[str], lexicon: Lexicon) -> Sentiment:
    """Judge a text by the words of a lexicon that it holds: the mean of their assessments.

    The rules are those of the library Pattern (De Smedt & Daelemans 2012, JMLR 13), which TextBlob took over; with
    TextBlob's lexicon the answers are TextBlob's, but for ``n't``, which is a negation here and lost there.

    Args:
        text: A text, or its tokens in lower case.
        lexicon: The words.

    Example:
        >>> from netsmith.layers.lexicon import entry, with_modifiers
        >>> words = with_modifiers("mine", {"good": entry(0.7, 0.6)}, language="en")
        >>> [round(lexicon_sentiment(text, words).polarity, 2) for text in ("good", "very good", "not good", "it")]
        [0.7, 0.91, -0.35, 0.0]
    """
    opinions = tuple(assess(lexicon_tokens(text, lexicon) if isinstance(text, str) else text, lexicon))
    count = len(opinions) or 1
    polarity, subjectivity = (sum(one[at] for one in opinions) / count for at in (1, 2))
    return Sentiment(polarity, subjectivity, opinions)


class _Open:
    """An assessment that what follows may still change."""

    def __init__(self, word: str, known: Entry) -> None:
        self.words, self.negated, self.judges = [word], False, known.judges
        self.polarity, self.subjectivity, self.intensity = known.polarity, known.subjectivity, known.intensity

    def take(self, word: str, known: Entry) -> None:
        """Let the modifier that this was act on the word that follows it."""
        self.words.append(word)
        self.polarity = max(-1.0, min(known.polarity * self.intensity, 1.0))
        self.subjectivity = min(known.subjectivity * self.intensity, 1.0)
        self.intensity, self.judges = known.intensity, self.judges or known.judges

    def negate(self, word: str, *, before: bool) -> None:
        """Turn the assessment around; a modifier that is negated weakens where it strengthened."""
        self.words.insert(0 if before else len(self.words), word)
        self.negated = True
        if before:
            self.intensity = 1 / self.intensity


def assess(tokens: Sequence[str], lexicon: Lexicon) -> list[Assessment]:
    """Return the opinions in some tokens.

    A known word makes an opinion. Right after a modifier ("very good") it takes the modifier's place, times its
    intensity; after a negation ("not good") its polarity is times -0.5, and so is that of an adverb in -ly before one
    ("really not good"). Both reach across punctuation and the smallest words; in Chinese up to three signs of the same
    clause. An exclamation mark strengthens the opinion before it.

    Args:
        tokens: Words in lower case.
        lexicon: What is known of them.
    """
    found: list[_Open] = []
    modifier = negation = ""
    since = 0  # tokens since the last modifier or negation
    chinese = lexicon.language == "zh"
    for token in tokens:
        since += 1
        known = lexicon.entries.get(token)
        negates = token in lexicon.negations
        if known is not None:
            if modifier:
                found[-1].take(token, known)
            else:
                found.append(_Open(token, known))
            if negation:
                found[-1].negate(negation, before=True)
            modifier = token if known.modifies else ""
            negation = token if negates else ""
            since = 0
            continue
        if chinese and (token in _ENDS or since > _REACH):
            modifier = negation = ""
        if negates:
            negation, since = token, 0
        elif len(token.strip("'")) > _SMALL["negation"]:
            negation = ""
        if negation and modifier.endswith("ly"):
            found[-1].negate(negation, before=False)
            negation = ""
        elif len(token) > _SMALL["modifier"]:
            modifier = ""
        if token in "!！" and found:
            found[-1].polarity = max(-1.0, min(found[-1].polarity * _EXCLAMATION, 1.0))
        if token == "(!)":  # irony
            found.append(_Open(token, Entry(0.0, 1.0)))
        elif token in _EMOTICONS:
            found.append(_Open(token, Entry(_EMOTICONS[token], 1.0)))
    return [
        Assessment(tuple(one.words), one.polarity * (_NEGATED if one.negated else 1.0), one.subjectivity)
        for one in found
        if one.judges
    ]


def lexicon_tokens(text: str, lexicon: Lexicon) -> list[str]:
    """Cut a text into words in lower case as the lexicon's language needs it; its phrases stay together."""
    plain = list(_longest(text.lower(), lexicon)) if lexicon.language == "zh" else _words(text)
    return _phrases(plain, lexicon) if lexicon.language == "en" else plain


def _words(text: str) -> list[str]:
    """Cut an English text at spaces, and punctuation off both ends of each word."""
    tokens: list[str] = []
    text = re.sub(r"\( ?! ?\)", "(!)", re.sub(r"(?i)(?<=\w)n['’]t\b", " n\0t ", text))
    text = _FACES.sub(lambda match: match.group().replace(" ", ""), text)
    for chunk in text.split():
        if chunk.lower() in _EMOTICONS or chunk == "(!)":
            tokens.append(chunk)
            continue
        for part in _QUOTES.sub(r" \1 ", chunk).split():
            inner = part.strip(_PUNCTUATION)
            start = part.find(inner) if inner else len(part)
            tokens += part[:start]
            tokens += [inner] if inner else []
            tokens += part[start + len(inner) :]
    return [token.lower().replace("\0", "'") for token in tokens]


def _phrases(tokens: list[str], lexicon: Lexicon) -> list[str]:
    """Join the words of phrases that the lexicon knows, the longest first."""
    longest = lexicon.longest
    if longest == 1:
        return tokens
    joined: list[str] = []
    at = 0
    while at < len(tokens):
        sizes = range(min(longest, len(tokens) - at), 1, -1)
        size = next((size for size in sizes if " ".join(tokens[at : at + size]) in lexicon.entries), 1)
        joined.append(" ".join(tokens[at : at + size]))
        at += size
    return joined


def _longest(text: str, lexicon: Lexicon) -> Iterator[str]:
    """Cut a Chinese text into the longest words that the lexicon knows; what it does not know comes sign by sign."""
    at = 0
    while at < len(text):
        sizes = range(min(lexicon.longest, len(text) - at), 0, -1)
        known = next((text[at : at + size] for size in sizes if _known(text[at : at + size], lexicon)), "")
        if not known:
            match = _CHINESE.match(text, at)
            known = match.group() if match else text[at]
        if known.strip():
            yield known
        at += len(known)


def _known(word: str, lexicon: Lexicon) -> bool:
    return word in lexicon.entries or word in lexicon.negations
