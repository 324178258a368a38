"""L1, L2, decoupled decay and noise, against closed forms, scikit-learn and what theory says of their spread."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso
from torch import nn

import toy
from netsmith.core.errors import ConfigError
from netsmith.optim.adam import Adam
from netsmith.optim.adamw import AdamW
from netsmith.optim.decoupled_decay import DecoupledDecay
from netsmith.optim.gradient_noise import GradientNoise
from netsmith.optim.l1_penalty import L1Penalty
from netsmith.optim.momentum import Momentum
from netsmith.optim.nesterov import Nesterov
from netsmith.optim.proximal_sgd import ProximalSGD, soft_threshold
from netsmith.optim.sgd import SGD
from netsmith.optim.weight_noise import WeightNoise


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    return torch.from_numpy(x), torch.from_numpy(y - y.mean())


def fit(config, diabetes, steps):
    """Full-batch descent on half the mean squared error."""
    x, y = diabetes
    w = nn.Parameter(torch.zeros(1, x.shape[1], dtype=torch.float64))
    optimizer = config.build({"w": w})
    hessian, slope = x.T @ x / len(y), x.T @ y / len(y)
    for _ in range(steps):
        w.grad = (w.detach() @ hessian - slope).clone()
        optimizer.step()
    return w.detach()[0]


def test_soft_threshold_minimizes_its_objective():
    grid = torch.linspace(-4, 4, 80001, dtype=torch.float64)
    for x in (-2.3, -0.4, 0.0, 0.9, 3.1):
        best = grid[(0.5 * (grid - x) ** 2 + 0.7 * grid.abs()).argmin()]
        assert soft_threshold(torch.tensor(x, dtype=torch.float64), 0.7).item() == pytest.approx(best.item(), abs=1e-4)


@pytest.mark.parametrize("strength", [1.0, 10.0])
def test_proximal_descent_finds_the_lassos_solution_with_its_zeros(diabetes, strength):
    x, y = diabetes
    ours = fit(ProximalSGD.Config(lr=0.45, l1=strength), diabetes, 6000).numpy()
    peer = Lasso(alpha=strength, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y).coef_
    assert ours == pytest.approx(peer, abs=1e-8)
    assert (ours == 0).tolist() == (peer == 0).tolist()
    assert (ours == 0).any()


def test_with_a_decay_it_is_the_elastic_net(diabetes):
    x, y = diabetes
    ours = fit(ProximalSGD.Config(lr=0.2, l1=3.0, weight_decay=0.5, decay_norms=True), diabetes, 2000)
    peer = ElasticNet(alpha=3.5, l1_ratio=3 / 3.5, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y)
    assert ours.numpy() == pytest.approx(peer.coef_, abs=1e-8)


def test_the_subgradient_comes_near_the_same_solution_and_has_no_zeros(diabetes):
    x, y = diabetes
    rate, strength = 0.002, 10.0
    config = L1Penalty.Config(inner=SGD.Config(lr=rate), strength=strength)
    ours = fit(config, diabetes, 8000).numpy()
    peer = Lasso(alpha=strength, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y).coef_
    assert ours == pytest.approx(peer, abs=2 * rate * strength)
    assert (ours != 0).all()
    assert abs(ours[peer == 0]).max() <= 2 * rate * strength  # the loss may pull as strongly as the penalty


@pytest.mark.parametrize("config", [SGD.Config(lr=0.2, weight_decay=0.5), Momentum.Config(lr=0.05, weight_decay=0.5)])
def test_an_l2_penalty_ends_at_the_ridge_closed_form(diabetes, config):
    x, y = diabetes
    eye = torch.eye(x.shape[1], dtype=torch.float64)
    wanted = torch.linalg.solve(x.T @ x + 0.5 * len(y) * eye, x.T @ y)
    assert torch.allclose(fit(config, diabetes, 500), wanted, rtol=0, atol=1e-9)


def walk(config, steps=12, *, shape=(3, 2)):
    generator = torch.Generator().manual_seed(0)
    p = nn.Parameter(torch.randn(shape, dtype=torch.float64, generator=generator))
    optimizer = config.build({"p": p})
    for _ in range(steps):
        p.grad = p.detach().sin() + 0.3
        optimizer.step()
    return p.detach()


def test_decoupled_decay_is_l2_for_plain_descent_only_and_adamw_around_adam():
    plain = walk(SGD.Config(lr=0.1, weight_decay=0.2))
    assert torch.allclose(plain, walk(DecoupledDecay.Config(inner=SGD.Config(lr=0.1), strength=0.2)), atol=1e-14)
    around = walk(DecoupledDecay.Config(inner=Adam.Config(lr=0.1), strength=0.2))
    assert torch.allclose(around, walk(AdamW.Config(lr=0.1, weight_decay=0.2)), rtol=0, atol=1e-14)
    assert (around - walk(Adam.Config(lr=0.1, weight_decay=0.2))).abs().max() > 0.01
    slow = walk(DecoupledDecay.Config(inner=SGD.Config(lr=0.1, momentum=0.9), strength=0.2))
    assert (slow - walk(SGD.Config(lr=0.1, momentum=0.9, weight_decay=0.2))).abs().max() > 0.01


def test_vectors_are_spared_where_they_are_to_be():
    for config in (
        ProximalSGD.Config(lr=0.1, l1=0.5, weight_decay=0.3),
        L1Penalty.Config(inner=SGD.Config(lr=0.1), strength=0.5),
        DecoupledDecay.Config(inner=SGD.Config(lr=0.1), strength=0.5, vectors=False),
    ):
        assert torch.equal(walk(config, shape=(4,)), walk(SGD.Config(lr=0.1), shape=(4,)))
        assert not torch.equal(walk(config), walk(SGD.Config(lr=0.1)))
    pulled = walk(L1Penalty.Config(inner=SGD.Config(lr=0.1), strength=0.5, vectors=True), shape=(4,))
    assert not torch.equal(pulled, walk(SGD.Config(lr=0.1), shape=(4,)))


# -- noise ------------------------------------------------------------------------------------------------------------


def test_gradient_noise_fades_as_the_paper_says():
    torch.manual_seed(5)
    p = nn.Parameter(torch.zeros(40_000, dtype=torch.float64))
    optimizer = GradientNoise.Config(inner=SGD.Config(lr=1.0), scale=0.3).build({"p": p})
    for step in range(30):
        before = p.detach().clone()
        p.grad = torch.ones_like(p)
        optimizer.step()
        noise = -(p.detach() - before) - 1
        assert noise.var().item() == pytest.approx(0.3 / (1 + step) ** 0.55, rel=0.04)  # 5 deviations: 5 sqrt(2 / n)
        assert abs(noise.mean().item()) < 5 * (0.3 / 40_000) ** 0.5


def test_weight_noise_is_there_for_the_gradient_and_gone_after():
    torch.manual_seed(5)
    p, q = (nn.Parameter(torch.linspace(1, 2, 20_000, dtype=torch.float64)) for _ in range(2))
    optimizer = WeightNoise.Config(inner=SGD.Config(lr=1e-300), std=0.2).build({"p": p, "q": q})
    start, seen = p.detach().clone(), []

    def gradient():
        seen.append((p.detach().clone() - start, q.detach().clone() - start))
        p.grad, q.grad = torch.ones_like(p), None
        return 1.5

    assert [optimizer.step(gradient) for _ in range(2)] == [1.5, 1.5]
    assert torch.equal(p, start)
    assert torch.equal(q, start)
    draws = [draw for pair in seen for draw in pair]
    for draw in draws:
        assert draw.std().item() == pytest.approx(0.2, rel=0.03)
    correlations = np.corrcoef(torch.stack(draws).numpy()) - np.eye(4)
    assert abs(correlations).max() < 5 / 20_000**0.5  # four independent draws


def test_two_kinds_of_noise_are_independent():
    torch.manual_seed(5)
    p = nn.Parameter(torch.zeros(20_000, dtype=torch.float64))
    inner = GradientNoise.Config(inner=SGD.Config(lr=1.0), scale=1.0, decay=0.0)
    optimizer = WeightNoise.Config(inner=inner, std=1.0).build({"p": p})
    draws = []
    for _ in range(3):
        before, seen = p.detach().clone(), []

        def gradient(seen=seen, before=before):
            seen.append(p.detach() - before)
            p.grad = torch.zeros_like(p)
            return 0.0

        optimizer.step(gradient)
        draws += [*seen, before - p.detach()]
    correlations = np.corrcoef(torch.stack(draws).numpy()) - np.eye(6)
    assert abs(correlations).max() < 5 / 20_000**0.5


def test_the_runs_seed_decides_the_noise():
    method = toy.Supervised.Config(model=toy.Net.Config())
    config = toy.config(
        method=method, optimizers={"model": GradientNoise.Config(inner=SGD.Config(lr=0.1))}, steps=3, epochs=0
    )
    noises = []
    for seed in (0, 0, 1):
        optimizer = toy.engine(config.derive(seed=seed)).updater.players["model"].optimizer
        noises.append(optimizer._key)
    assert noises[0] == noises[1] != noises[2]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1Penalty.Config(inner=SGD.Config(lr=0.1), strength=0.0), "strength.*greater than 0"),
        (lambda: ProximalSGD.Config(lr=0.1), r"ProximalSGD\.Config\.l1 is required"),
        (
            lambda: GradientNoise.Config(inner=Nesterov.Config(lr=0.1)),
            "inner=nesterov asks for the loss itself, and gra",
        ),
        (lambda: WeightNoise.Config(inner=Nesterov.Config(lr=0.1)), "weight_noise gives it one gradient"),
        (
            lambda: WeightNoise.Config(
                inner=L1Penalty.Config(inner=WeightNoise.Config(inner=SGD.Config(lr=0.1)), strength=1.0)
            ),
            "inner=weight_noise asks for the loss itself, and l1_penalty gives it one gradient",
        ),
        (
            lambda: GradientNoise.Config(
                inner=L1Penalty.Config(inner=GradientNoise.Config(inner=SGD.Config(lr=0.1)), strength=1.0)
            ),
            "there is a gradient_noise inside this one",
        ),
        (
            lambda: DecoupledDecay.Config(inner=AdamW.Config(lr=0.1), strength=0.1),
            r"inner=adamw has a weight_decay of its own \(0\.01\)",
        ),
        (
            lambda: DecoupledDecay.Config(
                inner=L1Penalty.Config(inner=SGD.Config(lr=0.1, weight_decay=0.5), strength=0.1), strength=0.1
            ),
            r"inner=sgd has a weight_decay of its own \(0\.5\)",
        ),
        (
            lambda: DecoupledDecay.Config(
                inner=L1Penalty.Config(
                    inner=DecoupledDecay.Config(inner=SGD.Config(lr=0.1), strength=0.2), strength=0.1
                ),
                strength=0.1,
            ),
            r"inner=decoupled_decay has a strength of its own \(0\.2\)",
        ),
        (
            lambda: DecoupledDecay.Config(inner=L1Penalty.Config(inner=SGD.Config(lr=0.5), strength=0.1), strength=2.0),
            r"strength=2 at lr=0\.5 takes 1 of each weight away.*below 1",
        ),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
