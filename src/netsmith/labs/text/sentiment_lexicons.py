"""Lexicons of sentiment, given and made from a corpus, on labeled texts: what lists of words alone can tell."""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

import torch
from pydantic import Field

from netsmith.core.errors import ConfigError, MissingExtraError
from netsmith.core.findings import Bar, Bars, Findings, Grid
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data._lexicons import official_lexicon
from netsmith.data._texts import TextSource
from netsmith.data.chnsenticorp import Chnsenticorp
from netsmith.data.mr_polarity import MrPolarity
from netsmith.data.polarity_2 import Polarity2
from netsmith.data.sst import Sst
from netsmith.layers.lexicon import Lexicon, with_modifiers
from netsmith.layers.sentences import is_chinese, words
from netsmith.models.text.lexicon_sentiment import lexicon_sentiment, lexicon_tokens
from netsmith.models.text.so_pmi import SEEDS, orientation_entries, so_pmi

__all__ = ["CARD", "SentimentLexicons"]

CARD = {
    "title": "Sentiment by lists of words, given and made",
    "paper": "Turney 2002, Thumbs up or thumbs down? (ACL)",
    "shows": "accuracy and reach of public lexicons, and of one made by SO-PMI, on labeled texts in two languages",
    "quick": {
        "data": [{"kind": "polarity_2", "twin": True}],
        "lexicons": [],
        "corpus": {"kind": "polarity_2", "twin": True, "dev": 0.0},
        "positive": ["sun0", "sun1", "sun2"],
        "negative": ["rain0", "rain1", "rain2"],
        "near": 3,
    },
}

_MADE = "SO-PMI"


class _Judged(NamedTuple):
    accuracy: float
    reach: float
    decided: float
    counted: int


class SentimentLexicons:
    """A text is judged by the mean over its words, with negation and modifiers; its sign is the answer.

    A text about which a lexicon says nothing, or as much for as against, counts as half right: it would be a guess.
    The made lexicon is learned from texts without their labels: of Chinese from the training part of the data itself,
    cut into the words of the first given lexicon, of English from whole reviews. Near, least and strength were chosen
    on the dev part of MR; the figures are of ``split``. About 20 s on one core.
    """

    class Config(LabConfig):
        """Texts, lexicons, and how one is made.

        Attributes:
            data: Labeled texts of two classes, the first of them negative.
            split: Which part is judged.
            lexicons: Public ones; each judges the data of its own language. TextBlob's is left out where it is not
                installed.
            corpus: Unlabeled English texts that the made lexicon is of.
            positive: Seeds of praise, for English; those of Turney & Littman 2003 where none are given.
            negative: Seeds of blame.
            near: How many tokens apart two words are near each other.
            least: How often a word must stand near a seed.
            strength: Bits of orientation below which a word is left out.
        """

        data: tuple[SourceConfig, ...] = (MrPolarity.Config(), Sst.Config(), Chnsenticorp.Config())
        split: str = "test"
        lexicons: tuple[str, ...] = ("textblob", "vader", "afinn", "ntusd", "fannix")
        corpus: SourceConfig = Polarity2.Config(dev=0.0)
        positive: tuple[str, ...] = ()
        negative: tuple[str, ...] = ()
        near: int = Field(default=10, ge=1)
        least: int = Field(default=5, ge=1)
        strength: float = Field(default=0.3, ge=0)

    def __init__(self, config: SentimentLexicons.Config) -> None:
        if not config.data:
            raise ConfigError("data is empty; expected labeled texts")
        self.config = config

    def run(self) -> Findings:
        """Return the accuracy, the reach and the accuracy where it reaches, of each lexicon on its data."""
        given, missing = _public(self.config.lexicons)
        found: dict[tuple[str, str], _Judged] = {}
        sizes = {name: sum(one.judges for one in lexicon.entries.values()) for name, lexicon in given.items()}
        made: dict[str, Lexicon] = {}
        languages: dict[str, str] = {}
        for data in self.config.data:
            source = data.build()
            texts, labels = _part(source, self.config.split)
            language = "zh" if is_chinese(" ".join(texts[:100])) else "en"
            languages[source.spec.dataset] = language
            if language not in made:
                made[language] = self._made(source, given, language=language)
                sizes[f"{_MADE} ({language})"] = sum(one.judges for one in made[language].entries.values())
            own = {name: lexicon for name, lexicon in given.items() if lexicon.language == language}
            for name, lexicon in (own | {_MADE: made[language]}).items():
                found[source.spec.dataset, name] = _judged(texts, labels, lexicon)
        return _findings(found, languages, sizes, missing, self.config)

    def _made(self, source: TextSource, given: dict[str, Lexicon], *, language: str) -> Lexicon:
        """Make a lexicon from texts whose labels are not looked at."""
        config = self.config
        if language == "zh":
            cutter = next(
                (one for one in given.values() if one.language == "zh"), with_modifiers("", {}, language="zh")
            )
            corpus = [lexicon_tokens(text, cutter) for text in _part(source, "train")[0]]
            positive, negative = SEEDS["zh"]
        else:
            other = config.corpus.build()
            corpus = [words(text) for split in other.spec.splits for text in _part(other, split.name)[0]]
            positive, negative = config.positive or SEEDS["en"][0], config.negative or SEEDS["en"][1]
        orientation = so_pmi(corpus, positive=positive, negative=negative, near=config.near, least=config.least)
        entries = orientation_entries(orientation, positive=positive, negative=negative, least=config.strength)
        return with_modifiers(_MADE, entries, language="zh" if language == "zh" else "en")


def _public(names: tuple[str, ...]) -> tuple[dict[str, Lexicon], list[str]]:
    given: dict[str, Lexicon] = {}
    missing: list[str] = []
    for name in names:
        try:
            given[name] = official_lexicon(name)
        except MissingExtraError:
            missing.append(name)
    return given, missing


def _part(source: Any, split: str) -> tuple[list[str], list[int]]:
    if not isinstance(source, TextSource) or len(source.spec.outputs.names) != 2 or split not in source.splits():
        raise ConfigError(f"data={source.spec.dataset!r}: expected texts of two classes with a split {split!r}")
    at = torch.arange(source.spec.split(split).size)
    return source.texts(split, at), source.load(split, at).targets.tolist()


def _judged(texts: list[str], labels: list[int], lexicon: Lexicon) -> _Judged:
    signs = [lexicon_sentiment(text, lexicon).polarity for text in texts]
    right = [
        0.5 if value == 0 else float((value > 0) == bool(label)) for value, label in zip(signs, labels, strict=True)
    ]
    decided = [one for one, value in zip(right, signs, strict=True) if value]
    share = statistics.fmean(decided) if decided else 0.0
    return _Judged(statistics.fmean(right), len(decided) / len(texts), share, len(texts))


def _findings(
    found: dict[tuple[str, str], _Judged],
    languages: dict[str, str],
    sizes: dict[str, int],
    missing: list[str],
    config: SentimentLexicons.Config,
) -> Findings:
    sets = list(dict.fromkeys(data for data, _ in found))
    names = list(dict.fromkeys(name for _, name in found))
    numbers: dict[str, Any] = {f"words/{name}": size for name, size in sizes.items()}
    for (data, name), one in found.items():
        numbers |= {f"accuracy/{data}/{name}": one.accuracy, f"reach/{data}/{name}": one.reach}
        numbers[f"accuracy_where_it_reaches/{data}/{name}"] = one.decided
    figures = []
    for language, title in (("en", "English"), ("zh", "Chinese")):
        own = [data for data in sets if languages[data] == language]
        bars = tuple(
            Bar(name, tuple(100 * found[data, name].accuracy for data in own))
            for name in names
            if own and (own[0], name) in found
        )
        caption = "A text that a lexicon does not decide counts as half right; guessing gives 50 %."
        title = f"Accuracy by lists of {title} words ({config.split})"
        if own:
            figures.append(Bars(f"accuracy_{language}", title, "accuracy (%)", tuple(own), bars, caption=caption))
    rows = tuple(
        (data, name, 100 * one.accuracy, 100 * one.reach, 100 * one.decided, one.counted)
        for (data, name), one in found.items()
    )
    columns = ("texts", "lexicon", "accuracy (%)", "decided (%)", "accuracy where decided (%)", "texts judged")
    table = Grid("What each lexicon tells", columns, rows)
    remarks = []
    for data in sets:
        ranked = sorted((one for one in found if one[0] == data), key=lambda one: -found[one].accuracy)
        parts = ", ".join(f"{name} {100 * found[data, name].accuracy:.1f} %" for _, name in ranked)
        error = 100 * (0.25 / found[ranked[0]].counted) ** 0.5
        remarks.append(f"{data}: {parts} (a standard error is at most {error:.1f} points).")
    remarks += [f"{name} is not installed and was left out." for name in missing]
    return Findings(numbers, tuple(figures), (table,), tuple(remarks))
