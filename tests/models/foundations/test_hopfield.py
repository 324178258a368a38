"""Hopfield networks: Hebb's weights, an energy that never rises, and the continuous form that is attention."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import DataError
from netsmith.core.roles import MethodConfig, ModelConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.hopfield import Hopfield, modern_energy, modern_update
from netsmith.tasks.classify import Classify


def signs(*shape, seed):
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(seed)).double() * 2 - 1


def network(units):
    return Hopfield.Config(in_features=units).build().double()


def test_weights_are_hebbs_sum_and_energy_the_papers():
    patterns = signs(3, 7, seed=0)
    one = network(7)
    one.store(patterns)
    one.threshold.copy_(torch.linspace(-1, 1, 7))
    want = sum(torch.outer(p, p) for p in patterns) / 7
    want.fill_diagonal_(0)
    assert torch.equal(one.weight, want)
    state = signs(7, seed=1)
    pairs = sum(want[i, j] * state[i] * state[j] for i in range(7) for j in range(i))  # each pair once
    energy = -pairs + sum(one.threshold[i] * state[i] for i in range(7))
    assert one.energy(state).item() == pytest.approx(energy.item(), abs=1e-12)
    one.store(patterns[:1], rate=-1.0)
    other = network(7)
    other.store(patterns[1:])
    assert torch.allclose(one.weight, other.weight, atol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_one_after_the_other_never_raises_the_energy(seed):
    generator = torch.Generator().manual_seed(seed)
    units = int(torch.randint(2, 30, (), generator=generator))
    one = network(units)
    weight = torch.randn(units, units, generator=generator, dtype=torch.float64).triu(1)
    one.weight.copy_(weight + weight.T)  # any symmetric weights without a diagonal, not Hebb's alone
    one.threshold.copy_(torch.randn(units, generator=generator, dtype=torch.float64))
    found = one.recall(signs(16, units, seed=seed + 100), generator=generator)
    assert (found.energies.diff(dim=0) <= 1e-12).all()
    assert found.settled.all()
    field = found.states @ one.weight - one.threshold
    assert (found.states * field >= -1e-12).all()  # a stable state: every unit agrees with its field
    for unit in range(units):  # no single flip lowers the energy
        other = found.states.clone()
        other[:, unit] *= -1
        assert (one.energy(other) >= one.energy(found.states) - 1e-9).all()


def test_all_at_once_may_circle_between_two_states():
    one = network(2)
    one.weight.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    start = torch.tensor([[1.0, -1.0]]).double()
    found = one.recall(start, update="synchronous")
    assert not found.settled.any()
    assert torch.equal(one.recall(start, update="synchronous").states.abs(), torch.ones(1, 2).double())
    assert one.recall(start).settled.all()
    field_free = network(2).recall(start)
    assert torch.equal(field_free.states, start)  # without a field nothing moves


def test_a_few_random_patterns_are_recalled_from_noise():
    patterns = signs(8, 200, seed=3)
    one = network(200)
    one.store(patterns)
    noisy = patterns.clone()
    noisy[:, :20] *= -1
    for update in ("asynchronous", "synchronous"):
        assert torch.equal(one.recall(noisy, update=update).states, patterns)
    assert torch.equal(one(noisy), patterns)
    assert torch.equal(one(-noisy), -patterns)  # the negatives are stored with them


def test_the_continuous_form_is_attention():
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(5, 16, generator=generator, dtype=torch.float64)
    patterns = torch.randn(9, 16, generator=generator, dtype=torch.float64)
    want = F.scaled_dot_product_attention(state[None], patterns[None], patterns[None])[0]
    assert (modern_update(state, patterns, beta=0.25) - want).abs().max() < 1e-12
    before = modern_energy(state, patterns, beta=0.25)
    assert (before >= 0).all()
    for _ in range(20):
        state = modern_update(state, patterns, beta=0.25)
        after = modern_energy(state, patterns, beta=0.25)
        assert (after <= before + 1e-12).all()
        before = after
    near = patterns + 0.1 * torch.randn(9, 16, generator=generator, dtype=torch.float64)
    assert torch.allclose(modern_update(near, patterns, beta=20.0), patterns, atol=1e-6)


def test_its_rule_stores_a_batch_and_its_config_survives_json():
    spec = Spec(dataset="t", inputs=Inputs(kind="table", shape=(6,)), outputs=Outputs(kind="classes", names=("a", "b")))
    config = LearningRule.Config(model=Hopfield.Config(in_features=6), task=Classify.Config(), rate=0.5)
    assert MethodConfig.load(config.dump()) == config
    assert ModelConfig.load({"kind": "hopfield", "in_features": 6}) == config.model
    method = config.build(spec=spec)
    patterns = signs(2, 6, seed=5).float()
    logs = method.model.learn(Batch(patterns), rate=0.5)
    other = Hopfield.Config(in_features=6).build()
    other.store(patterns)
    assert torch.allclose(method.model.weight, 0.5 * other.weight)
    assert logs["energy"] == pytest.approx(float(method.model.energy(patterns).mean()))
    with pytest.raises(DataError, match="patterns of -1 and 1"):
        other.store(torch.zeros(1, 6))
