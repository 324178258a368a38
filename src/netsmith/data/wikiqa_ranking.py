"""WikiQA as a source to learn from: which sentences of a page answer a question.

Yang, Yih & Meek, "WikiQA: A Challenge Dataset for Open-Domain Question Answering", EMNLP 2015.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from netsmith.data._judged import twin_collection
from netsmith.data._matching import MatchingFields, MatchingSource, divided, questions_of
from netsmith.data.wikiqa import Part, wikiqa

__all__ = ["WikiQaRanking"]

_TWIN = 200  # questions


class WikiQaRanking(MatchingSource):
    """Rank the sentences of a question's page; one question in ten has several that answer it.

    As in papers, questions without an answer are left out: 873 stay for training (857 of them have a sentence that does
    not answer, too), 126 for dev, 243 for test. What can be learned without judgments is learned from the sentences of
    all 2,118 questions of the training part.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(MatchingFields):
        """The official files, from ``$NETSMITH_DATA/wikiqa``, the cache, or the network.

        Attributes:
            max_length: Longest sentence, in words.
        """

        max_length: Annotated[int, Field(gt=0, le=100_000)] = 60

    def __init__(self, config: Config) -> None:
        if config.twin:
            whole = twin_collection("wikiqa", closed=True, count=_TWIN)
            queries = questions_of(whole)
            parts = divided(queries, [one.name for one in queries], dev=0.2, test=0.2, seed=0)
            collections = {"train": whole}
        else:
            collections = {part: wikiqa(part) for part in get_args(Part)}
            parts = {part: questions_of(found) for part, found in collections.items()}
        super().__init__(
            config,
            dataset="wikiqa",
            documents={name: one.text for found in collections.values() for name, one in found.documents.items()},
            known=list(collections["train"].documents),
            questions=parts,
            made=dict.fromkeys(parts, "official, answered questions"),
            seeds=dict.fromkeys(parts, 0),
        )
