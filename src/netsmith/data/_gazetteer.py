"""A gazetteer learned from training: which kind of name each token is marked as."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from netsmith.core.spec import TokenFeature

__all__ = ["gazetteer", "kind_of"]


def kind_of(tag: str) -> str:
    """Return the kind of name that a tag marks, without its role in the sentence; ``""`` for none.

    Example:
        >>> kind_of("B-fromloc.city_name"), kind_of("I-airline_name"), kind_of("O")
        ('city_name', 'airline_name', '')
    """
    return tag.partition("-")[2].rpartition(".")[2]


def gazetteer(
    sentences: Sequence[Sequence[str]], kinds: Sequence[Sequence[str]], *, least: int, length: int
) -> tuple[TokenFeature, list[list[int]]]:
    """Return which kind of name each token is, and what a learner sees of it in each sentence of training.

    A token is of the kind that most sentences mark it as (of equal ones the first by letter), if at least ``least`` do;
    how often it is no name plays no part. In a sentence of training, that sentence itself does not count, so that its
    own tags say nothing for themselves there.

    Args:
        sentences: The tokens of each sentence of training.
        kinds: The kind of name that each is marked as, ``""`` for none.
        least: In how many sentences.
        length: Tokens of a sentence; what comes behind is left out of the numbers.

    Returns:
        The feature, and its numbers in each sentence, as many as ``length``, padded with 0.

    Example:
        >>> said = [["to", "boston"], ["from", "boston"], ["boston", "now"], ["to", "rome"]]
        >>> feature, seen = gazetteer(said, [["", "city"], ["", "city"], ["", ""], ["", "city"]], least=2, length=2)
        >>> feature.values, feature.tokens
        (('city',), (('boston',),))
        >>> seen  # one other sentence is not enough, two are
        [[0, 0], [0, 0], [1, 0], [0, 0]]
    """
    marks = [set(zip(*pair, strict=True)) for pair in zip(sentences, kinds, strict=True)]
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for token, kind in (mark for of in marks for mark in of):
        if kind:
            counts[token][kind] += 1
    values = tuple(sorted({kind for of in counts.values() for kind in of}))
    numbers = {kind: number for number, kind in enumerate(values, start=1)}

    def told(token: str, own: set[tuple[str, str]]) -> int:
        others = {kind: count - ((token, kind) in own) for kind, count in counts[token].items()}
        best = min(others, key=lambda kind: (-others[kind], kind), default="")
        return numbers[best] if best and others[best] >= least else 0

    found: list[list[str]] = [[] for _ in values]
    for token in sorted(counts):
        if number := told(token, set()):
            found[number - 1].append(token)
    seen = []
    for tokens, own in zip(sentences, marks, strict=True):
        row = [told(token, own) if token in counts else 0 for token in tokens[:length]]
        seen.append(row + [0] * (length - len(row)))
    return TokenFeature(name="entity", values=values, tokens=tuple(map(tuple, found))), seen
