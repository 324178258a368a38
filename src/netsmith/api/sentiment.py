"""Sentiment without a trained network: a lexicon judges texts, opinions on a subject, or is made from a corpus."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from netsmith.core.errors import ConfigError, DataError
from netsmith.data._lexicons import OFFICIAL_LEXICONS, official_lexicon, read_lexicon, write_lexicon
from netsmith.layers.lexicon import Language, Lexicon, with_modifiers
from netsmith.layers.sentences import is_chinese, sentences, words
from netsmith.models.text.lexicon_sentiment import lexicon_sentiment, lexicon_tokens
from netsmith.models.text.opinions import summarize_opinions
from netsmith.models.text.so_pmi import SEEDS, orientation_entries, so_pmi

__all__ = ["judge", "learn_lexicon", "load_lexicon", "opinions"]


def load_lexicon(names: Sequence[str] = (), *, language: str = "", sample: str = "") -> Lexicon:
    """Return a lexicon.

    Args:
        names: ``vader``, ``afinn``, ``ntusd`` or ``fannix`` (downloaded where they are not at hand), ``textblob`` (the
            one within the installed package, which is read and never run), or files of one's own, several of which make
            one lexicon. None takes ``vader`` for English, ``fannix`` for Chinese.
        language: ``en`` or ``zh``; by default that of ``sample``.
        sample: A text to judge, to tell the language.

    Raises:
        ConfigError: Another language, or names of public lexicons among several.
        DataError: A file that is no lexicon.
        MissingExtraError: ``textblob`` is not installed.
    """
    if language not in ("", "en", "zh"):
        raise ConfigError(f"language={language!r}; expected 'en' or 'zh'")
    spoken = cast("Language", language or ("zh" if is_chinese(sample) else "en"))
    chosen = list(names) or ["fannix" if spoken == "zh" else "vader"]
    public = [name for name in chosen if name == "textblob" or name in OFFICIAL_LEXICONS]
    if public and len(chosen) > 1:
        raise ConfigError(f"{public[0]} stands alone: several lexicons that become one are files")
    if not public:
        return read_lexicon(*map(Path, chosen), language=spoken)
    return official_lexicon(public[0])


def judge(texts: Iterable[tuple[str, str]], lexicon: Lexicon) -> Iterator[dict[str, Any]]:
    """Yield the polarity, the subjectivity and the words that decided, text by text.

    Args:
        texts: Names and texts; one is held at a time.
        lexicon: The words.
    """
    for name, text in texts:
        found = lexicon_sentiment(text, lexicon)
        label = "positive" if found.polarity > 0 else "negative" if found.polarity < 0 else "neutral"
        yield {
            "input": name,
            "label": label,
            "polarity": found.polarity,
            "subjectivity": found.subjectivity,
            "opinions": [
                {"words": list(one.words), "polarity": one.polarity, "subjectivity": one.subjectivity}
                for one in found.opinions
            ],
        }


def opinions(texts: Iterable[str], lexicon: Lexicon, *, about: str = "", strongest: int = 3) -> dict[str, Any]:
    """Return counts of the sentences for and against a subject, and the strongest of both.

    Raises:
        DataError: No sentence names it.
    """
    found = summarize_opinions(
        (sentence for text in texts for sentence in sentences(text)), lexicon, about=about, strongest=strongest
    )
    if about and not found.positive + found.negative + found.neutral:
        raise DataError(f"no sentence names {about!r}; expected one at least")
    return dataclasses.asdict(found)


def learn_lexicon(
    texts: Iterable[str],
    *,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    language: Language = "en",
    near: int = 10,
    least: int = 5,
    strength: float = 0.5,
    known: Lexicon | None = None,
) -> str:
    """Make a lexicon from a corpus and seed words by SO-PMI, and return it as CSV.

    Args:
        texts: The corpus, text by text; it is streamed.
        positive: Seeds of praise, in any case; those of Turney & Littman 2003 by default.
        negative: Seeds of blame.
        language: ``en``, or ``zh``: words are then those of ``known`` and single signs.
        near: How many tokens apart two words are near each other.
        least: How often a word must stand near a seed.
        strength: Bits of orientation below which a word is left out.
        known: A lexicon whose words, in Chinese, are words here.

    Raises:
        ConfigError: Seeds that never come, or on both sides; or one that is no single word and so can never come.
    """
    praise = tuple(word.lower() for word in positive) or SEEDS[language][0]
    blame = tuple(word.lower() for word in negative) or SEEDS[language][1]
    seeds = with_modifiers("seeds", orientation_entries({}, positive=praise, negative=blame), language=language)
    cutter = known or seeds

    def cut(text: str) -> list[str]:
        return lexicon_tokens(text, cutter) if language == "zh" else words(text)

    for seed in map(str.lower, (*positive, *negative)):
        if cut(seed) != [seed]:
            read = " ".join(map(repr, cut(seed))) or "nothing"
            raise ConfigError(f"the seed {seed!r} can never come: it is read as {read}; expected single words")
    found = so_pmi(map(cut, texts), positive=praise, negative=blame, near=near, least=least)
    return write_lexicon(orientation_entries(found, positive=praise, negative=blame, least=strength))
