"""Which characters rhyme, learned from the poems themselves: those that end the rhyming lines of a poem together."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["rhyme_classes"]


def rhyme_classes(endings: Sequence[Sequence[str]], *, least: int = 2, fine: float = 3.0) -> dict[str, int]:
    r"""Return the rhyme class of each character that rhymes often enough.

    No table of the sounds of Tang Chinese is needed: characters are the nodes of a graph, joined as often as they
    rhyme, and classes are the communities in it of the largest modularity that joining two at a time finds (Clauset,
    Newman & Moore 2004, arXiv:cond-mat/0408187):

    .. math:: Q = \sum_c \left( \frac{w_c}{W} - \gamma \left(\frac{d_c}{2 W}\right)^2 \right)

    with W the weight of all edges, w_c that of those within a class, d_c what the degrees of its nodes add up to. Poems
    that do not rhyme, or rhyme loosely, are noise that this bears.

    Args:
        endings: Characters that rhyme with each other, poem by poem.
        least: In how many pairs a character must stand.
        fine: gamma (Reichardt & Bornholdt 2006, arXiv:cond-mat/0603718): above 1 there are more classes.

    Returns:
        Classes are numbered from 1, the one whose characters stand in most pairs first.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for ends in endings:
        pairs.update((a, b) if a < b else (b, a) for a, b in itertools.combinations(dict.fromkeys(ends), 2))
    degree: Counter[str] = Counter()
    for pair, weight in pairs.items():
        degree.update(dict.fromkeys(pair, weight))
    names = sorted(name for name, count in degree.items() if count >= least)
    number = {name: place for place, name in enumerate(names)}
    edges = np.zeros((len(names), len(names)))
    for (a, b), weight in pairs.items():
        if a in number and b in number:
            edges[number[a], number[b]] = edges[number[b], number[a]] = weight
    return _named(names, _communities(edges, fine), degree)


def _communities(edges: np.ndarray, fine: float) -> np.ndarray:
    """Return the community of each node, ``(N,)``: two at a time are joined as long as the modularity rises."""
    owner = np.arange(len(edges))
    total = edges.sum()  # 2 W
    if not total:
        return owner
    shares = edges / total
    ends = shares.sum(1)
    gain = np.where(shares > 0, shares - fine * np.outer(ends, ends), 0.0)  # half of what joining two adds to Q
    np.fill_diagonal(gain, 0.0)
    best, where = gain.max(1), gain.argmax(1)
    while best.max(initial=0.0) > 1e-15:
        a = int(best.argmax())
        b = int(where[a])
        shares[a] += shares[b]
        shares[:, a] += shares[:, b]
        shares[b] = shares[:, b] = 0.0
        shares[a, a] = 0.0
        ends[a] += ends[b]
        ends[b] = 0.0
        owner[owner == b] = a
        row = np.where(shares[a] > 0, shares[a] - fine * ends[a] * ends, 0.0)
        gain[a] = gain[:, a] = row
        gain[b] = gain[:, b] = 0.0
        best[b] = 0.0
        stale = np.flatnonzero((where == a) | (where == b))  # their best may be another now
        best[stale], where[stale] = gain[stale].max(1), gain[stale].argmax(1)
        better = row > best
        best[better], where[better] = row[better], a
        best[a], where[a] = row.max(), row.argmax()
    return owner


def _named(names: Sequence[str], owner: np.ndarray, degree: Mapping[str, int]) -> dict[str, int]:
    """Return the classes by name, numbered from 1 by weight."""
    weight: Counter[int] = Counter()
    for name, of in zip(names, owner.tolist(), strict=True):
        weight[of] += degree[name]
    ranked = {of: rank for rank, (of, _) in enumerate(sorted(weight.items(), key=lambda i: (-i[1], i[0])), start=1)}
    return {name: ranked[of] for name, of in zip(names, owner.tolist(), strict=True)}
