"""Ranks by a budget: nothing is beyond it, and no other ranks keep much more."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from netsmith.compress._rank_budget import Choices, Prices, choices_of, spread
from netsmith.compress.factorize import factorize
from netsmith.core.errors import UnknownNameError, UnsupportedError
from netsmith.measure.macs import count_macs
from netsmith.measure.parameters import count_parameters
from netsmith.models.vision.student_net import StudentNet


def falling(layer, power, seed):
    """Give a layer a spectrum that falls like that of a trained one."""
    generator = torch.Generator().manual_seed(seed)
    shape = layer.weight.shape
    matrix = torch.randn(shape[0], layer.weight[0].numel(), generator=generator)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.arange(1, len(values) + 1).float() ** -power
    with torch.no_grad():
        layer.weight.copy_((left * values @ right).reshape(shape))
    return layer


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        falling(nn.Conv2d(3, 16, 3, padding=1), 0.5, 1),
        nn.ReLU(),
        falling(nn.Conv2d(16, 32, 3, stride=2, padding=1), 1.0, 2),
        nn.BatchNorm2d(32),
        nn.Conv2d(32, 32, 3, groups=32),
        falling(nn.Conv2d(32, 48, 1), 1.5, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        falling(nn.Linear(48, 64), 0.2, 4),
        nn.Linear(64, 10),
    )


def test_the_greedy_choice_is_nearly_the_best_of_all():
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(40):
        layers = []
        for _ in range(3):
            count = int(rng.integers(3, 9))
            costs = np.cumsum(rng.integers(1, 20, count))
            energies = np.append(np.sort(rng.uniform(0.05, 1, count - 1)), 1.0)
            layers.append(Choices((*range(1, count), None), costs, energies))
        most = int(rng.integers(sum(one.costs[0] for one in layers), sum(one.costs[-1] for one in layers) + 1))
        chosen = spread(layers, most=most)
        assert sum(int(one.costs[at]) for one, at in zip(layers, chosen, strict=True)) <= most

        def value(places, layers=layers):
            return sum(math.log(one.energies[at]) for one, at in zip(layers, places, strict=True))

        every = itertools.product(*(range(len(one.costs)) for one in layers))
        fits = [p for p in every if sum(int(o.costs[a]) for o, a in zip(layers, p, strict=True)) <= most]
        gaps.append(max(map(value, fits)) - value(chosen))
    assert min(gaps) >= -1e-12
    assert np.mean(np.array(gaps) <= 1e-12) >= 0.8  # the best of all in most cases
    assert max(gaps) < 0.2


def test_with_room_for_all_nothing_is_cut_and_the_flat_layer_is_spared():
    flat = Choices((1, 2, 3, None), np.array([10, 20, 30, 40]), np.array([0.25, 0.5, 0.75, 1.0]))
    steep = Choices((1, 2, 3, None), np.array([10, 20, 30, 40]), np.array([0.97, 0.98, 0.99, 1.0]))
    assert spread([flat, steep], most=80) == [3, 3]
    assert spread([flat, steep], most=50) == [3, 0]
    assert spread([steep, flat], most=65) == [1, 3]
    assert spread([flat, steep], most=20) == [0, 0]


def test_choices_are_all_smaller_and_all_worth_it():
    layer = falling(nn.Conv2d(16, 32, 3), 1.0, 2)
    found = choices_of(layer, Prices.parameters(layer))
    assert found.ranks[-1] is None
    assert (found.costs[-1], found.energies[-1]) == (16 * 32 * 9, 1.0)
    assert (np.diff(found.costs) > 0).all()
    assert (np.diff(found.energies) > 0).all()
    net = nn.Sequential(layer)
    for at in range(0, len(found.ranks) - 1, 7):
        small, log = factorize(net, rank={"0": found.ranks[at]})
        assert log.factors[0].after == found.costs[at] == count_parameters(small) - 32
        assert log.factors[0].energy >= found.energies[at] - 1e-6  # iterated: at least as much as the HOSVD
    zero = nn.Linear(8, 8)
    nn.init.zeros_(zero.weight)
    assert choices_of(zero, Prices.parameters(zero)).ranks == (1,)  # rank 1 keeps all of nothing


@pytest.mark.parametrize("budget", [0.35, 0.6, 0.9])
def test_a_budget_of_parameters_is_kept_and_used(budget):
    net = network()
    small, log = factorize(net, budget=budget)
    share = count_parameters(small) / count_parameters(net)
    assert budget - 0.02 < share <= budget
    assert log.factors
    assert all(f.after < f.before for f in log.factors)
    assert not {f.module for f in log.factors} & {"4"}
    small(torch.randn(2, 3, 8, 8))


def test_a_budget_keeps_more_than_one_energy_for_all_at_the_same_size():
    net = network()
    equal, log = factorize(net, energy=0.8)
    kept = math.prod(factor.energy for factor in log.factors)
    budget = count_parameters(equal) / count_parameters(net)
    spread_log = factorize(net, budget=budget)[1]
    assert math.prod(factor.energy for factor in spread_log.factors) > kept


@pytest.mark.parametrize("budget", [0.5, 0.8])
def test_a_budget_of_multiply_adds_is_what_is_counted(budget):
    net, x = network(), torch.randn(1, 3, 16, 16)
    small, log = factorize(net, budget=budget, of="macs", example=x)
    share = count_macs(small, x) / count_macs(net, x)
    assert budget - 0.03 < share <= budget
    assert all(f.after < f.before for f in log.factors)
    words = nn.Sequential(nn.Embedding(100, 32), nn.Linear(32, 64))
    log = factorize(words, budget=0.6, of="macs", example=torch.zeros(2, 5, dtype=torch.int64))[1]
    assert [f.module for f in log.factors] == ["1"]  # a lookup multiplies nothing; a thin one would


def test_a_network_of_the_zoo_by_both_budgets():
    torch.manual_seed(0)
    net = StudentNet.Config(in_channels=1, num_classes=10).build().eval()
    x = torch.randn(2, 1, 28, 28)
    for of, cost in (("parameters", count_parameters), ("macs", lambda module: count_macs(module, x))):
        small, log = factorize(net, budget=0.7, of=of, example=x if of == "macs" else None)
        assert cost(small) <= 0.7 * cost(net)
        assert small(x).shape == (2, 10)
        assert log.factors


def test_the_whole_budget_changes_nothing():
    assert factorize(network(), budget=1.0)[1].factors == ()


def test_what_no_ranks_reach_and_bad_settings_are_refused():
    net, x = network(), torch.randn(1, 3, 16, 16)
    with pytest.raises(
        UnsupportedError, match=r"budget=0.01 of 10842 parameters is out of reach: .* 905 are left; "
    ) as error:
        factorize(net, budget=0.01)
    least = float(str(error.value).rpartition(" ")[2])
    factorize(net, budget=least + 1e-4)
    for budget in (0.0, 1.5, -1.0):
        with pytest.raises(UnsupportedError, match=r"budget must be in \(0, 1\], got"):
            factorize(net, budget=budget)
    with pytest.raises(UnsupportedError, match="needs an example input"):
        factorize(net, budget=0.5, of="macs")
    with pytest.raises(UnsupportedError, match="example belongs to a budget of multiply-adds"):
        factorize(net, budget=0.5, example=x)
    with pytest.raises(UnknownNameError, match="cost for a budget named 'bytes'"):
        factorize(net, budget=0.5, of="bytes")
