"""The range test is a training like any other but for its rate, leaves nothing behind, and reads a curve rightly."""

import math

import numpy as np
import pytest
import torch

from netsmith.api.experiments import find
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.keys import key
from netsmith.engine.experiment import Experiment
from netsmith.workflows.rate_range import rate_range, read_range

TWIN = {"data.twin": True}
SGD = {**TWIN, "optimizers.model.kind": "sgd", "optimizers.model.lr": 0.1}


def test_the_losses_are_those_of_descent_with_a_rising_rate(tmp_path, monkeypatch):
    """Against torch's optimizer in a loop of a few lines, over more than one epoch; no file is written."""
    monkeypatch.chdir(tmp_path)
    found = rate_range("mlp_digits", sets=SGD, low=1e-3, high=3.0, steps=12)
    assert found.rates == pytest.approx(np.geomspace(1e-3, 3.0, 12).tolist(), rel=1e-12)
    assert list(tmp_path.iterdir()) == []
    experiment = Experiment(find("mlp_digits", sets=SGD).config)
    method, source, losses = experiment.method, experiment.source, []
    order = [(epoch, indices) for epoch in range(12) for indices in source.order("train", seed=0, epoch=epoch)][:12]
    assert order[-1][0] > 0
    parameters = list(method.parameters())
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    for (epoch, indices), rate in zip(order, found.rates, strict=True):
        batch = source.load("train", indices, key=key(0, "augment", epoch))
        loss = torch.nn.functional.cross_entropy(method.model(batch.inputs), batch.targets)
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        losses.append(float(loss.detach()))
    assert found.losses == pytest.approx(losses, rel=1e-4)
    assert max(losses) > 1.1 * min(losses)


def test_it_finds_a_rate_that_learns_below_one_that_does_not():
    sets = {
        **SGD,
        "optimizers.model.weight_decay": 0.01,
    }  # above a rate of 200 it throws weights further than they were
    found = rate_range("mlp_digits", sets=sets, low=1e-4, high=1e5, steps=120)
    assert found.player == "model"
    assert 1e-3 < found.steepest < found.diverging < 1e4
    assert found.smoothed[0] > 2
    assert min(found.smoothed) < 0.5
    assert rate_range("mlp_digits", sets=sets, low=1e-4, high=1e5, steps=120) == found


def test_wrapped_optimizers_are_raised_within():
    plain = rate_range("mlp_digits", sets=SGD, low=1e-3, high=1, steps=12)
    inner = {"kind": "lookahead", "alpha": 1.0, "inner": {"kind": "sgd", "lr": 0.5}}  # it follows all the way: as sgd
    sets = SGD | {"optimizers.model": inner}
    sets = {name: value for name, value in sets.items() if not name.startswith("optimizers.model.")}
    assert rate_range("mlp_digits", sets=sets, low=1e-3, high=1, steps=12).losses == pytest.approx(plain.losses)


def test_a_player_of_several_is_raised_alone():
    found = rate_range("gan_gaussians", sets=TWIN, player="generator", steps=10)
    assert (found.player, len(found.losses)) == ("generator", 10)


RATES = np.geomspace(1e-4, 10, 101)
PLACES = np.log10(RATES)


def curve(fall=0.0, rise=math.inf, *, scale=1.0, shift=0.0):
    """A loss of 2 that falls around 10^-1.5 and is lost again around 10^0.5."""
    down = 1 / (1 + np.exp(-(PLACES - fall) / 0.1))
    up = 0 if math.isinf(rise) else 3 / (1 + np.exp(-(PLACES - rise) / 0.05))
    return (shift + scale * (2 - 1.9 * down + up)).tolist()


def test_a_curve_is_read_where_it_is_steepest_and_where_it_is_lost():
    for scale, shift in ((1.0, 0.0), (7.0, -20.0)):
        reading = read_range(RATES.tolist(), curve(-1.5, 0.5, scale=scale, shift=shift))
        assert math.log10(reading.steepest) == pytest.approx(-1.5, abs=0.06)  # rates are 0.05 apart
        assert math.log10(reading.diverging) == pytest.approx(0.5, abs=0.16)  # half of the fall comes a little before
    only_falls = read_range(RATES.tolist(), curve(-1.5))
    assert only_falls.diverging is None
    assert math.log10(only_falls.steepest) == pytest.approx(-1.5, abs=0.06)
    never = read_range(RATES.tolist(), np.linspace(1, 2, 101).tolist())
    assert (never.steepest, never.diverging) == (None, None)


def test_the_scatter_of_batches_is_no_fall_and_hides_none():
    for seed in range(200):
        noise = 0.1 * np.random.default_rng(seed).standard_normal(101)
        flat = read_range(RATES.tolist(), noise.tolist())
        assert (flat.steepest, flat.diverging) == (None, None)
        reading = read_range(RATES.tolist(), (np.array(curve(-1.5, 0.5)) + noise).tolist())
        assert math.log10(reading.steepest) == pytest.approx(-1.5, abs=0.3)
        assert math.log10(reading.diverging) == pytest.approx(0.5, abs=0.3)


@pytest.mark.parametrize(
    ("target", "named", "error", "message"),
    [
        (
            "mlp_digits",
            {"low": 1.0, "high": 0.1},
            ConfigError,
            "expected 0 < low < high and at least 10 steps, got low=1",
        ),
        ("mlp_digits", {"steps": 3}, ConfigError, "steps=3"),
        ("mlp_digits", {"player": "modle"}, ConfigError, "player='modle': whose rate is to rise.*did you mean 'model'"),
        ("gan_gaussians", {}, ConfigError, "whose rate is to rise"),
        ("naive_bayes_digits", {}, UnsupportedError, "learns without gradients, so it has no rate"),
        ("mlp_digits", {"low": 1e30, "high": 1e38}, UnsupportedError, "model was stepped 1 times in 1 steps"),
    ],
)
def test_what_cannot_be_tested_is_refused(target, named, error, message):
    with pytest.raises(error, match=message):
        rate_range(target, sets={**SGD, **TWIN} if target == "mlp_digits" else TWIN, **named)
