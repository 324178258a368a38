"""Cranfield as a source to learn from: which of the abstracts that a search finds answer a question.

Cleverdon, "The Cranfield tests on index language devices", Aslib Proceedings 19:6, 1967.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from netsmith.data._judged import twin_collection
from netsmith.data._matching import MatchingFields, MatchingSource, divided, questions_of, tokenizer
from netsmith.data._retrieved import bm25_best
from netsmith.data.cranfield import cranfield

__all__ = ["CranfieldRanking"]

_TWIN = 160  # queries


class CranfieldRanking(MatchingSource):
    """Rank again what BM25 finds, as in the papers on DRMM and KNRM: its best documents are the candidates.

    The 225 questions are divided by a seed, those of one paper's author together: they ask about one thing. A paper
    whose author asked is no candidate for his questions (see :func:`~netsmith.data.cranfield.cranfield`). What answers
    and is not among the best counts as not found. All 1,400 abstracts are the collection.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(MatchingFields):
        """The official files, from ``$NETSMITH_DATA/cranfield``, the cache, or the network.

        Attributes:
            candidates: How many of BM25's best are ranked again.
            dev: Share of the questions for choices.
            test: Share of the questions for the end.
            split_seed: Seed of the division.
            max_length: Longest abstract, in words.
            evaluation_batch: Queries per evaluation batch.
        """

        candidates: Annotated[int, Field(gt=0)] = 100
        dev: Annotated[float, Field(gt=0, lt=1)] = 0.2
        test: Annotated[float, Field(gt=0, lt=1)] = 0.3
        split_seed: int = 0
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 300
        evaluation_batch: Annotated[int, Field(gt=0)] = 4

        @model_validator(mode="after")
        def _check(self) -> Self:
            if self.dev + self.test >= 1:
                raise ValueError(f"dev={self.dev:g} and test={self.test:g} leave nothing to learn from")
            return self

    def __init__(self, config: Config) -> None:
        collection = twin_collection("cranfield", closed=False, count=_TWIN) if config.twin else cranfield()
        asked = {
            query.name: query.name if config.twin else next(name for name, grade in query.grades.items() if not grade)
            for query in collection.queries
        }
        retrieved = bm25_best(
            collection, tokenizer(config), count=config.candidates, leave={} if config.twin else asked
        )
        questions = questions_of(collection, retrieved=retrieved)
        groups = [asked[one.name] for one in questions]
        parts = divided(questions, groups, dev=config.dev, test=config.test, seed=config.split_seed)
        super().__init__(
            config,
            dataset="cranfield",
            documents={name: one.text for name, one in collection.documents.items()},
            known=list(collection.documents),
            questions=parts,
            made={name: f"seeded, by paper that was asked about: {len(of)} questions" for name, of in parts.items()},
            seeds=dict.fromkeys(parts, config.split_seed),
        )
