import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.engine.batch import Batch
from netsmith.measure.parameters import count_parameters
from netsmith.models.foundations.numpy_mlp import NumpyMLP, back_propagate, forward, softmax_cross_entropy


def build(hidden=(7, 5), dtype=torch.float64, **fields):
    torch.manual_seed(0)
    return NumpyMLP.Config(hidden=hidden, in_features=6, num_classes=4, **fields).build().to(dtype)


def drawn(size=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, 2, 3, generator=generator, dtype=torch.float64)
    return Batch(
        x,
        torch.randint(0, 4, (size,), generator=generator),
        weights=torch.rand(size, generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5), (6, 5, 4, 3)])
@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_its_gradients_are_those_of_autograd(activation, hidden):
    model, batch = build(hidden, activation=activation), drawn()
    parameters = list(model.parameters())
    for parameter in parameters:
        parameter += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)  # biases too
    shares = batch.weights / batch.weights.sum()
    weights, biases = [[p.numpy() for p in parameters[start::2]] for start in (0, 1)]
    answers = forward(batch.inputs.flatten(1).numpy(), weights, biases, activation=activation)
    loss, error = softmax_cross_entropy(answers[-1], batch.targets.numpy(), shares.numpy())
    ours = back_propagate(error, answers, weights, activation=activation)
    for parameter in parameters:
        parameter.requires_grad_(True)
    total = (F.cross_entropy(model(batch.inputs), batch.targets, reduction="none") * shares).sum()
    theirs = torch.autograd.grad(total, parameters)
    assert loss == pytest.approx(total.item(), abs=1e-12)
    for own, other in zip(itertools.chain(ours.weights, ours.biases), (*theirs[::2], *theirs[1::2]), strict=True):
        assert own == pytest.approx(other.numpy(), abs=1e-10)
        assert np.abs(own).max() > 1e-6


def test_its_steps_are_torchs_sgd_with_momentum():
    model = build(momentum=0.8)
    peer = torch.nn.Sequential(
        *(torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4))
    ).double()
    with torch.no_grad():
        for own, other in zip(model.parameters(), peer.parameters(), strict=True):
            other.copy_(own)
    optimizer = torch.optim.SGD(peer.parameters(), momentum=0.8)
    for step in range(30):
        batch = drawn(seed=step)
        batch = Batch(batch.inputs, batch.targets)
        rate = 0.1 / (1 + step)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss = F.cross_entropy(peer(batch.inputs.flatten(1)), batch.targets)
        loss.backward()
        optimizer.step()
        assert model.learn(batch, rate=rate)["loss"] == pytest.approx(loss.item(), abs=1e-12)
    for own, other in zip(model.parameters(), peer.parameters(), strict=True):
        assert own.numpy() == pytest.approx(other.detach().numpy(), abs=1e-12)
    assert torch.allclose(model(batch.inputs), peer(batch.inputs.flatten(1)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("sizes", "count"), [((784, 300, 100, 10), 266_610), ((100, 64, 10), 7_114)])
def test_it_has_the_known_number_of_parameters(sizes, count):
    inputs, *hidden, outputs = sizes
    model = NumpyMLP.Config(hidden=tuple(hidden), in_features=inputs, num_classes=outputs).build()
    assert count_parameters(model) == count
    assert count_parameters(model, trainable=True) == 0


def test_large_logits_give_finite_losses():
    logits = np.array([[1e4, 0.0, -1e4], [0.0, 1e4, 0.0]])
    loss, error = softmax_cross_entropy(logits, np.array([0, 0]), np.array([0.5, 0.5]))
    assert loss == 5e3
    assert error.tolist() == [[0, 0, 0], [-0.5, 0.5, 0]]


def test_it_learns_in_single_precision_and_refuses_what_is_no_class():
    model, batch = build(dtype=torch.float32), drawn(32)
    losses = [model.learn(batch, rate=0.1)["loss"] for _ in range(300)]
    assert losses[-1] < 0.1 * losses[0]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    for targets in (torch.tensor([4]), torch.tensor([0.0]), torch.tensor([[0]])):
        with pytest.raises(DataError, match=r"one class in 0\.\.3 per example"):
            model.learn(Batch(batch.inputs[:1], targets), rate=0.1)
    with pytest.raises(ConfigError, match="main memory"):
        build().to("meta").learn(batch, rate=0.1)
