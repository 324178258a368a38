"""Keywords by tf-idf (Sparck Jones 1972): words that are frequent here and rare elsewhere; free of torch."""

from __future__ import annotations

import collections
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["document_counts", "tf_idf_keywords"]


def document_counts(documents: Iterable[Sequence[str]]) -> tuple[collections.Counter[str], int]:
    """Return in how many documents each word comes, and how many there are; they are read once, as a stream."""
    found: collections.Counter[str] = collections.Counter()
    total = 0
    for tokens in documents:
        found.update(set(tokens))
        total += 1
    return found, total


def tf_idf_keywords(
    tokens: Sequence[str], *, documents: Mapping[str, int], total: int, count: int = 10, skip: Collection[str] = ()
) -> list[tuple[str, float]]:
    r"""Return the words of a document with the largest share of it times their rarity elsewhere.

    .. math:: \frac{n_w}{\sum_v n_v} \left( \ln \frac{1 + N}{1 + N_w} + 1 \right)

    Args:
        tokens: The document, in lower case.
        documents: In how many documents each word comes, N_w.
        total: How many documents there are, N; of one alone the words' counts decide.
        count: How many keywords.
        skip: Words that carry no topic.

    Returns:
        Keywords with their scores, best first; of equal ones the earlier.

    Example:
        >>> tf_idf_keywords("the cat saw the cat".split(), documents={"the": 9, "saw": 5, "cat": 1}, total=9, count=2)
        [('cat', 1.0437751649736402), ('the', 0.4)]
    """
    counts = collections.Counter(
        token for token in tokens if token not in skip and any(sign.isalpha() for sign in token)
    )
    size = sum(counts.values())
    scored = [
        (word, n / size * (math.log((1 + total) / (1 + documents.get(word, 0))) + 1)) for word, n in counts.items()
    ]
    return sorted(scored, key=lambda item: -item[1])[:count]
