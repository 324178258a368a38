"""Search: without a beam the best translation of all, with one a worse one at most."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.language.ngram import Ngram
from netsmith.models.language.ngram_scores import NgramScores
from netsmith.models.translation.stack_decoder import Choices, StackDecoder

V = 9


def language(generator, order):
    lines = [[*generator.integers(3, V, generator.integers(1, 6)), 2] for _ in range(40)]
    model = Ngram.Config(order=order, vocab_size=V, smoothing="plain").build()
    model.fit([torch.tensor([2, *(word for line in lines for word in line)])])
    return model


def drawn(generator, length):
    """Return one or two translations of each word and some of longer phrases, of 0 to 3 words."""
    rows = []
    for start in range(length):
        for size in range(1, min(3, length - start) + 1):
            for _ in range(generator.integers(1, 3) if size == 1 else generator.integers(0, 2)):
                words = generator.integers(3, V, generator.integers(0, 4)).tolist()
                rows.append((start, size, words + [0] * (3 - len(words)), float(2 * generator.normal())))
    return Choices(*map(np.array, zip(*rows, strict=True)))


def best_of_all(model, choices, length, *, weight, distortion, limit):
    """Try every way to cover the words, and every order of it."""
    order = model.config.order

    def log_p(before, word):
        context = torch.tensor([([0] * order + [2] + before)[len(before) + 2 :]])  # the last order - 1 words
        return float(model.probabilities(context)[0, word].log())

    def from_here(covered, end, written):
        if len(covered) == length:
            return weight * log_p(written, 2)
        gap = min(set(range(length)) - covered)
        worths = []
        for start, size, words, score in zip(*(part.tolist() for part in choices), strict=True):
            span = set(range(start, start + size))
            if span & covered or start - gap > limit:
                continue
            new, worth = list(written), score - distortion * abs(start - end)
            for word in filter(None, words):
                worth += weight * log_p(new, word)
                new.append(word)
            worths.append(worth + from_here(covered | span, start + size, new))
        return max(worths)

    return from_here(set(), 0, [])


def test_without_a_beam_nothing_is_better():
    generator = np.random.default_rng(0)
    below = 0
    for trial in range(30):
        order, length, limit = 1 + trial % 4, int(generator.integers(1, 5)), int(generator.integers(0, 4))
        model = language(generator, order)
        choices = drawn(generator, length)
        settings = {"weight": 0.3 + generator.random(), "distortion": generator.random(), "limit": limit}
        expected = best_of_all(model, choices, length, **settings)
        scores = NgramScores(model)
        found, *others = StackDecoder(scores, beam=0, **settings).decode(choices, length, count=5)
        assert sorted([other.score for other in others], reverse=True) == [other.score for other in others]
        assert all(other.score <= found.score for other in others)
        assert found.score == pytest.approx(expected, abs=1e-10)
        covered = sorted(
            place
            for choice in found.chosen
            for place in range(choices.start[choice], (choices.start + choices.length)[choice])
        )
        assert covered == list(range(length))
        assert found.words.tolist() == [word for choice in found.chosen for word in choices.words[choice] if word]
        (narrow,) = StackDecoder(scores, beam=1, **settings).decode(choices, length)
        assert narrow.score <= expected + 1e-10
        below += narrow.score < expected - 1e-10
    assert below  # the search is not too easy to tell


def test_without_a_limit_on_order_a_word_goes_where_the_language_wants_it():
    model = Ngram.Config(order=2, vocab_size=V, smoothing="plain").build()
    model.fit([torch.tensor([2, 3, 4, 5, 2] + [3, 4, 5, 2] * 5)])
    words = np.array([[5], [3], [4]])
    choices = Choices(np.arange(3), np.ones(3, dtype=np.int64), words, np.zeros(3))

    def order(**settings):
        return StackDecoder(NgramScores(model), **settings).decode(choices, 3)[0].words.tolist()

    assert order(distortion=0.1) == [3, 4, 5]
    assert order(distortion=0.1, limit=0) == [5, 3, 4]
    assert order(distortion=50.0) == [5, 3, 4]


def test_long_sentences_take_time_in_proportion():
    model = language(np.random.default_rng(1), 2)
    length = 600
    choices = Choices(np.arange(length), np.ones(length, dtype=np.int64), np.full((length, 1), 3), np.zeros(length))
    (found,) = StackDecoder(NgramScores(model), beam=3, limit=2).decode(choices, length)
    assert found.words.tolist() == [3] * length


def test_what_cannot_be_decoded_is_refused():
    decoder = StackDecoder(NgramScores(language(np.random.default_rng(1), 2)))
    one = Choices(np.array([0]), np.array([1]), np.array([[3]]), np.zeros(1))
    with pytest.raises(DataError, match="2 words, of which 1 have no translation"):
        decoder.decode(one, 2)
    with pytest.raises(DataError, match="in the order of their places"):
        decoder.decode(Choices(np.array([1, 0]), np.ones(2, dtype=np.int64), np.array([[3], [3]]), np.zeros(2)), 2)
    with pytest.raises(ConfigError, match="beam=-1"):
        StackDecoder(NgramScores(language(np.random.default_rng(1), 2)), beam=-1)
