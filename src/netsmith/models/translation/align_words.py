"""The words of sentence pairs that belong together: IBM models in both directions, made into one alignment."""

from __future__ import annotations

import numpy as np

from netsmith.models.translation.ibm_model1 import ibm_model1, viterbi
from netsmith.models.translation.ibm_model2 import ibm_model2
from netsmith.models.translation.phrase_extraction import Points
from netsmith.models.translation.symmetrization import Rule, symmetrize
from netsmith.models.translation.word_links import Sentences, word_links

__all__ = ["align_words", "choose_words"]


def choose_words(given: Sentences, made: Sentences, *, iterations: tuple[int, int], null: bool = True) -> np.ndarray:
    """Return for each made word the place of the given one it comes from, from 1; 0 for the empty word.

    Args:
        given: The sentences that are known.
        made: The sentences that are explained, as many.
        iterations: Of EM for model 1, then for model 2.
        null: Whether a made word may come from the empty word.
    """
    links = word_links(given, made, null=null)
    model = ibm_model2(links, ibm_model1(links, iterations=iterations[0]), iterations=iterations[1])
    return viterbi(links, model)


def align_words(
    source: Sentences,
    target: Sentences,
    *,
    iterations: tuple[int, int] = (5, 5),
    rule: Rule = "grow_diag_final_and",
    null: bool = True,
) -> Points:
    """Align the words of sentence pairs.

    Args:
        source: The source sentences.
        target: The target sentences, as many.
        iterations: Of EM for model 1, then for model 2.
        rule: How the alignments of both directions become one.
        null: Whether a word may come from none.

    Example:
        >>> from netsmith.models.translation.word_links import sentences
        >>> source = sentences([[3, 4], [3, 5], [6, 5]])
        >>> align_words(source, sentences([[8, 7], [9, 7], [9, 6]]))
        Points(source=array([0, 1, 2, 3, 4, 5]), target=array([1, 0, 3, 2, 5, 4]))
    """
    forward = choose_words(target, source, iterations=iterations, null=null).tolist()
    backward = choose_words(source, target, iterations=iterations, null=null).tolist()
    points: list[tuple[int, int]] = []
    for f, m, e, l in zip(  # noqa: E741
        source.starts.tolist(), source.lengths.tolist(), target.starts.tolist(), target.lengths.tolist(), strict=True
    ):
        one = {(f + i, e + j - 1) for i, j in enumerate(forward[f : f + m]) if j}
        other = {(f + i - 1, e + j) for j, i in enumerate(backward[e : e + l]) if i}
        points += sorted(symmetrize(one, other, rule))
    table = np.array(points, dtype=np.int64).reshape(-1, 2)
    return Points(table[:, 0], table[:, 1])
