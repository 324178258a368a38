"""Co-occurrences, their information and its singular vectors against slow computations and numpy."""

import collections
import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.source import Source
from netsmith.layers.collection import CollectionCounts, WordVectors
from netsmith.layers.initializers.collection import Collection
from netsmith.layers.ppmi import cooccurrences, ppmi_vectors, shifted_ppmi, truncated_svd


def drawn(count=30, size=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 15, (count,), generator=generator).tolist()
    return [torch.randint(0, size, (length,), generator=generator) for length in lengths]


@pytest.mark.parametrize("window", [1, 3, 20])
def test_pairs_are_counted_within_a_text_and_a_window(window):
    texts = drawn()
    wanted = np.zeros((12, 12))
    for text in texts:
        for i, a in enumerate(text.tolist()):
            for j, b in enumerate(text.tolist()):
                if i != j and abs(i - j) <= window and a and b:
                    wanted[a, b] += 1
    assert cooccurrences(texts, size=12, window=window).to_dense().numpy().tolist() == wanted.tolist()
    assert cooccurrences([], size=3).to_dense().sum() == 0
    with pytest.raises(ConfigError, match="window=0"):
        cooccurrences(texts, size=12, window=0)


@pytest.mark.parametrize(("negatives", "smoothing"), [(1.0, 1.0), (1.0, 0.75), (3.0, 0.75), (0.5, 1.0)])
def test_information_is_its_formula(negatives, smoothing):
    counts = cooccurrences(drawn(), size=12, window=2)
    dense = counts.to_dense().tolist()
    words = [sum(row) for row in dense]
    powers = [count**smoothing if count else 0.0 for count in words]
    found = shifted_ppmi(counts, negatives=negatives, smoothing=smoothing).to_dense().tolist()
    for w in range(12):
        for c in range(12):
            value = 0.0
            if dense[w][c]:
                value = max(0.0, math.log(dense[w][c] / (words[w] * powers[c] / sum(powers))) - math.log(negatives))
            assert found[w][c] == pytest.approx(value, abs=1e-12)
    with pytest.raises(ConfigError, match="negatives=0"):
        shifted_ppmi(counts, negatives=0)


def test_singular_vectors_are_numpys():
    generator = torch.Generator().manual_seed(1)
    left, right = (
        torch.linalg.qr(torch.randn(size, 20, generator=generator, dtype=torch.float64))[0] for size in (40, 30)
    )
    matrix = (left * 0.7 ** torch.arange(20)) @ right.T
    u, s, v = truncated_svd(matrix.to_sparse(), 6, generator=generator)
    nu, ns, nv = np.linalg.svd(matrix.numpy())
    assert s.numpy() == pytest.approx(ns[:6], rel=1e-10)
    assert (u.abs().numpy(), v.abs().numpy()) == (
        pytest.approx(np.abs(nu[:, :6]), abs=1e-7),
        pytest.approx(np.abs(nv[:6].T), abs=1e-7),
    )
    assert ((u * s) @ v.T).numpy() == pytest.approx(nu[:, :6] * ns[:6] @ nv[:6], abs=1e-7)
    assert (u.gather(0, u.abs().argmax(0, keepdim=True)) > 0).all()
    assert truncated_svd(torch.diag(torch.tensor([2.0, 0, 0], dtype=torch.float64)), 3)[1].tolist() == [2, 0, 0]
    for rank in (0, 31):
        with pytest.raises(ConfigError, match=f"rank={rank}; expected 1..30"):
            truncated_svd(matrix, rank)


def test_words_of_like_contexts_are_near_and_the_vectors_repeat():
    generator = torch.Generator().manual_seed(0)
    # words 2 to 5 stand beside 10 to 13, words 6 to 9 beside 14 to 17; never beside each other
    texts = []
    for topic in torch.randint(0, 2, (400,), generator=generator).tolist():
        a, b, c = torch.randint(0, 4, (3,), generator=generator).tolist()
        texts.append(torch.tensor([10 + 4 * topic + b, 2 + 4 * topic + a, 10 + 4 * topic + c]))
    made = [ppmi_vectors(texts, size=20, dim=4, window=2, generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*made)
    vectors = torch.nn.functional.normalize(made[0], dim=1)
    near = vectors @ vectors.T
    assert near[2:6, 2:6].min() > 0.9 > 0.2 > near[2:6, 6:10].max()
    assert not made[0][[0, 1, 18, 19]].any()


def test_vectors_and_counts_of_a_collection_lie_in_the_layers():
    texts = drawn()
    layer = WordVectors(12, 3, learned=False)
    before = layer.weight.clone()
    given = ppmi_vectors(texts[:2], size=12, dim=3)
    layer.take(given)
    has = given.norm(dim=1) > 1e-9
    assert has.any()
    assert torch.equal(layer.weight[~has], before[~has])
    assert layer.weight[has].norm(dim=1).mean() == pytest.approx(1, rel=1e-5)
    assert not layer.weight[0].any()
    (unit,) = layer.unit(torch.arange(12))
    assert unit[1:].norm(dim=1).tolist() == pytest.approx([1] * 11, rel=1e-5)
    learned = WordVectors(12, 3, learned=True)
    with torch.no_grad():
        learned.weight.fill_(1)
    assert not learned(torch.tensor([0])).any()
    counts = CollectionCounts(12)
    with pytest.raises(ConfigError, match="were not counted; set initialize"):
        counts(torch.tensor([1]))
    counts.count(texts)
    having = collections.Counter(word for text in texts for word in set(text.tolist()))
    wanted = [math.log(1 + (30 - having[word] + 0.5) / (having[word] + 0.5)) for word in range(12)]
    assert counts(torch.arange(12)).tolist() == pytest.approx([0, *wanted[1:]], rel=1e-6)
    assert float(counts.mean_length) == pytest.approx(sum(map(len, texts)) / 30)


class Nothing(Source):
    spec = Spec(dataset="pictures", inputs=Inputs(kind="image", shape=(1, 2, 2)), outputs=Outputs(kind="none"))

    def order(self, split, *, seed, epoch):
        return []

    def load(self, split, indices, *, key=None):
        raise AssertionError


class Texts(Nothing):
    def collection(self):
        return iter(drawn(size=12))


def test_an_initializer_puts_in_what_a_collection_says():
    initializer = Collection.Config(window=2, power=0.0).build()
    network = torch.nn.Sequential(WordVectors(12, 3, learned=True), CollectionCounts(12))
    with pytest.raises(ConfigError, match="there is no text to learn from"):
        initializer(network)
    with pytest.raises(ConfigError, match="pictures is no collection of texts"):
        initializer.prepare(Nothing())
    initializer.prepare(Texts())
    given = initializer(network)
    assert given == ["0.weight", "1.idf", "1.mean_length", "1.documents"]
    wanted = ppmi_vectors(
        drawn(size=12), size=12, dim=3, window=2, power=0.0, generator=torch.Generator().manual_seed(0)
    )
    cosines = torch.nn.functional.cosine_similarity(network[0].weight.detach().double(), wanted, dim=1)
    assert cosines[1:].tolist() == pytest.approx([1] * 11, abs=1e-5)
    assert float(network[1].documents) == 30
    with pytest.raises(ConfigError, match="no word vectors and no counts"):
        initializer(torch.nn.Linear(2, 2))


def test_more_numbers_than_words_are_refused_by_the_settings_name():
    with pytest.raises(ConfigError, match=r"50 numbers for 12 words; set method\.model\.embedding_size=12"):
        ppmi_vectors([torch.tensor([2, 3])], size=12, dim=50)
