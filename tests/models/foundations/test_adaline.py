import numpy as np
import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.engine.batch import Batch
from netsmith.models.foundations.adaline import Adaline


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) + 0.5
    t = x @ rng.normal(size=(3, 2)) + 1.0 + rng.normal(size=(80, 2))
    ones = np.concatenate([x, np.ones((80, 1))], 1)
    return x, t, ones


def held(model):
    return np.concatenate([model.weight.numpy(), model.bias.numpy()[:, None]], 1)  # (U, F + 1)


def test_it_converges_to_least_squares_below_the_limit_and_to_nothing_above(table):
    x, t, ones = table
    answer = np.linalg.lstsq(ones, t, rcond=None)[0].T
    R = ones.T @ ones / len(x)
    limit = 2 / np.linalg.eigvalsh(R).max()
    batch = Batch(torch.as_tensor(x), torch.as_tensor(t))
    for factor, steps in ((0.5, 5000), (0.99, 5000), (1.01, 500)):
        model = Adaline.Config(in_features=3, num_outputs=2).build()
        for _ in range(steps):
            logs = model.learn(batch, rate=factor * limit)
        away = held(model) - answer
        left = np.linalg.matrix_power(np.eye(4) - factor * limit * R, steps)
        assert away == pytest.approx(-answer @ left, rel=1e-6, abs=1e-9)  # the error's own recurrence
        if factor < 1:
            assert np.abs(away).max() < 1e-9
            assert logs["loss"] == pytest.approx(np.square(t - ones @ answer.T).mean())
        else:
            assert np.abs(away).max() > 1000


def test_online_is_the_rule_example_by_example_with_weights(table):
    x, t, ones = table
    weights = np.linspace(0.5, 2.0, len(x))
    model = Adaline.Config(in_features=3, num_outputs=2, updates="online").build()
    model.learn(Batch(torch.as_tensor(x), torch.as_tensor(t), weights=torch.as_tensor(weights)), rate=0.01)
    w = np.zeros((2, 4))
    for example, wanted, weight in zip(ones, t, weights / weights.mean(), strict=True):
        w += 0.01 * weight * np.outer(wanted - w @ example, example)
    assert held(model) == pytest.approx(w, abs=1e-12)


def test_online_at_a_falling_rate_comes_to_least_squares(table):
    x, t, ones = table
    answer = np.linalg.lstsq(ones, t, rcond=None)[0].T
    model = Adaline.Config(in_features=3, num_outputs=2, updates="online").build()
    rng, norms = np.random.default_rng(0), []
    for epoch in range(300):
        at = torch.as_tensor(rng.permutation(len(x)))
        model.learn(Batch(torch.as_tensor(x)[at], torch.as_tensor(t)[at]), rate=0.05 / (1 + epoch))
        norms.append(np.linalg.norm(held(model) - answer))
    assert norms[-1] < 0.02 < 0.1 < norms[0]


def test_classes_are_targets_of_one_and_minus_one(table):
    x, _, ones = table
    y = np.arange(80) % 3
    model = Adaline.Config(in_features=3, num_outputs=3).build()
    for _ in range(5000):
        model.learn(Batch(torch.as_tensor(x), torch.as_tensor(y)), rate=0.15)
    signs = 2.0 * np.eye(3)[y] - 1
    assert held(model) == pytest.approx(np.linalg.lstsq(ones, signs, rcond=None)[0].T, abs=1e-6)


def test_weights_of_examples_are_weights_of_squares(table):
    x, t, _ = table
    weights = np.linspace(0.1, 3.0, len(x))
    model = Adaline.Config(in_features=3, num_outputs=2, bias=False).build()
    for _ in range(5000):
        model.learn(Batch(torch.as_tensor(x), torch.as_tensor(t), weights=torch.as_tensor(weights)), rate=0.15)
    root = np.sqrt(weights)[:, None]
    assert model.weight.numpy() == pytest.approx(np.linalg.lstsq(root * x, root * t, rcond=None)[0].T, abs=1e-6)
    assert not model.bias.any()


def test_targets_of_another_form_are_refused():
    model = Adaline.Config(in_features=2, num_outputs=3).build()
    for targets in (torch.tensor([3]), torch.tensor([[0.5, 1.0]])):
        with pytest.raises(DataError, match=r"one class in 0\.\.2 or 3 values per example"):
            model.learn(Batch(torch.zeros(1, 2), targets), rate=1.0)
