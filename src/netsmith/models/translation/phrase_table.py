"""A phrase table: each source phrase with its translations and what they cost (Koehn, Och & Marcu 2003)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netsmith.core.errors import ConfigError
from netsmith.models.translation.phrase_extraction import Points, extract_phrases
from netsmith.models.translation.word_links import NULL, Sentences

__all__ = ["FEATURES", "Options", "PhraseTable", "lexical_weights", "phrase_table"]

FEATURES = ("inverse", "inverse_lexical", "direct", "direct_lexical")
"""The columns of a table: the logarithms of p(f | e), p_w(f | e), p(e | f), p_w(e | f); f is the source phrase."""


class Options(NamedTuple):
    """The translations of the phrases of one sentence.

    Attributes:
        start: ``(O,)``, where the source phrase begins, rising.
        length: ``(O,)``, its words.
        row: ``(O,)``, the row of the table.
    """

    start: np.ndarray
    length: np.ndarray
    row: np.ndarray


class PhraseTable(NamedTuple):
    """Source phrases as paths through one sorted array, and the translations of each.

    A word is a phrase of its own number; the phrase of one word more, whose key (number of the phrase before times the
    size of the vocabulary, plus the word) is the k-th of ``keys``, has the number size + k.

    Attributes:
        keys: ``(G,)`` int64, rising.
        begins: ``(size + G + 1,)`` int64, the first translation of each phrase.
        words: ``(Q, longest)`` int64, target words, 0 behind the last one.
        features: ``(Q, 4)`` float64, in the order of :data:`FEATURES`.
    """

    keys: np.ndarray
    begins: np.ndarray
    words: np.ndarray
    features: np.ndarray

    @property
    def size(self) -> int:
        """Return the size of the source vocabulary."""
        return len(self.begins) - 1 - len(self.keys)

    def options(self, sentence: np.ndarray) -> Options:
        """Return the translations of all phrases of a sentence.

        Args:
            sentence: ``(L,)`` int64 source words.
        """
        number, start = sentence.astype(np.int64), np.arange(len(sentence))
        found: list[tuple[np.ndarray, int]] = [(number, 1)]
        starts = [start]
        while len(start) and len(self.keys):
            length = found[-1][1] + 1
            start, number = start[start + length <= len(sentence)], number[start + length <= len(sentence)]
            key = number * self.size + sentence[start + length - 1]
            place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
            known = self.keys[place] == key
            start, number = start[known], self.size + place[known]
            found.append((number, length))
            starts.append(start)
        numbers = np.concatenate([number for number, _ in found])
        lengths = np.concatenate([np.full(len(number), length) for number, length in found])
        first, count = self.begins[numbers], self.begins[numbers + 1] - self.begins[numbers]
        owner = np.repeat(np.arange(len(numbers)), count)
        row = np.arange(len(owner)) - (np.cumsum(count) - count)[owner] + first[owner]
        begin, length = np.concatenate(starts)[owner], lengths[owner]
        order = np.argsort(begin, kind="stable")
        return Options(begin[order], length[order], row[order])


def phrase_table(
    source: Sentences, target: Sentences, points: Points, *, size: int, longest: int = 5, most: int = 20, skip: int = 1
) -> PhraseTable:
    r"""Extract all phrase pairs and weigh them.

    With c(f, e) the number of times that a source phrase f and a target phrase e were extracted together,

    .. math:: \phi(f \mid e) = \frac{c(f, e)}{\sum_{f'} c(f', e)}

    and the same the other way. Of the alignments that a pair was extracted with the lexical weight
    (:func:`lexical_weights`) is the largest. Paper: Koehn, Och & Marcu 2003 (NAACL), sections 3 and 4.3.

    Args:
        source: The source sentences.
        target: The target sentences.
        points: Their alignment.
        size: Size of the source vocabulary: words are below it.
        longest: Most words of a phrase on either side.
        most: Translations that a phrase keeps, those it has most often (ties by lexical weight); probabilities are
            those before the others went.
        skip: A word, the unknown one, whose phrases are left out.
    """
    if most < 1:
        raise ConfigError(f"most={most}; expected at least 1 translation of each phrase")
    spans = extract_phrases(source, target, points, longest=longest)
    f, keys = _numbers(source.words, spans.source, spans.source_length, size)
    e, others = _numbers(target.words, spans.target, spans.target_length, int(target.words.max()) + 1)
    wide = int(target.words.max()) + 1 + len(others)
    pairs, first, inverse, counts = np.unique(f * wide + e, return_index=True, return_inverse=True, return_counts=True)
    f, e = pairs // wide, pairs % wide
    features = np.full((len(pairs), 4), -np.inf)
    features[:, 0] = np.log(counts / np.bincount(e, counts)[e])
    features[:, 2] = np.log(counts / np.bincount(f, counts)[f])
    forward = _sums(lexical_weights(source, target, points), spans.source, spans.source_length)
    backward = _sums(lexical_weights(target, source, Points(*points[::-1])), spans.target, spans.target_length)
    np.maximum.at(features[:, 1], inverse, forward)
    np.maximum.at(features[:, 3], inverse, backward)
    unknown = _sums(source.words == skip, spans.source, spans.source_length)
    unknown += _sums(target.words == skip, spans.target, spans.target_length)
    kept = np.flatnonzero(unknown[first] == 0)
    kept = kept[np.lexsort((-features[kept, 3], -counts[kept], f[kept]))]
    kept = kept[np.arange(len(kept)) - np.searchsorted(f[kept], f[kept]) < most]
    at = first[kept]
    place = np.arange(longest) < spans.target_length[at, None]  # (Q, longest)
    places = np.minimum(spans.target[at, None] + np.arange(longest), len(target.words) - 1)
    return PhraseTable(
        keys=keys,
        begins=np.searchsorted(f[kept], np.arange(size + len(keys) + 1)),
        words=np.where(place, target.words[places], 0),
        features=features[kept],
    )


def lexical_weights(source: Sentences, target: Sentences, points: Points) -> np.ndarray:
    r"""Return the logarithm of what each source word adds to the lexical weight of a phrase it stands in.

    .. math::
        p_w(f \mid e, a) = \prod_i \frac{1}{|\{j : (i, j) \in a\}|} \sum_{j : (i, j) \in a} w(f_i \mid e_j), \qquad
        w(f \mid e) = \frac{c(f, e)}{\sum_{f'} c(f', e)}

    c counts points of the alignment; a word without one has a point with the empty word. As all points of a phrase's
    words lie within it, a factor of the product is the same in whichever phrase the word stands. Paper: Koehn, Och &
    Marcu 2003, section 4.3.

    Args:
        source: The sentences f, of the words that are weighed.
        target: The sentences e.
        points: Their alignment.

    Returns:
        ``(N,)`` float64, at most 0; their sum over a phrase is log p_w.
    """
    alone = np.flatnonzero(np.bincount(points.source, minlength=len(source.words)) == 0)
    at = np.concatenate([points.source, alone])
    given = np.concatenate([target.words[points.target], np.full(len(alone), NULL)])
    size = int(source.words.max()) + 1
    _, inverse, counts = np.unique(given * size + source.words[at], return_inverse=True, return_counts=True)
    w = counts[inverse] / np.bincount(given)[given]
    return np.log(np.bincount(at, w) / np.bincount(at))


def _sums(values: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the sum of the values of each span."""
    sums = np.concatenate([[0], np.cumsum(values)])
    return sums[start + length] - sums[start]


def _numbers(words: np.ndarray, start: np.ndarray, length: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each phrase, and the keys of all phrases of several words and of their beginnings."""
    number = words.copy()  # of the phrase that begins at each word, one word longer in each round
    numbers = number[start]
    keys: list[np.ndarray] = []
    base = size
    for k in range(2, int(length.max(initial=0)) + 1):
        at = np.unique(start[length >= k])
        found, inverse = np.unique(number[at] * size + words[at + k - 1], return_inverse=True)
        number[at] = base + inverse
        numbers = np.where(length == k, number[start], numbers)
        keys.append(found)
        base += len(found)
    return numbers, np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)
