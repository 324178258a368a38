"""How few letter n-grams hold a vocabulary, and which words they cannot tell apart."""

from __future__ import annotations

import re

from pydantic import Field

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.roles import LabConfig
from netsmith.data.cranfield import cranfield
from netsmith.data.wikitext2 import Wikitext2
from netsmith.layers.letter_ngrams import letter_ngrams, ngram_collisions

__all__ = ["CARD", "WordHashing"]

CARD = {
    "title": "Word hashing: letter n-grams in place of words",
    "paper": "Huang, He, Gao, Deng, Acero & Heck 2013 (CIKM; section 3.2, table 1)",
    "shows": "how many letter bigrams and trigrams hold a real vocabulary, and how many words share theirs",
    "quick": {"twin": True},
}

_WORD = re.compile(r"[a-z0-9]+")
_NAMES = {1: "letters", 2: "bigrams", 3: "trigrams", 4: "4-grams"}
_PAPER = {(2, 40_000): (1_107, 18), (2, 500_000): (1_607, 1_192), (3, 40_000): (10_306, 2), (3, 500_000): (30_621, 22)}


class WordHashing:
    """Take a vocabulary apart into letter n-grams: those of #good# are #go, goo, ood, od#.

    The words are those of WikiText-2's training part, most frequent first, then what Cranfield's abstracts have more,
    in lower case, of a to z and digits. Two words collide if their bags of n-grams are equal; ``collisions`` counts the
    words that do not have a bag of their own. The paper's words are those of a search engine's log, so its figures
    stand beside these for their order of size only. About 10 s on one core.
    """

    class Config(LabConfig):
        """What is counted.

        Attributes:
            sizes: Letters of an n-gram, marks included: 1 to 4, each once, ascending.
            points: At how many sizes of the vocabulary.
            twin: Take small made-up texts.
        """

        sizes: tuple[int, ...] = (2, 3)
        points: int = Field(default=8, ge=2, le=100)
        twin: bool = False

    def __init__(self, config: WordHashing.Config) -> None:
        if not config.sizes or sorted(set(config.sizes)) != list(config.sizes) or not {*config.sizes} <= {*_NAMES}:
            raise ConfigError(f"sizes={config.sizes}; expected some of 1, 2, 3, 4, each once and ascending")
        self.config = config

    def run(self) -> Findings:
        """Return n-grams and collisions by the size of the vocabulary."""
        sizes = self.config.sizes
        words = self._words()
        ends = sorted({max(1, len(words) * at // self.config.points) for at in range(1, self.config.points + 1)})
        numbers: dict[str, Number | tuple[Number, ...]] = {"words": len(words), "sizes": tuple(ends)}
        rows: list[tuple[Number, ...]] = []
        lines: list[Series] = []
        remarks: list[str] = []
        for size in sizes:
            counts = _different(words, ends, size)
            groups = ngram_collisions(words, size=size)
            shared = [_collisions(words[:end], size) for end in ends[:-1]] + [sum(map(len, groups))]
            lines.append(Series(_NAMES[size], tuple(map(float, ends)), tuple(map(float, counts))))
            numbers[f"ngrams/{size}"], numbers[f"collisions/{size}"] = tuple(counts), tuple(shared)
            examples = ", ".join(" = ".join(group) for group in groups[:4])
            for end, count, one in zip(ends, counts, shared, strict=True):
                rows.append((_NAMES[size], end, count, one, examples if end == ends[-1] else ""))
            for (of, at), (count, one) in _PAPER.items():
                if of == size:
                    rows.append((f"{_NAMES[size]}, in the paper", at, count, one, ""))
            remarks.append(
                f"{len(words):,} words are {counts[-1]:,} {_NAMES[size]}, {len(words) / counts[-1]:.1f} words each; "
                f"{shared[-1]:,} words ({shared[-1] / len(words):.3%}) do not have a bag of their own."
            )
        chart = Lines(
            "ngrams",
            "Different n-grams as the vocabulary grows",
            "words",
            "different n-grams",
            tuple(lines),
            log_y=True,
            caption="The most frequent words come first.",
        )
        table = Grid(
            "Tokens and collisions",
            ("n-grams", "words", "different n-grams", "words that collide", "examples"),
            tuple(rows),
        )
        return Findings(numbers, (chart,), (table,), tuple(remarks))

    def _words(self) -> list[str]:
        vocabulary = Wikitext2.Config(twin=self.config.twin).build().spec.inputs.vocabulary[2:]
        abstracts = (document.text for document in cranfield(twin=self.config.twin).documents.values())
        return list(dict.fromkeys(word for text in (*vocabulary, *abstracts) for word in _WORD.findall(text.lower())))


def _different(words: list[str], ends: list[int], size: int) -> list[int]:
    """Return how many n-grams the first words have, for each number of words."""
    seen: set[str] = set()
    counts: list[int] = []
    for number, word in enumerate(words, start=1):
        seen.update(letter_ngrams(word, size=size))
        if number == ends[len(counts)]:
            counts.append(len(seen))
    return counts


def _collisions(words: list[str], size: int) -> int:
    return sum(map(len, ngram_collisions(words, size=size)))
