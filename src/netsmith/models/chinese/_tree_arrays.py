"""The tree of a dictionary as arrays, for compiled code."""

from __future__ import annotations

from collections.abc import Collection
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsmith.models.chinese._blocks import BLOCK
from netsmith.models.chinese._prefix_dictionary import PrefixDictionary

__all__ = ["TreeArrays", "tree_arrays"]


class TreeArrays(NamedTuple):
    """Nodes are numbered level by level; the children of one stand side by side, sorted by character.

    Attributes:
        roots: Code point -> node of the first level, or -1; ``(65536,)``.
        first: Where a node's children begin; the next entry: where they end. ``(nodes + 1,)``
        codes: A node's own character. ``(nodes,)``
        weights: The logarithm of a word's count; minus infinity where a node is no word. ``(nodes,)``
        forced: Whether a word was deleted. ``(nodes,)``, or empty where none was.
    """

    roots: NDArray[np.int32]
    first: NDArray[np.int32]
    codes: NDArray[np.int32]
    weights: NDArray[np.float64]
    forced: NDArray[np.bool_]


def tree_arrays(dictionary: PrefixDictionary, forced: Collection[str] = ()) -> TreeArrays:
    """Return the arrays of a dictionary's words; those that no stretch of letters can hold are left out."""
    words = sorted(word for word in dictionary.counts if BLOCK.fullmatch(word))
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    text = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32).astype(np.int32)
    places = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    weight = np.array([log(count) if (count := dictionary.counts[word]) else -np.inf for word in words])
    marked = np.array([word in forced for word in words], dtype=bool)

    same = np.zeros(len(words), dtype=bool)  # whether a word agrees with the one before it, up to this level
    same[1:] = True
    number = np.full(len(words), -1)
    rows = np.arange(len(words))
    codes, parents, ends = [], [], []  # of each level
    nodes = level = 0
    while len(rows):
        own = text[places[rows] + level]
        before = rows - 1
        agree = same[rows] & (lengths[before] > level)
        agree[agree] = text[places[before[agree]] + level] == own[agree]
        same[rows] = agree
        parents.append(number[rows][~agree])
        number[rows] = nodes + np.cumsum(~agree) - 1
        codes.append(own[~agree])
        nodes += len(codes[-1])
        last = lengths[rows] == level + 1
        ends.append((number[rows[last]], rows[last]))
        rows = rows[~last]
        level += 1
    parent = np.concatenate(parents)  # ascending
    weights, gone = np.full(nodes, -np.inf), np.zeros(nodes, dtype=bool)
    for at, row in ends:
        weights[at], gone[at] = weight[row], marked[row]
    first = np.searchsorted(parent, np.arange(nodes + 1))
    roots = np.full(65536, -1, dtype=np.int32)
    top = np.concatenate(codes)[: int((parent < 0).sum())]
    roots[top] = np.arange(len(top))
    return TreeArrays(
        roots, first.astype(np.int32), np.concatenate(codes).astype(np.int32), weights, gone if forced else gone[:0]
    )
