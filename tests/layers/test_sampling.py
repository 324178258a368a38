"""Temperature, top-k and nucleus against their definitions; draws against the distribution."""

import itertools
import math

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.layers.sampling import drawn, narrowed


def by_definition(logits, temperature, top_k, top_p):
    """Return the probabilities of one row: the smallest set of the likeliest, one token after the other."""
    weights = [(float(z) / temperature) for z in logits]
    largest = max(weights)
    p = [2.718281828459045 ** (w - largest) for w in weights]
    order = sorted(range(len(p)), key=lambda i: (-p[i], i))
    if top_k:
        order = order[:top_k]
    total = sum(p[i] for i in order)
    kept, mass = [], 0.0
    for i in order:
        if mass >= top_p and kept:
            break
        kept.append(i)
        mass += p[i] / total
    total = sum(p[i] for i in kept)
    return [p[i] / total if i in kept else 0.0 for i in range(len(p))]


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1, 0, 1.0), (0.5, 0, 1.0), (3, 4, 1.0), (1, 0, 0.6), (0.7, 5, 0.9), (1, 1, 0.1)],
)
def test_what_stays_is_the_definition(temperature, top_k, top_p):
    logits = torch.randn(20, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    found = narrowed(logits, temperature=temperature, top_k=top_k, top_p=top_p).exp()
    wanted = torch.tensor([by_definition(row, temperature, top_k, top_p) for row in logits], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-14)


def test_of_equal_tokens_the_first_stay():
    assert (narrowed(torch.zeros(1, 5), top_k=2) > -torch.inf).tolist() == [[True, True, False, False, False]]
    assert (narrowed(torch.zeros(1, 5), top_p=0.5) > -torch.inf).tolist() == [[True, True, True, False, False]]


def test_draws_have_the_distribution_and_no_token_of_probability_zero():
    p = torch.tensor([0.5, 0.0, 0.2, 0.3, 0.0])
    count = 20_000
    uniform = keyed_uniform(example_keys(7, torch.arange(count)), stream="test")
    shares = torch.bincount(drawn(p.log().expand(count, 5), uniform), minlength=5) / count
    assert shares[1] == shares[4] == 0
    torch.testing.assert_close(shares, p, rtol=0, atol=4 * 0.5 / count**0.5)
    edges = torch.tensor([1e-300, 1 - 2**-53], dtype=torch.float64)
    for zero in itertools.product((0.0, 1.0), repeat=3):
        if any(zero):
            ends = drawn(torch.tensor([zero]).log().expand(2, 3), edges)
            assert all(zero[token] for token in ends.tolist())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": 0.0}, "temperature=0"),
        ({"temperature": math.inf}, "temperature=inf: expected a finite number"),
        ({"temperature": math.nan}, "temperature=nan"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 0.0}, "top_p=0"),
        ({"top_p": 1.1}, "1.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        narrowed(torch.zeros(1, 3), **settings)
