"""What rankings by counts reach on judged collections, without any training."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsmith.core.findings import Bar, Bars, Findings, Grid, Number
from netsmith.core.roles import LabConfig
from netsmith.data._judged import Collection, Query
from netsmith.data.cranfield import cranfield
from netsmith.data.wikiqa import wikiqa
from netsmith.layers.bm25 import bm25_scores
from netsmith.layers.inverted_index import InvertedIndex, best
from netsmith.layers.sentences import STOP_WORDS
from netsmith.measure.ranking import ranking_figures
from netsmith.models.matching.search_tokens import search_tokens
from netsmith.models.matching.tf_idf_cosine import TfIdfCosine

__all__ = ["CARD", "RankingBaselines"]

CARD = {
    "title": "Rankings by counts: BM25 and tf-idf",
    "paper": "Robertson & Zaragoza 2009; Salton, Wong & Yang 1975; Yang, Yih & Meek 2015 (WikiQA)",
    "shows": "MAP, MRR, precision and nDCG at 10 of BM25 and tf-idf cosine on Cranfield and WikiQA",
    "quick": {"twin": True},
}

_METHODS = {"bm25": "BM25", "tf_idf": "tf-idf cosine", "log_tf_idf": "tf-idf cosine, log counts"}
_DEPTH = 10


class RankingBaselines:
    """Rank Cranfield's abstracts for each of its questions, and each WikiQA question's sentences.

    Nothing is trained; k1 and b are those that are usual, plural endings and stop words were decided on WikiQA's dev
    part. Questions without an answer are left out, as papers do. The weights of words come from all texts of a
    collection, in WikiQA of the part that is ranked; no grade is read but to score.

    Cranfield's code -1 comes once for each question. Read as "of no interest" it has grade 0, but the documents that
    bear it are among the nearest to their question; the collection is therefore scored twice, the second time with
    them taken out of their question's ranking. About 15 s on one core.
    """

    class Config(LabConfig):
        """How words are counted.

        Attributes:
            k1: Of BM25: how late counts saturate.
            b: Of BM25: how much length counts.
            stem: Whether plurals count as their singulars.
            stop_words: Whether words that carry no topic count.
            twin: Take small made-up collections.
        """

        k1: float = Field(default=1.2, ge=0)
        b: float = Field(default=0.75, ge=0, le=1)
        stem: bool = True
        stop_words: bool = True
        twin: bool = False

    def __init__(self, config: RankingBaselines.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return every measure of every method on every collection."""
        sets = {
            "cranfield": ("Cranfield", cranfield(twin=self.config.twin), False),
            "cranfield_without": ("Cranfield without -1", cranfield(twin=self.config.twin), True),
            "wikiqa_dev": ("WikiQA dev", wikiqa("dev", twin=self.config.twin), False),
            "wikiqa_test": ("WikiQA test", wikiqa("test", twin=self.config.twin), False),
        }
        numbers: dict[str, Number | tuple[Number, ...]] = {}
        rows: list[tuple[Number, ...]] = []
        remarks: list[str] = []
        measures = ("map", "mrr", f"precision@{_DEPTH}", f"ndcg@{_DEPTH}")
        for key, (name, collection, without) in sets.items():
            index = InvertedIndex()
            for document in collection.documents.values():
                index.add(self._tokens(document.text))
            queries = [query for query in collection.queries if query.answered]
            scores: dict[str, float] = {}
            for method, label in _METHODS.items():
                orders = _orders(collection, queries, self._scorer(method, index), self._tokens)
                if key == "cranfield" and method == "bm25":
                    ranks = [
                        order.index(one) + 1
                        for query, order in zip(queries, orders, strict=True)
                        for one, grade in query.grades.items()
                        if grade == 0
                    ]
                    numbers["cranfield/median_rank_of_grade_0"] = statistics.median(ranks)
                found = ranking_figures(
                    (_graded(query, order, without=without) for query, order in zip(queries, orders, strict=True)),
                    depth=_DEPTH,
                )
                scores[method] = found["map"]
                numbers |= {f"{key}/{method}/{measure}": found[measure] for measure in measures}
                rows.append((name, label, len(queries), *(found[measure] for measure in measures)))
            first = max(scores, key=lambda method: scores[method])
            remarks.append(f"{name}: {_METHODS[first]} has the highest MAP, {scores[first]:.4f}.")
        middle = numbers["cranfield/median_rank_of_grade_0"]
        remarks.append(
            f"Cranfield's judged documents of grade 0 stand at rank {middle:g} by BM25, in the median, of "
            f"{len(sets['cranfield'][1].documents):,}."
        )
        chart = Bars(
            "map",
            "Mean average precision",
            "MAP",
            tuple(name for name, *_ in sets.values()),
            tuple(
                Bar(label, tuple(float(str(numbers[f"{key}/{method}/map"])) for key in sets))
                for method, label in _METHODS.items()
            ),
        )
        table = Grid(
            "All measures",
            ("collection", "method", "queries", "MAP", "MRR", f"precision at {_DEPTH}", f"nDCG at {_DEPTH}"),
            tuple(rows),
            f"k1 = {self.config.k1:g}, b = {self.config.b:g}. With one answer, precision at {_DEPTH} is "
            f"{1 / _DEPTH:g} at best.",
        )
        return Findings(numbers, (chart,), (table,), tuple(remarks))

    def _tokens(self, text: str) -> list[str]:
        skip = frozenset[str]() if self.config.stop_words else STOP_WORDS["en"]
        return search_tokens(text, stem=self.config.stem, skip=skip)

    def _scorer(self, method: str, index: InvertedIndex) -> Callable[[Sequence[str]], NDArray[np.float64]]:
        if method == "bm25":
            return lambda query: bm25_scores(index, query, k1=self.config.k1, b=self.config.b)
        return TfIdfCosine(index, sublinear=method == "log_tf_idf").scores


def _orders(
    collection: Collection,
    queries: Sequence[Query],
    scorer: Callable[[Sequence[str]], NDArray[np.float64]],
    cut: Callable[[str], list[str]],
) -> list[list[str]]:
    """Return the names of the documents for each query, best first."""
    names = list(collection.documents)
    places = {name: place for place, name in enumerate(names)}
    found: list[list[str]] = []
    for query in queries:
        scores = scorer(cut(query.text))
        among = np.array([places[name] for name in query.grades]) if collection.closed else np.arange(len(names))
        found.append([names[place] for place in among[best(scores[among])]])
    return found


def _graded(query: Query, order: Sequence[str], *, without: bool) -> tuple[list[int], list[int]]:
    """Return the grades in ranked order, and all; ``without`` the documents that were judged to have grade 0."""
    ranked = [query.grades.get(name, 0) for name in order if not (without and query.grades.get(name) == 0)]
    return ranked, list(query.grades.values())
