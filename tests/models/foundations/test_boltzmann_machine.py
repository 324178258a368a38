"""The Boltzmann machine: its two phases are the gradient, its sampling approaches its distribution."""

import pytest
import torch

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.engine.batch import Batch
from netsmith.layers.restricted_boltzmann import Restricted, binary_states
from netsmith.models.foundations.boltzmann_machine import BoltzmannMachine


def machine(visible, hidden, seed=0):
    torch.manual_seed(seed)
    model = BoltzmannMachine.Config(in_features=visible, hidden=hidden, std=0.8).build()
    model.bias.normal_()
    return model


def bits(count, units, seed=1):
    return torch.randint(2, (count, units), generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("hidden", [0, 3])
def test_positive_minus_negative_phase_is_the_gradient_of_the_likelihood(hidden):
    model, seen, weights = machine(4, hidden), bits(6, 4), torch.rand(6).double()
    units = 4 + hidden
    upper = model.weight.triu(1).requires_grad_()
    bias = model.bias.clone().requires_grad_()

    def log_sum(states):
        energy = -torch.einsum("...i,ij,...j->...", states, upper, states) - states @ bias
        return torch.logsumexp(-energy, -1)

    clamped = torch.stack([torch.cat([one.expand(2**hidden, -1), binary_states(hidden)], 1) for one in seen])
    each = log_sum(clamped) - log_sum(binary_states(units))
    assert (model(seen) - each).abs().max() < 1e-12
    over_w, over_b = torch.autograd.grad((each * weights).sum() / weights.sum(), (upper, bias))
    positive, negative = model.clamped(seen, weights), model.free()
    assert ((positive.pairs - negative.pairs).triu(1) - over_w.triu(1)).abs().max() < 1e-10
    assert (positive.units - negative.units - over_b).abs().max() < 1e-10
    before = model.weight.clone()
    logs = model.learn(Batch(seen, weights=weights), rate=0.5)
    assert torch.equal(model.weight, model.weight.T)
    assert (model.weight - before - 0.5 * (over_w.triu(1) + over_w.triu(1).T)).abs().max() < 1e-10
    assert logs["nll"] == pytest.approx(-float((each.detach() * weights).sum() / weights.sum()))


def test_without_connections_within_layers_it_is_the_restricted_machine():
    model = machine(4, 3)
    model.weight[:4, :4] = 0
    model.weight[4:, 4:] = 0
    peer = Restricted(model.weight[4:, :4], model.bias[:4], model.bias[4:])
    seen = binary_states(4)
    assert (model(seen) + peer.free_energy(seen) + peer.log_partition()).abs().max() < 1e-12
    assert model.log_partition().item() == pytest.approx(peer.log_partition().item(), abs=1e-12)
    assert model(seen).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_gibbs_sampling_approaches_the_exact_distribution():
    model, generator = machine(3, 2), torch.Generator().manual_seed(0)
    found = model.gibbs(torch.zeros(40_000, 5), sweeps=30, generator=generator)
    states = binary_states(5)
    exact = torch.softmax(-model.energy(states), 0)
    share = torch.stack([(found == state).all(1).double().mean() for state in states])
    assert 0.5 * (share - exact).abs().sum() < 0.015  # total variation
    start = torch.tensor([1.0, 0, 1, 0, 0]).repeat(40_000, 1)
    clamped = model.gibbs(start, sweeps=30, generator=generator, clamp=3)
    assert torch.equal(clamped[:, :3], start[:, :3].double())
    positive = model.clamped(start[:1, :3])
    assert (clamped.mean(0) - positive.units).abs().max() < 0.01


def test_hidden_units_let_it_learn_exclusive_or():
    states = binary_states(3)
    seen = states[states.sum(1) % 2 == 0]  # two bits and their exclusive or: no pair of them is correlated
    ends = []
    for hidden in (0, 2):
        model = machine(3, hidden, seed=1)
        for _ in range(1500):
            model.learn(Batch(seen), rate=1.0)
        ends.append(float(-model(seen).mean()))
    assert ends[0] == pytest.approx(3 * 0.6931472, abs=1e-3)  # pairs alone cannot say more than three fair coins
    assert ends[1] < 2 * 0.6931472 + 0.1  # two bits are left


def test_what_it_cannot_do_is_refused():
    with pytest.raises(UnsupportedError, match="21 units have"):
        machine(20, 1)
    with pytest.raises(DataError, match="0 or 1"):
        machine(2, 1)(torch.tensor([[0.5, 1.0]]))
    config = machine(2, 1).config
    assert ModelConfig.load(config.dump()) == config
