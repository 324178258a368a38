"""Huffman paths: as short as any prefix code, and a tree; the alias tables draw the distribution they were made of."""

import heapq
import itertools

import numpy as np
import pytest

from netsmith.core.errors import DataError
from netsmith.layers.alias import alias_table
from netsmith.layers.huffman import huffman_paths


def best_total(counts):
    """Return the least total length, over every way of joining two subtrees after another."""

    def search(weights):
        if len(weights) == 1:
            return 0
        least = None
        for i, j in itertools.combinations(range(len(weights)), 2):
            joined = weights[i] + weights[j]
            rest = [w for k, w in enumerate(weights) if k not in (i, j)]
            cost = joined + search(tuple(sorted([*rest, joined])))
            least = cost if least is None else min(least, cost)
        return least

    return search(tuple(counts))


@pytest.mark.parametrize("counts", [(1, 1), (5, 1, 1), (4, 4, 4, 4), (9, 5, 3, 1, 1), (8, 7, 7, 3, 2, 1), (0, 0, 3)])
def test_no_prefix_code_is_shorter(counts):
    lengths = (huffman_paths(counts) != 0).sum(1)
    assert int(lengths @ np.array(counts)) == best_total(counts)


def test_the_ways_are_those_of_one_binary_tree():
    counts = np.random.default_rng(0).integers(1, 1000, 300)
    paths = huffman_paths(counts)
    lengths = (paths != 0).sum(1)
    assert sum(2.0 ** -int(length) for length in lengths) == 1.0  # Kraft: a full binary tree
    sides: dict[int, set[int]] = {}
    for path, length in zip(paths, lengths, strict=True):
        assert (path[:length] != 0).all()
        assert abs(path[0]) == len(counts) - 1  # all begin at the root
        for node in path[:length]:
            sides.setdefault(abs(int(node)), set()).add(int(np.sign(node)))
    assert set(sides) == set(range(1, len(counts)))
    assert all(both == {-1, 1} for both in sides.values())
    assert len({tuple(path) for path in paths.tolist()}) == len(counts)


def test_lengths_are_gensims_and_a_heaps():
    gensim = pytest.importorskip("gensim.models.word2vec")
    counts = sorted(np.random.default_rng(1).zipf(1.3, 500).clip(max=10**6).tolist(), reverse=True)
    ours = (huffman_paths(counts) != 0).sum(1)
    model = gensim.Word2Vec(vector_size=2, hs=1, negative=0, min_count=1)
    model.build_vocab_from_freq({f"w{place}": count for place, count in enumerate(counts)})
    theirs = {word: len(model.wv.get_vecattr(word, "code")) for word in model.wv.index_to_key}
    total = sum(theirs[f"w{place}"] * count for place, count in enumerate(counts))
    assert int(ours @ np.array(counts)) == total  # among equally rare words the lengths may be dealt otherwise
    heap = list(counts)
    heapq.heapify(heap)
    least = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        least += joined
        heapq.heappush(heap, joined)
    assert total == least


def test_a_tree_needs_two_words():
    with pytest.raises(DataError, match="at least two words, got 1"):
        huffman_paths([3])


def test_alias_tables_hold_the_distribution_exactly():
    weights = np.random.default_rng(2).exponential(size=57) ** 3
    chances, others = alias_table(weights)
    shares = chances.copy()
    np.add.at(shares, others, 1 - chances)
    np.testing.assert_allclose(shares / len(weights), weights / weights.sum(), rtol=1e-12, atol=1e-15)
    assert ((chances >= 0) & (chances <= 1)).all()


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [np.nan]])
def test_weights_that_are_no_distribution_are_refused(weights):
    with pytest.raises(DataError, match="a distribution needs weights"):
        alias_table(weights)
