"""IBM model 1: which word makes which, learned from sentence pairs alone by EM (Brown et al. 1993, section 4.1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netsmith.core.errors import ConfigError
from netsmith.models.translation.word_links import Links, expected

__all__ = ["WordModel", "ibm_model1", "viterbi"]


class WordModel(NamedTuple):
    """What EM learned about the links it was given.

    Attributes:
        t: ``(P,)``, t(f | e) of each pair of words that share a sentence pair.
        a: ``(A,)``, a(i | j, l, m) of each place.
        likelihoods: log P(f | e) of all sentences at the start and after each iteration, in nats.
    """

    t: np.ndarray
    a: np.ndarray
    likelihoods: tuple[float, ...]


def ibm_model1(links: Links, *, iterations: int = 5) -> WordModel:
    r"""Learn t(f | e) by expectation maximization; each given word is chosen with the same probability.

    With l given words, the empty one as the word 0, and m made ones (lengths themselves cost nothing here),

    .. math::
        P(f, a \mid e) &= \frac{1}{(l + 1)^m} \prod_{j=1}^m t(f_j \mid e_{a_j}) \\
        c(f \mid e) &= \sum_{\text{pairs}} \sum_{j: f_j = f}\, \sum_{i: e_i = e}
                       \frac{t(f_j \mid e_i)}{\sum_{i'} t(f_j \mid e_{i'})} \\
        t(f \mid e) &= c(f \mid e) \Big/ \sum_{f'} c(f' \mid e)

    The log-likelihood is concave: from any start with no zero EM climbs to its one maximum, and never falls. Paper:
    Brown, Della Pietra, Della Pietra & Mercer 1993, Computational Linguistics 19(2).

    Args:
        links: The links of the sentence pairs.
        iterations: Of EM, from all made words alike.

    Raises:
        ConfigError: A negative number of iterations.

    Example:
        das Haus = the house, das Buch = the book, ein Buch = a book (Koehn 2010, section 4.2):

        >>> from netsmith.models.translation.word_links import sentences, word_links
        >>> links = word_links(sentences([[1, 2], [1, 3], [4, 3]]), sentences([[1, 2], [1, 3], [4, 3]]), null=False)
        >>> [f"{ibm_model1(links, iterations=n).t[0]:.4f}" for n in range(4)]
        ['0.2500', '0.5000', '0.6364', '0.7479']
    """
    t = np.full(len(links.given), 1 / len(np.unique(links.made)))
    choices = np.bincount(links.group)
    a = 1 / choices[links.group]  # (A,)
    return em(links, WordModel(t, a, ()), iterations=iterations, places=False)


def em(links: Links, start: WordModel, *, iterations: int, places: bool) -> WordModel:
    """Improve a word model; the places too, or the words alone."""
    if iterations < 0:
        raise ConfigError(f"iterations={iterations}; expected 0 or more")
    t, a = start.t, start.a
    likelihoods: list[float] = []
    for _ in range(iterations):
        share, likelihood = expected(links, t[links.pair] * a[links.place])  # (N,), the E step
        likelihoods.append(likelihood)
        t = _shares(np.bincount(links.pair, share, len(t)), links.given)
        if places:
            a = _shares(np.bincount(links.place, share, len(a)), links.group)
    _, likelihood = expected(links, t[links.pair] * a[links.place])
    return WordModel(t, a, (*likelihoods, likelihood))


def viterbi(links: Links, model: WordModel) -> np.ndarray:
    """Return the likeliest alignment: for each made word the place of its given word, 0 for the empty one.

    Each made word chooses for itself, so the best alignment is the best choice of each; of equals the first counts.

    Returns:
        ``(J,)`` int64, made words counted through all sentences.
    """
    weights = model.t[links.pair] * model.a[links.place]
    best = np.flatnonzero(weights == np.maximum.reduceat(weights, links.starts)[links.owner])
    _, first = np.unique(links.owner[best], return_index=True)
    return links.at[best[first]]


def _shares(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return each count divided by the sum of those of the same group."""
    sums = np.bincount(of, counts)[of]
    return np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)
