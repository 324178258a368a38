"""IBM model 2: model 1 that also learns which places go together (Brown et al. 1993, section 4.2)."""

from __future__ import annotations

from netsmith.models.translation.ibm_model1 import WordModel, em
from netsmith.models.translation.word_links import Links

__all__ = ["ibm_model2"]


def ibm_model2(links: Links, start: WordModel, *, iterations: int = 5) -> WordModel:
    r"""Learn t(f | e) and a(i | j, l, m), the probability that the made word j of m comes from the given word i of l.

    .. math::
        P(f, a \mid e) &= \prod_{j=1}^m a(a_j \mid j, l, m)\, t(f_j \mid e_{a_j}) \\
        p(i \mid j, f, e) &= \frac{a(i \mid j, l, m)\, t(f_j \mid e_i)}
                                  {\sum_{i'} a(i' \mid j, l, m)\, t(f_j \mid e_{i'})}

    c(f | e) and c(i | j, l, m) are sums of the second over all sentence pairs, t and a their shares. The likelihood has
    many maxima, so it starts from what model 1 learned. Paper: Brown et al. 1993, Computational Linguistics 19(2).

    Args:
        links: The links of the sentence pairs.
        start: What model 1 learned from them.
        iterations: Of EM.

    Raises:
        ConfigError: A negative number of iterations.

    Example:
        >>> from netsmith.models.translation.ibm_model1 import ibm_model1, viterbi
        >>> from netsmith.models.translation.word_links import sentences, word_links
        >>> links = word_links(sentences([[1, 2], [1, 3], [4, 3]]), sentences([[2, 1], [3, 1], [3, 4]]))
        >>> viterbi(links, ibm_model2(links, ibm_model1(links))).tolist()
        [2, 1, 2, 1, 2, 1]
    """
    return em(links, start, iterations=iterations, places=True)
