"""TextRank: keywords and summaries of a text by the PageRank of its words and sentences (Mihalcea & Tarau 2004)."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from netsmith.core.errors import DataError
from netsmith.layers.page_rank import page_rank, ranks_of_walk

__all__ = ["MOST_SENTENCES", "sentence_similarity", "text_rank_keywords", "text_rank_sentences"]

MOST_SENTENCES = 100_000
"""What a summary is made of at most."""
_NEGLIGIBLE = 1e-8  # its square is the relative error of a similarity: below the rounding of float64


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
    ends = np.array(list(weights), dtype=np.int64).reshape(-1, 2)
    rows, columns = np.concatenate([ends, ends[:, ::-1]]).T  # undirected
    values = np.tile(np.array(list(weights.values()), dtype=np.float64), 2)
    ranks = dict(zip(numbers, page_rank(rows, columns, values, size=len(numbers)).tolist(), strict=True))
    best = set(sorted(ranks, key=lambda word: -ranks[word])[: max(count, len(ranks) // 3)])
    phrases: dict[str, float] = {}
    for tokens in kept:
        for inside, run in itertools.groupby(tokens, key=best.__contains__):
            parts = list(run)
            if inside:
                phrases.setdefault(join.join(parts), sum(ranks[part] for part in dict.fromkeys(parts)))
    return sorted(phrases.items(), key=lambda item: -item[1])[:count]


def text_rank_sentences(sentences: Sequence[Sequence[str]], *, skip: Collection[str] = ()) -> np.ndarray:
    r"""Return the PageRank of each sentence in the graph of their similarities; the best ones are a summary.

    No pair of sentences is ever held, so that time and memory grow with the words alone. Of a word-by-sentence matrix
    X (0 and 1) and the sizes :math:`s = \log |A|` the similarities are :math:`X X^T` divided by :math:`s_a + s_b`, and
    that is a sum of few products,

    .. math:: \frac{1}{a + b} = \sum_k f_k(a) f_k(b), \qquad
              f_k(a) = \frac{\sqrt{2 p_k}}{a + p_k} \prod_{j < k} \frac{a - p_j}{a + p_j}

    the Cholesky factors of a Cauchy matrix, whose pivots :math:`p_k` are sizes. What k of them leave over of a
    similarity is the product of both sentences' next factors; it ends where that is below rounding.

    Args:
        sentences: Their tokens.
        skip: Words that carry no topic.

    Raises:
        DataError: More than 100,000 sentences.
    """
    if len(sentences) > MOST_SENTENCES:
        raise DataError(f"has more than {MOST_SENTENCES:,} sentences, too many for a summary; cut it")
    count = len(sentences)
    numbers: dict[str, int] = {}
    sizes, held, words = np.zeros(count), np.zeros(count, dtype=np.int64), []
    for place, tokens in enumerate(sentences):
        kept = [token for token in tokens if _is_word(token, skip)]
        own = dict.fromkeys(kept)
        words += [numbers.setdefault(word, len(numbers)) for word in own]
        sizes[place], held[place] = math.log(len(kept)) if kept else 0.0, len(own)
    rows, columns = np.repeat(np.arange(count), held), np.array(words, dtype=np.int64)  # where X is 1
    shared = np.bincount(columns)[columns] > 1
    rows, columns = rows[shared], columns[shared]

    def summed(values: np.ndarray) -> np.ndarray:  # X X^T values
        each = np.bincount(columns, weights=values[rows])
        return np.bincount(rows, weights=each[columns], minlength=count)

    long = sizes > 0
    inverse = np.divide(1, sizes, out=np.zeros(count), where=long)
    single = (~long).astype(np.float64)  # of one word: alike to longer ones alone
    factors = [*((factor, factor) for factor in _cauchy_factors(sizes)), (inverse, single), (single, inverse)]
    itself = np.bincount(rows, minlength=count) * inverse / 2

    def alike(values: np.ndarray) -> np.ndarray:  # similarities with the others, times values
        return sum((one * summed(other * values) for one, other in factors), -itself * values)

    linked = np.where(long, np.bincount(rows, minlength=count), summed(long.astype(np.float64))) > 0
    share = np.divide(1, alike(np.ones(count)), out=np.zeros(count), where=linked)
    return ranks_of_walk(lambda ranks: alike(share * ranks), alone=~linked)


def _cauchy_factors(sizes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the factors of 1 / (a + b) for the sizes above 0, 0 for the others."""
    rest = (sizes > 0).astype(np.float64)
    while len(rest) and np.abs(rest).max() > _NEGLIGIBLE:
        pivot = sizes[np.abs(rest).argmax()]
        yield rest * math.sqrt(2 * pivot) / (sizes + pivot)
        rest *= (sizes - pivot) / (sizes + pivot)


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
