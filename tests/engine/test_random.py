"""Keyed randomness: SplitMix64 to the bit, uniform, independent of how a batch is cut, never 0 or 1."""

import math

import pytest
import torch

from netsmith.core.keys import key
from netsmith.engine import random as keyed
from netsmith.engine.random import example_keys, keyed_normal, keyed_uniform

MASK = (1 << 64) - 1


def finalizer(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def splitmix64(state):
    """Steele, Lea & Flood (2014): an independent, pure Python stream."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        yield finalizer(state)


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def test_the_reference_itself_gives_the_published_numbers():
    stream = splitmix64(1234567)
    assert [next(stream) for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("base", [0, 1, key(0, "augment", 3), 2**63 - 1])
def test_example_keys_are_the_splitmix_stream(base):
    stream = splitmix64(base)
    wanted = [signed(next(stream)) for _ in range(50)]
    assert example_keys(base, torch.arange(50)).tolist() == wanted


def test_uniform_numbers_are_the_splitmix_stream():
    keys = example_keys(7, torch.tensor([3, 0, 11]))
    found = keyed_uniform(keys, 2, 4, stream="crop")
    for row, one in zip(found, keys.tolist(), strict=True):
        stream = splitmix64((finalizer(one & MASK) + key(0, "crop")) & MASK)
        wanted = [((next(stream) >> 12) + 0.5) / 2**52 for _ in range(8)]
        assert row.flatten().tolist() == wanted


def test_moments_and_correlations():
    keys = example_keys(key(0, "augment", 0), torch.arange(4000))
    u = keyed_uniform(keys, 50, stream="a")  # 200,000 numbers: the error of the mean is 0.00065
    assert abs(u.mean() - 0.5) < 0.003
    assert abs(u.var() - 1 / 12) < 0.001
    assert abs((u**3).mean() - 0.25) < 0.003
    counts = torch.histc(u, 100, 0, 1)
    chi_squared = float(((counts - 2000) ** 2 / 2000).sum())
    assert 50 < chi_squared < 160  # 99 degrees of freedom: mean 99, standard deviation 14
    other = keyed_uniform(keys, 50, stream="b")
    shifted = keyed_uniform(example_keys(key(0, "augment", 1), torch.arange(4000)), 50, stream="a")
    for one, two in ((u, other), (u, shifted), (u[1:], u[:-1]), (u[:, 1:], u[:, :-1])):
        correlation = torch.corrcoef(torch.stack([one.flatten(), two.flatten()]))[0, 1]
        assert abs(correlation) < 0.01  # standard deviation 0.0022
    n = keyed_normal(keys, 50, stream="n")
    assert abs(n.mean()) < 0.01
    assert abs(n.var() - 1) < 0.015
    assert abs((n**4).mean() - 3) < 0.15


def test_numbers_do_not_depend_on_the_batch():
    indices = torch.randperm(100, generator=torch.Generator().manual_seed(0))
    whole = keyed_uniform(example_keys(5, indices), 3, 2, stream="x")
    for size in (1, 7, 33, 100):
        parts = [keyed_uniform(example_keys(5, part), 3, 2, stream="x") for part in indices.split(size)]
        assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(whole[indices.argsort()], keyed_uniform(example_keys(5, torch.arange(100)), 3, 2, stream="x"))
    assert torch.equal(keyed_uniform(example_keys(5, indices), 2, stream="x"), whole.reshape(100, 6)[:, :2])


def test_shapes_and_no_global_state():
    before = torch.get_rng_state()
    assert keyed_uniform(example_keys(1, torch.arange(4)), stream="x").shape == (4,)
    assert keyed_uniform(example_keys(1, torch.arange(0)), 2, stream="x").shape == (0, 2)
    assert keyed_normal(example_keys(1, torch.arange(4)), 2, 3, stream="x").dtype == torch.float64
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bits", [0, -1])
def test_the_ends_are_never_reached(monkeypatch, bits):
    monkeypatch.setattr(keyed, "_hash", lambda x: torch.full_like(x, bits))
    value = float(keyed_uniform(torch.zeros(1, dtype=torch.int64), 1, stream="x"))
    assert 0 < value < 1
    assert math.isfinite(float(keyed_normal(torch.zeros(1, dtype=torch.int64), 1, stream="x")))
