"""TextRank: keywords and summaries of a text by the PageRank of its words and sentences (Mihalcea & Tarau 2004)."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np

from netsmith.core.errors import DataError
from netsmith.layers.page_rank import page_rank

__all__ = ["MOST_SENTENCES", "sentence_similarity", "text_rank_keywords", "text_rank_sentences"]

MOST_SENTENCES = 10_000
"""What a summary is made of at most: sentences are compared in pairs."""


def _ranked(weights: dict[tuple[int, int], float], size: int) -> np.ndarray:
    """Return the PageRank of the nodes of an undirected graph."""
    ends = np.array(list(weights), dtype=np.int64).reshape(-1, 2)
    values = np.array(list(weights.values()), dtype=np.float64)
    rows, columns = np.concatenate([ends, ends[:, ::-1]]).T
    return page_rank(rows, columns, np.concatenate([values, values]), size=size)


def text_rank_keywords(
    texts: Iterable[Sequence[str]], *, count: int = 10, window: int = 2, skip: Collection[str] = (), join: str = " "
) -> list[tuple[str, float]]:
    """Return the keywords of a text: words that many words stand beside, which many words stand beside.

    Words within ``window`` of each other are joined by an edge, once for each time. A third of the words at most, at
    least ``count``, are candidates for phrases: those that stand next to each other in the text become one, with the
    sum of their ranks (so far the paper, whose words are nouns and adjectives by a tagger: here ``skip`` is left out).

    Args:
        texts: The tokens of the text, sentence by sentence.
        count: How many keywords.
        window: Tokens that see each other, the word itself among them (the paper: 2 to 10).
        skip: Words that carry no topic.
        join: What stands between the words of a phrase.

    Returns:
        Keywords with their ranks, best first; of equal ones the earlier.
    """
    kept = [[token if _is_word(token, skip) else "" for token in tokens] for tokens in texts]
    numbers = {word: n for n, word in enumerate(dict.fromkeys(token for tokens in kept for token in tokens if token))}
    weights: dict[tuple[int, int], float] = collections.defaultdict(float)
    for tokens in kept:
        for place, token in enumerate(tokens):
            for other in tokens[place + 1 : place + window]:
                if token and other and token != other:
                    a, b = sorted((numbers[token], numbers[other]))
                    weights[a, b] += 1
    if not numbers:
        return []
    ranks = dict(zip(numbers, _ranked(weights, len(numbers)).tolist(), strict=True))
    best = set(sorted(ranks, key=lambda word: -ranks[word])[: max(count, len(ranks) // 3)])
    phrases: dict[str, float] = {}
    for tokens in kept:
        for inside, run in itertools.groupby(tokens, key=best.__contains__):
            parts = list(run)
            if inside:
                phrases.setdefault(join.join(parts), sum(ranks[part] for part in dict.fromkeys(parts)))
    return sorted(phrases.items(), key=lambda item: -item[1])[:count]


def text_rank_sentences(sentences: Sequence[Sequence[str]], *, skip: Collection[str] = ()) -> np.ndarray:
    """Return the PageRank of each sentence in the graph of their similarities; the best ones are a summary.

    Args:
        sentences: Their tokens.
        skip: Words that carry no topic.

    Raises:
        DataError: More than 10,000 sentences: their pairs are too many.
    """
    if len(sentences) > MOST_SENTENCES:
        raise DataError(f"has more than {MOST_SENTENCES} sentences, which have too many pairs; cut it")
    kept = [[token for token in tokens if _is_word(token, skip)] for tokens in sentences]
    holders: dict[str, list[int]] = collections.defaultdict(list)
    for place, tokens in enumerate(kept):
        for word in dict.fromkeys(tokens):
            holders[word].append(place)
    shared: dict[tuple[int, int], float] = collections.defaultdict(float)
    for places in holders.values():
        for pair in itertools.combinations(places, 2):
            shared[pair] += 1
    sizes = [math.log(len(tokens)) if tokens else 0.0 for tokens in kept]
    weights = {(a, b): n / (sizes[a] + sizes[b]) for (a, b), n in shared.items() if sizes[a] + sizes[b] > 0}
    return _ranked(weights, len(kept))


def sentence_similarity(first: Sequence[str], second: Sequence[str]) -> float:
    r"""Return the paper's similarity, :math:`|A \cap B| / (\log |A| + \log |B|)`; 0 of two single words.

    Example:
        >>> round(sentence_similarity("the storm came ashore".split(), "a storm ashore".split()), 4)
        0.8049
    """
    size = sum(math.log(len(tokens)) if tokens else 0.0 for tokens in (first, second))
    return len(set(first) & set(second)) / size if size > 0 else 0.0


def _is_word(token: str, skip: Collection[str]) -> bool:
    return token not in skip and any(sign.isalpha() for sign in token)
