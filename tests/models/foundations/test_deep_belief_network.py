"""The deep belief network: exact likelihoods, dreams of the right distribution, a perceptron of sigmoids upwards."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.roles import ModelConfig
from netsmith.layers.restricted_boltzmann import binary_states
from netsmith.models.foundations.deep_belief_network import DeepBeliefNetwork


def network(visible, *hidden, seed=0):
    torch.manual_seed(seed)
    model = DeepBeliefNetwork.Config(in_features=visible, hidden=hidden, num_classes=3).build().double()
    for parameter in model.parameters():
        parameter.detach().normal_()
    return model


def test_upwards_it_is_a_perceptron_of_sigmoids():
    model, x = network(6, 5, 4), torch.rand(3, 2, 3, dtype=torch.float64)
    one, two = model.stack()
    hidden = torch.sigmoid(x.flatten(1) @ one.linear.weight.T + one.linear.bias)
    hidden = torch.sigmoid(hidden @ two.linear.weight.T + two.linear.bias)
    assert (model(x) - F.linear(hidden, model.head.weight, model.head.bias)).abs().max() < 1e-14
    fresh = DeepBeliefNetwork.Config(in_features=6, hidden=(5, 4), num_classes=3).build()
    assert {name for name, p in fresh.named_parameters() if not p.requires_grad} == {
        "layers.0.visible_bias",
        "layers.1.visible_bias",
    }


def test_likelihoods_sum_to_one_and_are_those_of_all_states():
    model, seen = network(3, 4, 2, 3), binary_states(3)
    log_p = model.log_likelihood(seen)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    one, two, top = (layer.machine() for layer in model.stack())
    h1, h2 = binary_states(4), binary_states(2)
    p_h2 = torch.softmax(-top.free_energy(h2), 0)

    def given(machine, below, above):  # p(below | above), (below, above)
        p = machine.visible(above)
        return torch.stack([(p * b + (1 - p) * (1 - b)).prod(1) for b in below])

    want = given(one, seen, h1) @ given(two, h1, h2) @ p_h2
    assert (log_p.exp() - want).abs().max() < 1e-14


def test_a_second_layer_that_is_the_first_turned_over_changes_nothing():
    """Hinton, Osindero & Teh 2006, section 4: where stacking starts from."""
    model, seen = network(5, 4, 5), binary_states(5)
    one, two = model.stack()
    with torch.no_grad():
        two.linear.weight.copy_(one.linear.weight.T)
        two.linear.bias.copy_(one.visible_bias)
        two.visible_bias.copy_(one.linear.bias)
    alone = one.machine()
    assert (model.log_likelihood(seen) + alone.free_energy(seen) + alone.log_partition()).abs().max() < 1e-12


def test_dreams_have_the_exact_distribution():
    model = network(3, 2, 3, seed=2)
    generator = torch.Generator().manual_seed(0)
    given = model.dream(30_000, sweeps=40, generator=generator)
    seen = binary_states(3)
    found = torch.stack([(given * one + (1 - given) * (1 - one)).prod(1).mean() for one in seen])
    assert 0.5 * (found - model.log_likelihood(seen).exp()).abs().sum() < 0.01  # total variation


def test_its_config_survives_json_and_can_be_scaled():
    config = DeepBeliefNetwork.Config(in_features=6, num_classes=2, hidden=(8, 4))
    assert ModelConfig.load(config.dump()) == config
    assert config.scaled(width=0.5, depth=1.5).hidden == (4, 4, 2)
    torch.manual_seed(0)
    fresh = DeepBeliefNetwork.Config(in_features=400, num_classes=2, hidden=(300,)).build()
    assert float(fresh.layers[0].linear.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    glorot = DeepBeliefNetwork.Config(in_features=400, num_classes=2, hidden=(300,), std=0.0).build()
    assert float(glorot.layers[0].linear.weight.detach().std()) == pytest.approx((2 / 700) ** 0.5, rel=0.02)
