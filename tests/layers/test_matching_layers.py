"""Letter n-grams, matching histograms and kernels against their definitions."""

import collections
import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.layers.kernel_pooling import kernel_centers, kernel_pooling
from netsmith.layers.letter_ngrams import LetterNgrams, letter_ngrams, ngram_collisions
from netsmith.layers.matching_histogram import matching_histogram

WORDS = ("<pad>", "<unk>", "good", "banana", "a", "ananab", "nab")


def test_the_papers_word():
    assert letter_ngrams("good") == ["#go", "goo", "ood", "od#"]
    assert letter_ngrams("good", size=2) == ["#g", "go", "oo", "od", "d#"]
    assert letter_ngrams("", size=3) == ["##"]
    assert letter_ngrams("好", size=3) == ["#好#"]
    with pytest.raises(ConfigError, match="expected 1 or more"):
        letter_ngrams("good", size=0)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_layer_counts_what_counting_gives(size):
    layer = LetterNgrams(WORDS, size=size)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, len(WORDS), (20, 6), generator=generator)
    for row, counts in zip(tokens.tolist(), layer(tokens).tolist(), strict=True):
        wanted = collections.Counter(
            gram for number in row if number > 1 for gram in letter_ngrams(WORDS[number], size=size)
        )
        assert counts == [wanted[name] for name in layer.names]
    assert torch.equal(layer(torch.arange(2, len(WORDS))[:, None]), layer.of_words(WORDS[2:]))
    assert not list(layer.parameters())
    assert not layer.state_dict()


def test_a_misspelled_word_lies_near():
    layer = LetterNgrams(WORDS)
    known, misspelled, other = layer.of_words(["banana", "bananna", "good"])
    near = torch.cosine_similarity(known, misspelled, dim=0)
    assert near > 0.8 > torch.cosine_similarity(known, other, dim=0)
    assert layer.of_words(["xyz"]).sum() == 0


def test_collisions_are_the_words_with_equal_bags():
    words = ["abab", "baba", "aabb", "banana", "ananab", "b", "b"]
    assert ngram_collisions(words, size=1) == [("abab", "baba", "aabb"), ("banana", "ananab")]
    assert ngram_collisions(words) == []
    vector = LetterNgrams(("", "", "xabcabx", "xabcabx"), size=2)
    assert vector.of_words(["abcab"]).sum() > 0
    rows = LetterNgrams(("", "", *dict.fromkeys(words)), size=2).of_words(list(dict.fromkeys(words)))
    assert len(rows.unique(dim=0)) == len(rows) - sum(len(one) - 1 for one in ngram_collisions(words, size=2))
    with pytest.raises(ConfigError, match="a word at least"):
        LetterNgrams(("<pad>", "<unk>"))


def test_the_papers_histogram():
    cosines = torch.tensor([1, 0.2, 0.7, 0.3, -0.1, 0.1], dtype=torch.float64)
    counts = matching_histogram(cosines, bins=5, form="count")
    assert counts.tolist() == [0, 1, 3, 1, 1]  # [-1, -.5) [-.5, 0) [0, .5) [.5, 1) [1, 1]
    assert matching_histogram(cosines, bins=5, form="share").tolist() == pytest.approx([0, 1 / 6, 1 / 2, 1 / 6, 1 / 6])
    logs = matching_histogram(cosines, bins=5, form="log_count").tolist()
    assert logs == pytest.approx([0, math.log(2), math.log(4), math.log(2), math.log(2)])
    edges = torch.tensor([-1, -0.5, 0, 0.5, 1 - 1e-3, 1, 1 + 1e-7, -1 - 1e-7], dtype=torch.float64)
    assert matching_histogram(edges, bins=5, form="count").tolist() == [2, 1, 1, 2, 2]


@pytest.mark.parametrize("bins", [2, 5, 30])
def test_histograms_are_numpys_with_exact_matches_apart(bins):
    random = np.random.default_rng(bins)
    cosines = random.uniform(-1, 1, (3, 4, 50))
    cosines[random.random(cosines.shape) < 0.1] = 1
    mask = random.random((3, 1, 50)) < 0.7
    found = matching_histogram(torch.tensor(cosines), torch.tensor(mask), bins=bins, form="count")
    for place in np.ndindex(3, 4):
        kept = cosines[place][mask[place[0], 0]]
        counts, _ = np.histogram(kept[kept < 1], bins=np.linspace(-1, 1, bins))
        assert found[place].tolist() == [*counts, (kept == 1).sum()]
    none = matching_histogram(torch.tensor(cosines), torch.zeros(1, dtype=torch.bool), bins=bins, form="share")
    assert not none.any()
    vectors = torch.nn.functional.normalize(torch.tensor(random.normal(size=(200, 50)), dtype=torch.float32), dim=1)
    assert (matching_histogram((vectors * vectors).sum(1)[:, None], bins=bins, form="count")[:, -1] == 1).all()


def test_wrong_settings_of_histograms_and_kernels():
    for setting in ({"bins": 1}, {"form": "other"}):
        with pytest.raises(ConfigError, match="expected 2 bins or more"):
            matching_histogram(torch.zeros(3), **setting)
    yes = torch.ones(1, 1, dtype=torch.bool)
    for means, widths in (((1.0,), (0.1, 0.1)), ((), ()), ((1.0,), (0.0,))):
        with pytest.raises(ConfigError, match="expected as many, all above 0"):
            kernel_pooling(torch.zeros(1, 1, 1), yes, yes, means=means, widths=widths)
    with pytest.raises(ConfigError, match="expected 2 or more"):
        kernel_centers(1)


def test_kernels_are_their_formula_and_have_its_gradient():
    generator = torch.Generator().manual_seed(0)
    similarities = (2 * torch.rand(2, 3, 4, generator=generator, dtype=torch.float64) - 1).requires_grad_()
    query, document = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool(), torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]).bool()
    means, widths = (0.9, 0.1, -0.6), (0.3, 0.5, 0.4)

    def pooled(values):
        return kernel_pooling(values, query, document, means=means, widths=widths)

    found = pooled(similarities)
    for b in range(2):
        for k, (mean, width) in enumerate(zip(means, widths, strict=True)):
            wanted = sum(
                math.log(
                    sum(
                        math.exp(-((similarities[b, i, j].item() - mean) ** 2) / (2 * width**2))
                        for j in range(4)
                        if document[b, j]
                    )
                )
                for i in range(3)
                if query[b, i]
            )
            assert found[b, k].item() == pytest.approx(wanted, abs=1e-12)
    assert torch.autograd.gradcheck(pooled, similarities)
    pooled(similarities).sum().backward()
    assert not similarities.grad[0, :, 3].any()
    assert not similarities.grad[1, 2].any()


def test_the_papers_kernels():
    means, widths = kernel_centers()
    assert means == (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9)
    assert widths == (0.001, *(0.1,) * 10)
    exact, yes = torch.ones(1, 1, 3), torch.ones(1, 1, dtype=torch.bool)
    pooled = kernel_pooling(exact, yes, yes.expand(1, 3), means=means, widths=widths)
    assert pooled[0, 0].item() == pytest.approx(math.log(3))  # a count of exact matches
    assert pooled.isfinite().all()
