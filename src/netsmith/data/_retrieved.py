"""What a search by words finds for each query: the candidates that a network ranks again."""

from __future__ import annotations

from collections.abc import Mapping

from netsmith.core.spec import Step
from netsmith.data._judged import Collection
from netsmith.layers.bm25 import bm25_scores
from netsmith.layers.inverted_index import InvertedIndex, best
from netsmith.layers.tokenize import tokenize

__all__ = ["bm25_best"]


def bm25_best(
    collection: Collection, step: Step, *, count: int, leave: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the names of BM25's best documents for each query, by the query's name; of equal ones the earlier first.

    Args:
        collection: All of its documents are searched.
        step: How texts are cut into words.
        count: How many documents.
        leave: By query, a document that is to be left out.
    """
    index = InvertedIndex()
    plain = step.derive(letters=0)
    for document in collection.documents.values():
        index.add(tokenize(document.text, plain))
    names = list(collection.documents)
    found = {}
    for query in collection.queries:
        order = [names[at] for at in best(bm25_scores(index, tokenize(query.text, plain)), count=count + 1)]
        found[query.name] = tuple(name for name in order if name != (leave or {}).get(query.name))[:count]
    return found
