"""Attacks: never outside the ball or the range, the worst point of a linear loss, and a slow reference's steps."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.spec import Inputs, Step
from netsmith.engine.random import example_keys
from netsmith.layers.attacks import Attack, fgsm, pgd, slope, units
from netsmith.layers.raw_unit import RawUnit


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def curved(seed=0, features=12, classes=4, dtype=torch.float64):
    """A loss of a small network with two layers, and its inputs."""
    torch.manual_seed(seed)
    network = torch.nn.Sequential(torch.nn.Linear(features, 16), torch.nn.Tanh(), torch.nn.Linear(16, classes))
    network = network.to(dtype)
    labels = torch.arange(9) % classes
    return network, lambda x: F.cross_entropy(network(x), labels, reduction="none")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [0.3, 0.1, 8 / 255, 1e-5])
def test_no_input_moves_by_more_than_epsilon_or_leaves_the_range_not_by_one_bit(dtype, epsilon) -> None:
    _, loss = curved(features=4000, dtype=dtype)
    x = drawn(9, 4000, dtype=dtype)
    x[0, :50], x[0, 50:100] = 0.0, 1.0
    for attack in (
        Attack.Config(epsilon=epsilon, step=epsilon, steps=1, random_start=False),
        Attack.Config(epsilon=epsilon, step=epsilon / 3, steps=7),
    ):
        worst = attack.build()(loss, x, keys=torch.arange(9), low=0.0, high=1.0)
        largest = torch.tensor(epsilon, dtype=dtype)
        assert (worst - x).abs().max() <= largest
        assert (worst - x).abs().max() > 0.99 * largest
        assert worst.min() >= 0
        assert worst.max() <= 1
        assert bool((loss(worst) > loss(x)).all())


def test_a_linear_loss_rises_by_epsilon_times_the_one_norm_of_its_slope() -> None:
    x, w = drawn(5, 3, 4, 4) - 0.5, drawn(3, 4, 4, seed=1) - 0.5
    one, two = w.abs().sum(), w.norm()

    def loss(at):
        return (at * w).flatten(1).sum(1)

    rise = loss(fgsm(loss, x, epsilon=0.25)) - loss(x)
    torch.testing.assert_close(rise, (0.25 * one).expand(5), rtol=0, atol=1e-12)
    many = pgd(loss, x, epsilon=0.25, step=0.01, steps=40)
    torch.testing.assert_close(loss(many) - loss(x), (0.25 * one).expand(5), rtol=0, atol=1e-12)
    along = pgd(loss, x, epsilon=0.25, step=0.1, steps=3, norm="l2")
    torch.testing.assert_close(loss(along) - loss(x), (0.25 * two).expand(5), rtol=0, atol=1e-12)
    torch.testing.assert_close(along, x + 0.25 * w / two, rtol=0, atol=1e-12)


def test_logistic_regression_has_the_worst_case_loss_of_goodfellow() -> None:
    """Section 5 of the paper: the loss at the worst point is softplus(eps |w|_1 - y (w x + b))."""
    x, w, b = drawn(8, 20) - 0.5, drawn(20, seed=2) - 0.5, 0.3
    y = torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)

    def loss(at):
        return F.softplus(-y * (at @ w + b))

    worst = F.softplus(0.1 * w.abs().sum() - y * (x @ w + b))
    torch.testing.assert_close(loss(fgsm(loss, x, epsilon=0.1)), worst, rtol=0, atol=1e-12)


def test_one_full_step_from_the_example_is_the_fast_gradient_sign_method() -> None:
    _, loss = curved()
    x = drawn(9, 12)
    fast = fgsm(loss, x, epsilon=0.2, low=0, high=1)
    point = x.clone().requires_grad_()
    loss(point).sum().backward()
    torch.testing.assert_close(fast, (x + 0.2 * point.grad.sign()).clamp(0, 1), rtol=0, atol=1e-15)
    assert torch.equal(fast, pgd(loss, x, epsilon=0.2, step=0.2, steps=1, low=0, high=1))


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_steps_are_those_of_a_slow_reference(norm) -> None:
    network, loss = curved()
    x = drawn(9, 12)
    start = (x + 0.05 * (drawn(9, 12, seed=3) - 0.5)).clamp(0, 1)
    found = pgd(loss, x, epsilon=0.3, step=0.11, steps=5, norm=norm, start=start, low=0.0, high=1.0)
    weights = [(layer.weight.detach(), layer.bias.detach()) for layer in (network[0], network[2])]
    for row in range(9):  # one example at a time, the gradient of softmax and tanh by hand
        center, at = x[row].tolist(), start[row]
        for _ in range(5):
            hidden = torch.tanh(weights[0][0] @ at + weights[0][1])
            error = torch.softmax(weights[1][0] @ hidden + weights[1][1], 0)
            error[row % 4] -= 1
            gradient = (weights[0][0].T @ ((1 - hidden**2) * (weights[1][0].T @ error))).tolist()
            if norm == "inf":
                moved = [a + math.copysign(0.11, g) for a, g in zip(at.tolist(), gradient, strict=True)]
                moved = [min(max(m, c - 0.3), c + 0.3) for m, c in zip(moved, center, strict=True)]
            else:
                length = math.dist(gradient, [0.0] * 12)
                change = [a + 0.11 * g / length - c for a, g, c in zip(at.tolist(), gradient, center, strict=True)]
                reach = math.dist(change, [0.0] * 12)
                moved = [c + d * min(1.0, 0.3 / reach) for c, d in zip(center, change, strict=True)]
            at = torch.tensor([min(max(m, 0.0), 1.0) for m in moved], dtype=torch.float64)
        torch.testing.assert_close(found[row], at, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_on_a_linear_loss_no_step_goes_down_and_the_ball_is_kept(norm) -> None:
    w = drawn(30, seed=4) - 0.5
    x = drawn(9, 30)
    keys = example_keys(0, torch.arange(9))
    losses = []
    for steps in range(1, 12):
        config = Attack.Config(norm=norm, epsilon=0.2, step=0.03, steps=steps)
        at = config.build()(lambda x: x @ w, x, keys=keys)
        losses.append(at @ w)
        change = at - x
        reach = change.abs().amax(1) if norm == "inf" else change.norm(dim=1)
        assert reach.max() <= 0.2 + 1e-15
    assert bool((torch.stack(losses).diff(dim=0) >= -1e-15).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_units_have_length_1_however_short_or_long_they_are_and_zeros_stay(dtype) -> None:
    x = drawn(7, 3, 64, dtype=dtype) - 0.5
    powers = torch.tensor([-300.0, -40, -25, 0, 25, 37, 300], dtype=torch.float64)
    scaled = (
        x.double() * 10 ** powers.clamp(*((-37, 37) if dtype == torch.float32 else (-300, 300)))[:, None, None]
    ).to(dtype)
    exact = x.double() / x.double().flatten(1).norm(dim=1)[:, None, None]
    torch.testing.assert_close(units(scaled).double(), exact, rtol=0, atol=100 * torch.finfo(dtype).eps)
    assert not units(torch.zeros(2, 5, dtype=dtype)).any()
    assert float(units(torch.full((1, 64), 1e-25)).norm()) == pytest.approx(1)


def test_a_step_has_its_length_where_the_squares_of_the_gradient_are_0() -> None:
    w = drawn(30, seed=4, dtype=torch.float32) - 0.5
    at = pgd(lambda x: 1e-30 * (x @ w), torch.zeros(2, 30), epsilon=1.0, step=0.1, steps=3, norm="l2")
    torch.testing.assert_close(at, (0.3 * w / w.norm()).expand(2, 30))


def test_starts_fill_the_ball_and_belong_to_the_example() -> None:
    x = torch.full((2000, 3), 0.5, dtype=torch.float64)
    keys = example_keys(7, torch.arange(2000))

    def flat(at):  # the gradient is 0, so that what is returned is the start
        return 0 * at.sum(1)

    for norm in ("inf", "l2"):
        attack = Attack.Config(norm=norm, epsilon=0.2, step=0.01, steps=1).build()
        whole = attack(flat, x, keys=keys) - 0.5
        assert torch.equal(attack(flat, x[30:40], keys=keys[30:40]), whole[30:40] + 0.5)
        assert whole.mean(0).abs().max() < 0.2 * 0.06
        reach = (whole.abs().amax(1) if norm == "inf" else whole.norm(dim=1)) / 0.2
        assert reach.max() <= 1 + 1e-12
        assert float((reach**3).mean()) == pytest.approx(0.5, abs=0.03)  # the volume inside is uniform
    other = attack(flat, x, keys=example_keys(8, torch.arange(2000))) - 0.5
    assert not torch.equal(other, whole)


def test_parameters_get_no_gradient_and_what_has_none_is_refused() -> None:
    network, loss = curved()
    x = drawn(9, 12)
    with torch.no_grad():
        assert slope(loss, x).abs().min() > 0
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not x.requires_grad
    for blind in (lambda at: at.round().detach(), lambda at: network(drawn(9, 12))):
        with pytest.raises(UnsupportedError, match="does not depend on the inputs by a differentiable path"):
            slope(blind, x)
    with pytest.raises(ConfigError, match="epsilon"):
        Attack.Config(epsilon=-0.1)


def test_the_raw_unit_of_an_image_is_the_pixel_in_0_to_1() -> None:
    steps = (Step(name="scale", high=255.0), Step(name="normalize", mean=(0.1, 0.5), std=(0.3, 0.2)))
    unit = RawUnit.of(Inputs(kind="image", shape=(2, 4, 4), low=0.0, high=255.0, preprocessing=steps))
    x = drawn(3, 2, 4, 4)
    torch.testing.assert_close(unit.raw(unit.seen(x)), x, rtol=0, atol=1e-15)
    assert float(unit.seen(x + 0.03)[0, 1, 0, 0] - unit.seen(x)[0, 1, 0, 0]) == pytest.approx(0.15)
    assert (unit.low, unit.high) == (0.0, 1.0)
    bare = RawUnit.of(Inputs(kind="image", shape=(2, 4, 4), low=-1.0, high=1.0))
    assert (bare.low, bare.high) == (-1.0, 1.0)
    assert bare.raw(x) is x
    table = RawUnit.of(Inputs(kind="table", shape=(2,), preprocessing=(Step(name="normalize", mean=(3,), std=(2,)),)))
    assert table == RawUnit()
