"""The words of sentence pairs that belong together: IBM models in both directions, made into one alignment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netsmith.models.translation.ibm_model1 import ibm_model1, viterbi
from netsmith.models.translation.ibm_model2 import ibm_model2
from netsmith.models.translation.phrase_extraction import Points
from netsmith.models.translation.symmetrization import Rule, symmetrize
from netsmith.models.translation.word_links import Sentences, word_links

__all__ = ["Aligned", "align_words"]


class Aligned(NamedTuple):
    """The alignment of sentence pairs, and how it was learned.

    Attributes:
        points: The alignment.
        forward: log P(source | target) at the start, after each iteration of model 1 and after each of model 2, in
            nats; the second model's start is the first one's end.
        backward: log P(target | source) likewise.
    """

    points: Points
    forward: tuple[float, ...]
    backward: tuple[float, ...]


def align_words(
    source: Sentences,
    target: Sentences,
    *,
    iterations: tuple[int, int] = (5, 5),
    rule: Rule = "grow_diag_final_and",
    null: bool = True,
) -> Aligned:
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
        >>> align_words(source, sentences([[8, 7], [9, 7], [9, 6]])).points
        Points(source=array([0, 1, 2, 3, 4, 5]), target=array([1, 0, 3, 2, 5, 4]))
    """
    chosen, forward = _chosen(target, source, iterations, null=null)
    other, backward = _chosen(source, target, iterations, null=null)
    points: list[tuple[int, int]] = []
    for f, m, e, l in zip(  # noqa: E741
        source.starts.tolist(), source.lengths.tolist(), target.starts.tolist(), target.lengths.tolist(), strict=True
    ):
        from_source = {(f + i, e + j - 1) for i, j in enumerate(chosen[f : f + m]) if j}
        from_target = {(f + i - 1, e + j) for j, i in enumerate(other[e : e + l]) if i}
        points += sorted(symmetrize(from_source, from_target, rule))
    table = np.array(points, dtype=np.int64).reshape(-1, 2)
    return Aligned(Points(table[:, 0], table[:, 1]), forward, backward)


def _chosen(
    given: Sentences, made: Sentences, iterations: tuple[int, int], *, null: bool
) -> tuple[list[int], tuple[float, ...]]:
    """Return for each made word the place of its given one, from 1, 0 for the empty word; and the likelihoods."""
    links = word_links(given, made, null=null)
    first = ibm_model1(links, iterations=iterations[0])
    second = ibm_model2(links, first, iterations=iterations[1])
    return viterbi(links, second).tolist(), (*first.likelihoods, *second.likelihoods[1:])
