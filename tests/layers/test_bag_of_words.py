"""Bags of words and of pairs, whole and by their entries, are what counting one by one gives; marks of negation."""

import collections
import itertools

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Step
from netsmith.layers.bag_of_words import bag_entries, bag_of_words, frequent_pairs, pair_places
from netsmith.layers.tokenize import tokenize

VOCABULARY = 12


def some_tokens(count=40, length=15, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, VOCABULARY, (count, length), generator=generator)
    ends = torch.randint(1, length + 1, (count, 1), generator=generator)
    return tokens * (torch.arange(length) < ends)


def counted(row, pairs):
    """Count a text's words and pairs, one by one."""
    found = collections.Counter(token for token in row if token > 1)
    both = collections.Counter(a * VOCABULARY + b for a, b in itertools.pairwise(row) if a > 1 and b > 1)
    return [found[token] for token in range(2, VOCABULARY)] + [both[key] for key in pairs]


@pytest.mark.parametrize("most", [0, 1, 17, 1000])
def test_bags_are_what_counting_gives(most):
    tokens = some_tokens()
    pairs = frequent_pairs(tokens, vocab_size=VOCABULARY, most=most)
    wanted = torch.tensor([counted(row, pairs.tolist()) for row in tokens.tolist()], dtype=torch.float64)
    assert torch.equal(bag_of_words(tokens, pairs, vocab_size=VOCABULARY), wanted)
    rows, columns, counts = bag_entries(tokens, pairs, vocab_size=VOCABULARY)
    assert torch.equal(torch.stack([rows, columns], 1), wanted.nonzero())
    assert torch.equal(counts, wanted[rows, columns])
    new = some_tokens(seed=1)  # among them pairs that were never seen
    wanted = torch.tensor([counted(row, pairs.tolist()) for row in new.tolist()], dtype=torch.float64)
    assert torch.equal(bag_of_words(new, pairs, vocab_size=VOCABULARY), wanted)


def test_the_most_frequent_pairs_are_kept_in_order():
    tokens = some_tokens()
    counts = collections.Counter(
        a * VOCABULARY + b for row in tokens.tolist() for a, b in itertools.pairwise(row) if min(a, b) > 1
    )
    best = sorted(counts, key=lambda key: (-counts[key], key))[:9]
    assert frequent_pairs(tokens, vocab_size=VOCABULARY, most=9).tolist() == sorted(best)


@pytest.mark.parametrize("size", range(1, 20))
def test_places_of_pairs_by_binary_search(size, monkeypatch):
    pairs = torch.randperm(VOCABULARY**2, generator=torch.Generator().manual_seed(size))[:size].sort().values
    tokens = some_tokens()
    known = {key: place for place, key in enumerate(pairs.tolist())}
    wanted = [
        [known.get(a * VOCABULARY + b, -1) if min(a, b) > 1 else -1 for a, b in itertools.pairwise(row)]
        for row in tokens.tolist()
    ]
    assert pair_places(tokens, pairs, vocab_size=VOCABULARY).tolist() == wanted
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)  # as an exported file searches
    assert pair_places(tokens, pairs, vocab_size=VOCABULARY).tolist() == wanted


def test_what_a_negation_negates_is_marked_up_to_the_next_punctuation():
    step = Step(name="tokenize", pattern=r"\w+?(?=n't)|n't|\w+|[^\w\s]", lowercase=True, negations=("not", "n't"))
    assert tokenize("It isn't a Good film, is it? Not 1 laugh", step) == [
        "it", "is", "n't", "NOT_a", "NOT_good", "NOT_film", ",", "is", "it", "?", "not", "NOT_1", "NOT_laugh",
    ]  # fmt: skip
    whole = step.derive(pattern=r"\S+")
    assert tokenize("He doesn't care .", whole) == ["he", "doesn't", "NOT_care", "."]
    assert tokenize("Knot not", whole.derive(negations=())) == ["knot", "not"]
    with pytest.raises(ConfigError, match="negations are for tokenize"):
        Step(name="gray", negations=("not",))
