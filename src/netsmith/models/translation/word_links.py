"""Sentence pairs as arrays, and every link a word model may draw between their words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from netsmith.core.errors import DataError

__all__ = ["NULL", "Links", "Sentences", "expected", "sentences", "word_links"]

NULL = 0
"""The number of the empty word, which stands before each given sentence; no other word has it."""


class Sentences(NamedTuple):
    """Sentences one after the other.

    Attributes:
        words: ``(N,)`` int64, positive.
        lengths: ``(S,)`` int64, words of each sentence.
    """

    words: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Return where each sentence begins, ``(S,)``."""
        return np.cumsum(self.lengths) - self.lengths


class Links(NamedTuple):
    """Each word of the made sentences with each word of the given one it may come from.

    The links of one made word stand together, in the order of the given words.

    Attributes:
        starts: ``(J,)``, the first link of each made word.
        owner: ``(N,)``, the made word of each link, counted through all sentences.
        at: ``(N,)``, the place of the given word in its sentence: 0 is the empty word, the first one is 1.
        pair: ``(N,)``, the pair of words, a row of ``given`` and ``made``.
        place: ``(N,)``, which i, j, l and m: the places of both words and the lengths of both sentences.
        given: ``(P,)``, the given word of each pair.
        made: ``(P,)``, the made word of each pair.
        group: ``(A,)``, which j, l and m each place belongs to.
    """

    starts: np.ndarray
    owner: np.ndarray
    at: np.ndarray
    pair: np.ndarray
    place: np.ndarray
    given: np.ndarray
    made: np.ndarray
    group: np.ndarray


def sentences(rows: Iterable[Sequence[int]]) -> Sentences:
    """Put sentences one after the other.

    Args:
        rows: The numbers of each sentence's words, positive.

    Raises:
        DataError: A sentence without words, or a number that is not positive.
    """
    each = [np.asarray(row, dtype=np.int64) for row in rows]
    lengths = np.array([len(row) for row in each], dtype=np.int64)
    if not lengths.all() or not each:
        empty = int(np.argmin(lengths)) + 1 if each else 0
        raise DataError(f"sentence {empty} of {len(each)} has no word; expected at least one sentence, each of words")
    words = np.concatenate(each)
    if words.min() < 1:
        raise DataError(f"word number {words.min()}; expected positive numbers ({NULL} is the empty word)")
    return Sentences(words, lengths)


def word_links(given: Sentences, made: Sentences, *, null: bool = True) -> Links:
    """List every link between the words of sentence pairs.

    Args:
        given: The sentences e that are known.
        made: The sentences f whose probability is asked for, as many.
        null: Whether a made word may come from the empty word.

    Raises:
        DataError: Unequal numbers of sentences.

    Example:
        >>> links = word_links(sentences([[3, 4]]), sentences([[7]]))
        >>> links.at.tolist(), links.given[links.pair].tolist(), links.made[links.pair].tolist()
        ([0, 1, 2], [0, 3, 4], [7, 7, 7])
    """
    if len(given.lengths) != len(made.lengths):
        raise DataError(f"{len(given.lengths)} sentences given and {len(made.lengths)} made; expected pairs")
    width = given.lengths + null  # choices of each made word of a sentence
    sentence = np.repeat(np.arange(len(made.lengths)), made.lengths)  # (J,)
    within = np.arange(len(sentence)) - made.starts[sentence]  # j - 1
    choices = width[sentence]
    starts = np.cumsum(choices) - choices
    owner = np.repeat(np.arange(len(sentence)), choices)  # (N,)
    at = np.arange(len(owner)) - starts[owner] + (not null)
    known = np.where(at > 0, given.words[np.maximum(given.starts[sentence][owner] + at - 1, 0)], NULL)
    size = int(made.words.max()) + 1
    pairs, pair = np.unique(known * size + made.words[owner], return_inverse=True)
    _, first, shape = np.unique(np.stack([given.lengths, made.lengths]), axis=1, return_index=True, return_inverse=True)
    shape = shape.reshape(-1)  # which (l, m) each sentence pair has
    count = made.lengths[first]
    groups = np.cumsum(count) - count  # the first (j, l, m) of each (l, m)
    wide = np.repeat(width[first], count)
    begins = np.cumsum(wide) - wide  # the first (i, j, l, m) of each (j, l, m)
    group = groups[shape][sentence] + within  # (J,)
    return Links(
        starts=starts,
        owner=owner,
        at=at,
        pair=pair,
        place=begins[group][owner] + at - (not null),
        given=pairs // size,
        made=pairs % size,
        group=np.repeat(np.arange(len(wide)), wide),
    )


def expected(links: Links, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the probability of each link given both sentences, and the log-likelihood of the made ones.

    The sum over all alignments is a product of sums, one for each made word, since they choose independently.

    Args:
        links: The links.
        weights: ``(N,)``, the probability that the given word is chosen and makes the made one.
    """
    sums = np.add.reduceat(weights, links.starts)  # (J,)
    return weights / sums[links.owner], float(np.log(sums).sum())
