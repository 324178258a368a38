"""How words find their translations: EM on three sentence pairs by hand, and on real ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Findings, Grid, Lines, Number, Picture, Pictures, Series
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data._pairs import PairSource
from netsmith.data.multi30k import Multi30k
from netsmith.layers.reading import END_NUMBER
from netsmith.models.translation.ibm_model1 import WordModel, ibm_model1, viterbi
from netsmith.models.translation.ibm_model2 import ibm_model2
from netsmith.models.translation.symmetrization import symmetrize
from netsmith.models.translation.word_links import Links, Sentences, expected, sentences, word_links

__all__ = ["CARD", "WordAlignment"]

CARD = {
    "title": "Word alignment by EM: IBM models 1 and 2",
    "paper": "Brown et al. 1993, Computational Linguistics 19(2); Och & Ney 2003, doi:10.1162/089120103321337421",
    "shows": "how translation probabilities settle on three sentence pairs, and which words of a real pair are linked",
    "quick": {"pairs": 200, "data": {"kind": "multi30k", "twin": True, "merges": 0}},
}

_TOY = (("the house", "das Haus"), ("the book", "das Buch"), ("a book", "ein Buch"))


class _Side(NamedTuple):
    """A word model of one direction."""

    links: Links
    first: WordModel
    second: WordModel


class WordAlignment:
    """Give every word of a pair's one sentence to a word of the other, at first all alike; count; and again.

    On the three pairs of the textbook (the house, the book, a book) model 1 has no empty word, so that each number can
    be checked by hand. On real pairs models 1 and 2 are learned in both directions, and both best alignments of one
    training pair are made into one by grow-diag-final-and. About 25 s on one core.
    """

    class Config(LabConfig):
        """What is aligned, and how often EM is repeated.

        Attributes:
            data: Pairs of texts, in words.
            pairs: Training pairs that are learned from, the first ones; 0 for all.
            sentence: Which of them is shown, 1 is the first.
            toy: Iterations on the three pairs.
            model1: Iterations of model 1 on the real ones.
            model2: Iterations of model 2 after it.
        """

        data: SourceConfig = Multi30k.Config(merges=0, lowercase=True)
        pairs: int = Field(default=0, ge=0)
        sentence: int = Field(default=19, ge=1)
        toy: int = Field(default=10, ge=1, le=1000)
        model1: int = Field(default=5, ge=1, le=100)
        model2: int = Field(default=5, ge=1, le=100)

    def __init__(self, config: WordAlignment.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the toy's probabilities, the likelihoods, and one aligned pair."""
        config = self.config
        source = config.data.build()
        if not isinstance(source, PairSource):
            raise ConfigError(f"data={config.data!r} gives no pairs of texts; use multi30k or text_pairs")
        split = source.spec.split("train")
        assert split is not None
        count = min(config.pairs or split.size, split.size)
        if config.sentence > count:
            raise ConfigError(f"sentence={config.sentence}; expected one of the {count} pairs that are learned from")
        batch = source.load("train", torch.arange(count))
        sides = tuple(_words(rows.numpy()) for rows in (batch.inputs["source"], batch.targets))
        names = source.spec.inputs.vocabulary, source.spec.outputs.names
        forward, backward = (self._learned(sides[1 - way], sides[way]) for way in (0, 1))
        toy, remark, numbers = self._toy()
        shown = _Shown(config.sentence - 1, sides, names, forward, backward)
        figures = (toy, self._likelihoods(forward, backward, sides), shown.posteriors())
        matrix, both, either, grown = shown.matrix()
        for name, side in (("forward", forward), ("backward", backward)):
            numbers[f"{name}/model1"], numbers[f"{name}/model2"] = side.first.likelihoods, side.second.likelihoods
        numbers |= {"pairs": count, "points/both": both, "points/either": either, "points/grown": grown}
        each = [side.second.likelihoods[-1] - side.first.likelihoods[-1] for side in (forward, backward)]
        falls = sum(bool((np.diff(model.likelihoods) < 0).any()) for side in (forward, backward) for model in side[1:])
        remarks = (
            remark,
            f"Of 4 likelihood curves on {count:,} pairs, {falls} ever fall; model 2 adds "
            f"{each[0] / len(sides[0].words):.2f} and {each[1] / len(sides[1].words):.2f} nats per word to model 1.",
            f"In the pair shown {both} links are in both directions' alignments, {either} in either; growing keeps "
            f"{grown}.",
        )
        return Findings(numbers, figures, (matrix, shown.translations()), remarks)

    def _toy(self) -> tuple[Lines, str, dict[str, Number | tuple[Number, ...]]]:
        english, german = ([pair[side].split() for pair in _TOY] for side in (0, 1))
        known, made = (sorted({word for row in rows for word in row}) for rows in (english, german))
        links = word_links(
            sentences([[known.index(word) + 1 for word in row] for row in english]),
            sentences([[made.index(word) + 1 for word in row] for row in german]),
            null=False,
        )
        models = [ibm_model1(links, iterations=n) for n in range(self.config.toy + 1)]
        pairs = [f"{made[f - 1]} | {known[e - 1]}" for f, e in zip(links.made, links.given, strict=True)]
        tables = {pair: tuple(float(model.t[at]) for model in models) for at, pair in enumerate(pairs)}
        chosen = ("das | the", "Haus | house", "Buch | the", "das | house", "Haus | the")
        chart = Lines(
            "toy",
            "t(f | e) on three sentence pairs, model 1",
            "iterations of EM",
            "probability of the German word given the English one",
            tuple(Series(f"t({pair})", tuple(map(float, range(len(models)))), tables[pair]) for pair in chosen),
            caption="the house = das Haus, the book = das Buch, a book = ein Buch; das, with the in two pairs, pulls "
            "Haus toward house.",
        )
        right = min(tables[pair][-1] for pair in ("das | the", "Haus | house", "Buch | book", "ein | a"))
        remark = (
            f"After {self.config.toy} iterations the four true pairs have at least {right:.3f}, from "
            f"{tables['das | the'][0]:.3f} at the start."
        )
        return chart, remark, {f"toy/{pair}": values for pair, values in tables.items()}

    def _learned(self, given: Sentences, made: Sentences) -> _Side:
        links = word_links(given, made)
        first = ibm_model1(links, iterations=self.config.model1)
        return _Side(links, first, ibm_model2(links, first, iterations=self.config.model2))

    def _likelihoods(self, forward: _Side, backward: _Side, sides: tuple[Sentences, ...]) -> Lines:
        series: list[Series] = []
        for name, side, own in (
            ("source given target", forward, sides[0]),
            ("target given source", backward, sides[1]),
        ):
            for number, model in ((1, side.first), (2, side.second)):
                start = 0 if number == 1 else self.config.model1
                values = tuple(value / len(own.words) for value in model.likelihoods)
                places = tuple(float(start + at) for at in range(len(values)))
                series.append(Series(f"{name}, model {number}", places, values))
        return Lines(
            "likelihood",
            "Log-likelihood of real pairs",
            "iterations of EM",
            "nats per word",
            tuple(series),
            caption="Model 2 goes on from what model 1 learned.",
        )


class _Shown:
    """One pair, with what both directions say about it."""

    def __init__(
        self,
        row: int,
        sides: tuple[Sentences, ...],
        names: tuple[tuple[str, ...], ...],
        forward: _Side,
        backward: _Side,
    ) -> None:
        self.starts = [int(side.starts[row]) for side in sides]
        self.lengths = [int(side.lengths[row]) for side in sides]
        self.words = [
            [words[number] for number in side.words[start : start + length]]
            for side, words, start, length in zip(sides, names, self.starts, self.lengths, strict=True)
        ]
        self.names = names
        self.sides = forward, backward

    def _links(self, way: int) -> slice:
        """Return the links of this pair's made words."""
        links, start, length = self.sides[way].links, self.starts[way], self.lengths[way]
        stop = len(links.at) if start + length == len(links.starts) else int(links.starts[start + length])
        return slice(int(links.starts[start]), stop)

    def matrix(self) -> tuple[Grid, int, int, int]:
        """Return the alignment, and how many points are in both directions, in either, and in the grown one."""
        found = []
        for way, side in enumerate(self.sides):
            chosen = viterbi(side.links, side.second)[self.starts[way] : self.starts[way] + self.lengths[way]]
            points = {(own, int(other) - 1) for own, other in enumerate(chosen) if other}
            found.append({point[::-1] for point in points} if way else points)
        grown = symmetrize(found[0], found[1], "grow_diag_final_and")
        both, either = found[0] & found[1], found[0] | found[1]

        def sign(point: tuple[int, int]) -> str:
            mark = "■" if point in both else "→" if point in found[0] else "↓"
            return mark if point in grown else f"({mark})"

        rows = tuple(
            (word, *(sign((i, j)) if (i, j) in either else "" for j in range(self.lengths[1])))
            for i, word in enumerate(self.words[0])
        )
        columns = ("", *(f"{word}{' ' * self.words[1][:at].count(word)}" for at, word in enumerate(self.words[1])))
        grid = Grid(
            "Which words are linked",
            columns,
            rows,
            caption="■: the best alignments of both directions have the link; →: only that in which each source word "
            "(left) chooses a target word; ↓: only that in which each target word (top) chooses a source word; in "
            "brackets: left out when growing.",
        )
        return grid, len(both), len(either), len(grown)

    def posteriors(self) -> Pictures:
        """Return how likely each link is, in both directions: source words down, target words across."""
        pictures: list[Picture] = []
        for way, side in enumerate(self.sides):
            share, _ = expected(side.links, side.second.t[side.links.pair] * side.second.a[side.links.place])
            table = share[self._links(way)].reshape(self.lengths[way], -1)[:, 1:]  # without the empty word
            table = table.T if way else table
            large = np.kron(table, np.ones((4, 4)))
            pictures.append(Picture(("source chooses", "target chooses")[way], tuple(map(tuple, large.tolist()))))
        return Pictures(
            "posteriors",
            "Links by model 2",
            tuple(pictures),
            low=0.0,
            high=1.0,
            columns=2,
            caption=f"Down: {' '.join(self.words[0])} Across: {' '.join(self.words[1])} White is probability 1; a dark "
            "row (left) or column (right) is a word that comes from the empty one.",
        )

    def translations(self) -> Grid:
        """Return the likeliest target words of each source word of the pair, by model 2."""
        side = self.sides[1]  # target words made from source words
        rows: list[tuple[Number, ...]] = []
        first = {name: number for number, name in enumerate(self.names[0])}
        for word in dict.fromkeys(self.words[0]):
            at = np.flatnonzero(side.links.given == first[word])
            best = at[np.argsort(-side.second.t[at], kind="stable")[:3]]
            cells = [f"{self.names[1][side.links.made[each]]} {side.second.t[each]:.2f}" for each in best]
            rows.append((word, *cells, *[None] * (3 - len(cells))))
        return Grid("What each word makes: t(f | e)", ("e", "likeliest f", "second", "third"), tuple(rows))


def _words(rows: np.ndarray) -> Sentences:
    inside = (rows > 0) & (rows != END_NUMBER)
    return Sentences(rows[inside], inside.sum(1))
