"""The restricted Boltzmann machine: scikit-learn's algebra and steps, exact sums, exact answers about classes."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.neural_network import BernoulliRBM

from netsmith.core.errors import DataError, DivergedError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.layers.restricted_boltzmann import Restricted, binary_states, gibbs, keyed_draws
from netsmith.models.foundations.rbm import RBM


def machine(visible, hidden, seed=0, classes=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = ((hidden, visible), (visible,), (hidden,))
    return Restricted(*(torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes), classes)


def theirs(ours):
    peer = BernoulliRBM(n_components=len(ours.hidden_bias), learning_rate=0.1, random_state=0)
    peer.components_ = ours.weight.numpy().copy()
    peer.intercept_hidden_ = ours.hidden_bias.numpy().copy()
    peer.intercept_visible_ = ours.visible_bias.numpy().copy()
    return peer


def bits(count, units, seed=1):
    return torch.randint(2, (count, units), generator=torch.Generator().manual_seed(seed)).double()


def brute_force(ours):
    """Return log p of every visible state by summing over all pairs of states."""
    visible, hidden = (binary_states(len(bias)) for bias in (ours.visible_bias, ours.hidden_bias))
    if ours.classes:
        visible = visible[visible[:, -ours.classes :].sum(1) == 1]
    energy = -(visible @ ours.visible_bias)[:, None] - hidden @ ours.hidden_bias - visible @ ours.weight.T @ hidden.T
    whole = torch.logsumexp(-energy.flatten(), 0)
    return visible, torch.logsumexp(-energy, 1) - whole, whole


def test_conditionals_and_free_energy_are_scikit_learns():
    ours = machine(7, 5)
    peer, seen = theirs(ours), bits(20, 7)
    assert np.abs(ours.hidden(seen).numpy() - peer.transform(seen.numpy())).max() < 1e-12
    assert np.abs(ours.free_energy(seen).numpy() - peer._free_energy(seen.numpy())).max() < 1e-12
    flipped = seen.clone()
    places = np.random.RandomState(0).randint(0, 7, 20)  # what score_samples draws: a bit of each example is turned
    flipped[range(20), places] = 1 - flipped[range(20), places]
    gap = ours.free_energy(flipped) - ours.free_energy(seen)
    score = 7 * torch.nn.functional.logsigmoid(gap).numpy()
    assert np.abs(score - peer.score_samples(seen.numpy())).max() < 1e-10


@pytest.mark.parametrize(("visible", "hidden", "classes"), [(4, 6, 0), (6, 4, 0), (6, 4, 3), (4, 5, 2)])
def test_log_partition_and_probabilities_are_the_sums_over_all_states(visible, hidden, classes):
    ours = machine(visible, hidden, classes=classes)
    states, log_p, whole = brute_force(ours)
    assert ours.log_partition().item() == pytest.approx(whole.item(), abs=1e-12)
    assert (-ours.free_energy(states) - whole - log_p).abs().max() < 1e-12
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    with pytest.raises(UnsupportedError, match="at most 20 units"):
        machine(21, 22).log_partition()


class Replayed(np.random.RandomState):
    """Hands out uniform numbers and keeps them."""

    def __init__(self):
        super().__init__(0)
        self.given = []

    def uniform(self, size):
        self.given.append(super().uniform(size=size))
        return self.given[-1]


def test_a_persistent_step_is_scikit_learns_given_the_same_draws(monkeypatch):
    model = RBM.Config(in_features=6, num_classes=0, hidden=4, chains=8, std=0.5).build().double()
    model.chains.copy_(bits(8, 4, seed=5))
    model.hidden_bias.copy_(torch.linspace(-1, 1, 4))
    peer, random, seen = theirs(model.machine()), Replayed(), bits(8, 6)
    peer.h_samples_ = model.chains.numpy().copy()
    for _ in range(3):
        peer._fit(seen.numpy(), random)
    draws = iter(random.given)
    monkeypatch.setattr(
        "netsmith.models.foundations.rbm.keyed_draws",
        lambda *_: lambda count, stream: torch.from_numpy(next(draws)),
    )
    for _ in range(3):
        model.learn(Batch(seen, keys=torch.arange(8)), rate=0.1)
    assert np.abs(model.weight.numpy() - peer.components_).max() < 1e-12
    assert np.abs(model.visible_bias.numpy() - peer.intercept_visible_).max() < 1e-12
    assert np.abs(model.hidden_bias.numpy() - peer.intercept_hidden_).max() < 1e-12
    assert np.array_equal(model.chains.numpy(), peer.h_samples_)
    assert next(draws, None) is None


@pytest.mark.parametrize("classes", [0, 3])
def test_gibbs_sampling_approaches_the_exact_distribution(classes):
    ours = machine(6, 3, seed=3, classes=classes)
    keys = example_keys(7, torch.arange(40_000))
    chain = gibbs(ours, torch.zeros(40_000, 3).double(), steps=60, draw=keyed_draws(keys, torch.float64))
    states, log_p, _ = brute_force(ours)
    found = torch.stack([(chain.visible == state).all(1).double().mean() for state in states])
    assert found.sum() == 1
    assert 0.5 * (found - log_p.exp()).abs().sum() < 0.025  # total variation; sqrt(states / draws) is 0.04


def test_many_steps_of_cd_have_the_exact_gradient_on_average():
    ours, seen = machine(4, 3, seed=4), bits(5, 4, seed=6)
    parts = [part.clone().requires_grad_() for part in ours[:3]]
    exact = Restricted(*parts)
    likelihood = (-exact.free_energy(seen) - exact.log_partition()).mean()
    slopes = torch.autograd.grad(likelihood, parts)
    model = RBM.Config(in_features=4, num_classes=0, hidden=3, gibbs_steps=40).build().double()
    for buffer, part in zip((model.weight, model.visible_bias, model.hidden_bias), ours[:3], strict=True):
        buffer.copy_(part)
    many = seen.repeat(20_000, 1)
    model.learn(Batch(many, keys=example_keys(0, torch.arange(len(many)))), rate=1.0)
    for new, old, slope in zip((model.weight, model.visible_bias, model.hidden_bias), ours[:3], slopes, strict=True):
        assert (new - old - slope).abs().max() < 0.01


def test_classes_are_answered_by_bayes_rule():
    model = RBM.Config(in_features=4, num_classes=3, hidden=5, std=1.0).build().double()
    model.visible_bias.copy_(torch.linspace(-1, 1, 7))
    states, log_p, _ = brute_force(model.machine())
    table = {tuple(state.int().tolist()): float(p) for state, p in zip(states, log_p, strict=True)}
    for x in itertools.product((0, 1), repeat=4):
        joint = torch.tensor([table[(*x, *(int(y == label) for y in range(3)))] for label in range(3)])
        answer = model(torch.tensor([x]).double())[0].log_softmax(0)
        assert (answer - joint.double().log_softmax(0)).abs().max() < 1e-6


def test_weights_count_examples_and_draws_belong_to_keys():
    def learned(batch):
        torch.manual_seed(0)
        model = RBM.Config(in_features=5, num_classes=2, hidden=3).build().double()
        logs = model.learn(batch, rate=0.3)
        return torch.cat([model.weight.flatten(), model.visible_bias, model.hidden_bias]), logs["reconstruction"]

    seen, labels, keys = bits(6, 5), torch.tensor([0, 1, 1, 0, 1, 0]), torch.arange(6)
    once, error = learned(Batch(seen, labels, keys, weights=torch.tensor([1.0, 1, 1, 0, 0, 0])))
    alone, same = learned(Batch(seen[:3], labels[:3], keys[:3]))
    assert torch.allclose(once, alone, atol=1e-15)
    assert error == pytest.approx(same)
    turned, _ = learned(Batch(seen.flip(0), labels.flip(0), keys.flip(0)))
    assert torch.allclose(turned, learned(Batch(seen, labels, keys))[0], atol=1e-15)


def test_what_it_cannot_learn_from_is_refused():
    model = RBM.Config(in_features=2, num_classes=2, hidden=3).build()
    keys = torch.arange(1)
    with pytest.raises(DataError, match=r"numbers in 0..1"):
        model.learn(Batch(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), keys), rate=1.0)
    with pytest.raises(DataError, match=r"class in 0..1"):
        model.learn(Batch(torch.zeros(1, 2), torch.tensor([2]), keys), rate=1.0)
    with pytest.raises(UnsupportedError, match="keys of a batch"):
        model.learn(Batch(torch.zeros(1, 2), torch.tensor([1])), rate=1.0)
    assert ModelConfig.load(model.config.dump()) == model.config
    assert model.config.scaled(width=2).hidden == 6


@pytest.mark.parametrize("chains", [0, 3])
def test_a_step_that_is_not_finite_is_refused_before_it_is_made(chains):
    model = RBM.Config(in_features=4, num_classes=0, hidden=3, chains=chains).build()
    batch = Batch(bits(5, 4).float(), keys=example_keys(1, torch.arange(5)))
    model.learn(batch, rate=0.5)
    before = {name: value.clone() for name, value in model.named_buffers()}
    with pytest.raises(DivergedError, match=r"rate 1e\+60 is NaN or infinite; nothing was changed"):
        model.learn(batch, rate=1e60)
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
