"""Dropout, DropConnect and stochastic depth against enumerations of all masks, Monte Carlo and the plain layers."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.layers.drop_connect import DropConnect, masked_moments, normal_mean
from netsmith.layers.dropout import TestScaledDropout, dropout
from netsmith.layers.stochastic_depth import StochasticDepth, survivals


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scaled", ["training", "test"])
def test_both_conventions_of_dropout_expect_what_is_used_at_test_time(scaled):
    layer, x = dropout(0.3, scaled=scaled), normal(6)
    torch.manual_seed(0)
    many = torch.stack([layer(x) for _ in range(20_000)])
    assert torch.allclose(many.mean(0), layer.eval()(x), atol=5 * 3 * 0.46 / 0.7 / 20_000**0.5)
    kept = (many != 0).double().mean(0)
    assert torch.allclose(kept, torch.full_like(kept, 0.7), atol=5 * (0.21 / 20_000) ** 0.5)
    assert torch.allclose(many.amax(0).where(x > 0, many.amin(0)), x / (0.7 if scaled == "training" else 1))


def test_the_conventions_differ_by_the_share_that_is_kept():
    first, second = TestScaledDropout(0.25), nn.Dropout(0.25)
    x = normal(5)
    assert torch.allclose(first.eval()(x), 0.75 * second.eval()(x), rtol=0, atol=1e-15)
    assert isinstance(dropout(0.5), nn.Dropout)
    assert torch.equal(TestScaledDropout(0.0)(x), x)


def test_masked_moments_are_those_of_all_masks():
    weight, bias, x, drop = normal(1, 3), normal(1, seed=1), normal(3, seed=2), 0.3
    mean = square = 0.0
    for mask in itertools.product((0.0, 1.0), repeat=4):
        chance = math.prod(1 - drop if kept else drop for kept in mask)
        u = float((torch.tensor(mask[:3], dtype=torch.float64) * weight[0] * x).sum() + mask[3] * bias)
        mean, square = mean + chance * u, square + chance * u * u
    found = masked_moments(weight, bias, x, drop=drop)
    assert float(found[0]) == pytest.approx(mean, abs=1e-12)
    assert float(found[1]) == pytest.approx(square - mean**2, abs=1e-12)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "sigmoid"])
def test_the_mean_of_an_activation_is_its_integral(activation):
    function = {"relu": F.relu, "gelu": F.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[activation]
    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    for mean, variance in ((0.3, 1.7), (-2.0, 0.5), (4.0, 0.01), (1.2, 0.0)):
        wanted = torch.trapezoid(density * function(mean + variance**0.5 * z), z)
        found = normal_mean(activation, *(torch.tensor(one, dtype=torch.float64) for one in (mean, variance)))
        assert found.item() == pytest.approx(wanted.item(), abs=1e-5)


def test_drop_connect_without_dropping_is_the_plain_layer():
    layer = DropConnect(5, 4, drop=0.0, activation="tanh").double()
    x = normal(7, 5)
    for one in (layer.train(), layer.eval()):
        assert torch.equal(one(x), torch.tanh(F.linear(x, layer.weight, layer.bias)))


def test_drop_connect_in_use_is_near_the_mean_of_its_masks_and_masks_differ_by_example():
    torch.manual_seed(0)
    layer = DropConnect(64, 6, drop=0.5, activation="relu").double()
    nn.init.normal_(layer.bias, std=0.1)
    x = normal(64, seed=3).expand(20_000, 64)
    with torch.no_grad():
        many = torch.cat([layer(part) for part in x.split(2000)])
        used = layer.eval()(x[:1])[0]
    assert (many.std(0) > 0.02).all()
    plain = F.relu(0.5 * F.linear(x[0], layer.weight, layer.bias))  # the mean inference that the paper improves on
    errors = [(many.mean(0) - one).abs().max().item() for one in (used, plain)]
    assert errors[0] < 0.03
    assert errors[0] < 0.2 * errors[1]


def test_survival_falls_linearly():
    chances = survivals(54, 0.5)
    assert chances[-1] == 0.5
    assert chances[0] == pytest.approx(1 - 0.5 / 54)
    assert sum(chances) == pytest.approx((3 * 54 - 1) / 4)  # the paper's expected depth for p_L = 0.5


def test_a_branch_is_skipped_as_often_as_said_and_scaled_in_use():
    calls = []

    def branch(x):
        calls.append(1)
        return 2 * x

    layer, x = StochasticDepth(0.7), torch.ones(3)
    torch.manual_seed(0)
    answers = [layer(x, branch) for _ in range(4000)]
    there = sum(bool(answer.any()) for answer in answers)
    assert there == len(calls)
    assert there / 4000 == pytest.approx(0.7, abs=5 * (0.21 / 4000) ** 0.5)
    assert {answer.dim() for answer in answers} == {0, 1}
    assert torch.allclose(layer.eval()(x, branch), torch.full((3,), 1.4))
