"""The labs of regularization: exact where theory is exact, and as far off as they say where it is not."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, LogisticRegression

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Bars, Lines, Points, Surface
from netsmith.labs.regularization._diabetes import read_diabetes
from netsmith.labs.regularization.dropout_ensemble import DropoutEnsemble, all_masks
from netsmith.labs.regularization.dropout_is_l2 import DropoutIsL2, logistic_fit
from netsmith.labs.regularization.early_stopping_is_l2 import EarlyStoppingIsL2
from netsmith.labs.regularization.noise_in_deep_networks import NoiseInDeepNetworks
from netsmith.labs.regularization.noise_is_a_penalty import NoiseIsAPenalty
from netsmith.labs.regularization.noisy_labels import NoisyLabels
from netsmith.labs.regularization.penalties import Penalties
from netsmith.labs.regularization.smoothing_conventions import SmoothingConventions, best_gap

# -- early stopping ---------------------------------------------------------------------------------------------------


def test_stopping_early_is_an_l2_penalty_in_each_direction():
    found = EarlyStoppingIsL2.Config(curvatures=(0.02, 0.9), rate=0.3, steps=25).build().run()
    numbers = found.numbers
    assert numbers["alpha"] == 1 / (25 * 0.3)
    assert numbers["formula_error"] < 1e-13
    assert numbers["exact_error"] < 1e-13
    for curvature, alpha in zip((0.02, 0.9), numbers["exact_alpha"], strict=True):
        wanted = brentq(lambda a, c=curvature: (1 - 0.3 * c) ** 25 - a / (c + a), 1e-9, 10)
        assert alpha == pytest.approx(wanted, rel=1e-6)
    surface, kept = found.figures
    assert isinstance(surface, Surface)
    assert isinstance(kept, Lines)
    assert f"{100 * numbers['apart']:.3g} % of the minimum's length" in found.remarks[1]


def test_the_two_agree_the_better_the_smaller_rate_times_curvature_and_steps():
    ratios = []
    for curvature in (0.1, 0.01, 0.001):
        found = EarlyStoppingIsL2.Config(curvatures=(curvature, curvature), rate=0.01, steps=100).build().run()
        ratios.append(found.numbers["exact_alpha"][0] / found.numbers["alpha"])
    assert [abs(one - 1) for one in ratios] == pytest.approx(
        [curvature / 2 for curvature in (0.1, 0.01, 0.001)], rel=0.05
    )


def test_the_widest_gap_of_many_steps_is_that_of_the_limit():
    """For many small steps what is kept is 1 - e^-x and x / (1 + x)."""
    x = np.linspace(0.01, 10, 100_001)
    gap = 1 - np.exp(-x) - x / (1 + x)
    short = EarlyStoppingIsL2.Config(steps=400, rate=0.0005).build().run().numbers
    assert short["widest_gap"] == pytest.approx(gap.max(), abs=1e-3)
    assert short["widest_gap_at"] == pytest.approx(x[gap.argmax()], rel=0.03)


def test_a_rate_that_overshoots_is_refused():
    with pytest.raises(ConfigError, match=r"rate=0.5 times the largest curvature 2 must be below 1"):
        EarlyStoppingIsL2.Config(curvatures=(0.1, 2.0), rate=0.5)


# -- dropout ----------------------------------------------------------------------------------------------------------


def test_masks_are_all_and_their_chances_sum_to_one():
    masks, chances = all_masks(4, 0.3)
    assert len({tuple(row) for row in masks.tolist()}) == 16
    assert float(chances.sum()) == pytest.approx(1, abs=1e-15)
    assert float(chances[masks.sum(1) == 4]) == pytest.approx(0.7**4)


@pytest.mark.parametrize("drop", [0.2, 0.5])
def test_a_softmax_layer_is_exactly_its_ensemble_and_a_hidden_layer_is_not(drop):
    found = DropoutEnsemble.Config(inputs=8, examples=60, drop=drop, seed=3).build().run()
    for name in ("softmax layer", "linear hidden layer"):
        assert found.numbers[f"geometric/{name}"] < 1e-13
        assert found.numbers[f"agree/{name}"] == 1
        assert found.numbers[f"arithmetic/{name}"] > 0.01
    for name in ("tanh hidden layer", "ReLU hidden layer"):
        assert found.numbers[f"geometric/{name}"] > 0.01
    gaps = found.numbers["mean_gap_by_scale"]
    assert gaps[0] < 0.02 * gaps[-1]
    assert isinstance(found.figures[0], Points)
    assert "(rounding)" in found.remarks[0]
    assert "(rounding)" not in found.remarks[3]


def test_the_l2_form_of_dropout_is_exact_for_linear_and_stated_for_logistic_regression():
    found = DropoutIsL2.Config(shares=(0.3, 0.5)).build().run()
    assert found.numbers["linear_error"] < 1e-13
    assert max(map(abs, found.numbers["error/0.25"])) < 0.015
    assert abs(found.numbers["error/2"][1]) > 0.05
    assert "-8.81 % off at weights times 2" in found.remarks[1]


def test_what_dropout_adds_is_what_random_masks_add():
    _, x, y = read_diabetes()
    w = logistic_fit(x, (y > y.median()).double(), 0.01)
    generator = torch.Generator().manual_seed(0)
    added = []
    for _ in range(400):
        mask = torch.rand(x.shape, dtype=torch.float64, generator=generator) >= 0.5
        added.append(
            float((torch.nn.functional.softplus(2 * (x * mask) @ w) - torch.nn.functional.softplus(x @ w)).sum())
        )
    exact = DropoutIsL2.Config(shares=(0.5,)).build().run().numbers["exact/1"][0]
    assert np.mean(added) == pytest.approx(exact, abs=5 * np.std(added) / 20)


def test_the_logistic_weights_are_scikit_learns():
    _, x, y = read_diabetes()
    classes = (y > y.median()).double()
    peer = LogisticRegression(C=1 / (0.01 * len(x)), fit_intercept=False, tol=1e-10, max_iter=1000)
    wanted = peer.fit(x.numpy(), classes.numpy()).coef_[0]
    assert logistic_fit(x, classes, 0.01).numpy() == pytest.approx(wanted, abs=1e-5)


# -- noise ------------------------------------------------------------------------------------------------------------


def test_noise_becomes_the_penalty():
    found = NoiseIsAPenalty.Config(copies=(1, 30, 900), draws=400).build().run()
    apart, ratios = found.numbers["apart"], found.numbers["ratio"]
    assert found.numbers["ridge_strength"] == 442 * 0.25
    assert (
        apart[0] > 3 * apart[1] > 9 * apart[2]
    )  # as one over the root of the copies, which is 5.5 from one to the next
    assert apart[2] < 0.01 < found.numbers["apart_without_noise"]
    gaps = [abs(ratio - 1) for ratio in ratios]
    assert gaps[0] < 1e-4
    for small, large in itertools.pairwise(gaps[1:]):  # proportional to the variance
        assert large / small == pytest.approx(10, rel=0.35)


def test_ridges_strength_is_where_the_expected_loss_is_least():
    """n sigma^2 |w|^2 is what normal noise adds, by its closed form and by chance."""
    _, x, y = read_diabetes()
    generator = torch.Generator().manual_seed(1)
    w = torch.linalg.lstsq(x, y).solution / 10
    plain = (y - x @ w).square().sum()
    added = [
        float((y - (x + 0.5 * torch.randn(x.shape, dtype=x.dtype, generator=generator)) @ w).square().sum() - plain)
        for _ in range(2000)
    ]
    assert np.mean(added) == pytest.approx(float(442 * 0.25 * w.square().sum()), abs=5 * np.std(added) / 2000**0.5)


# -- penalties and labels ---------------------------------------------------------------------------------------------


def test_penalties_have_the_zeros_of_coordinate_descent():
    found = Penalties.Config(strengths=(30.0, 10.0), steps=600).build().run()
    x, y = load_diabetes(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    for row, strength in enumerate((30.0, 10.0)):
        peer = Lasso(alpha=strength, fit_intercept=False, tol=1e-12).fit(x, y - y.mean()).coef_
        assert found.tables[0].rows[row][1:] == pytest.approx(tuple(peer), abs=1e-6)
        assert found.numbers["zeros/l1"][row] == (peer == 0).sum()
    assert found.numbers["distance/l1"] < 1e-6
    assert found.numbers["distance/l2"] < 1e-6
    assert found.numbers["zeros/l2"] == found.numbers["zeros/subgradient"] == (0, 0)
    assert found.numbers["entering"][0] == "bmi"
    assert "the zeros are the same" in found.remarks[1]


@pytest.mark.parametrize("over", ["all", "others"])
def test_the_best_gap_is_that_of_the_smoothed_target(over):
    share, classes = 0.2, 7
    other = share / classes if over == "all" else share / (classes - 1)
    true = 1 - share + (other if over == "all" else 0)
    assert best_gap(share, classes, over) == pytest.approx(math.log(true / other), abs=1e-12)


def test_the_conventions_are_one_loss_at_converted_shares():
    found = SmoothingConventions.Config(classes=3, shares=(0.3, 0.1), examples=50).build().run()
    assert found.numbers["converted"] == pytest.approx((0.15, 0.45))
    assert max(found.numbers["converted_difference"]) < 1e-13
    assert max(found.numbers["task_error"], found.numbers["greatest_slope"]) < 1e-13
    assert min(found.numbers["same_difference"]) > 0.01


def test_wrong_labels_cost_accuracy_and_are_told_apart():
    found = NoisyLabels.Config(shares=(0.0, 0.4), seeds=(0,), epochs=12, hidden=64).build().run()
    chart = found.figures[0]
    assert isinstance(chart, Bars)
    assert chart.categories == ("0 % wrong", "40 % wrong")
    for bar in chart.series:
        right, wrong = bar.values
        assert right > max(85, wrong + 2)
    assert found.numbers["fits_given_labels/plain/0.4"] < 0.9
    best = max(
        ("plain", "label smoothing (0.2)", "mixup (alpha 1)", "dropout (0.5)"),
        key=lambda way: found.numbers[f"test_accuracy/{way}/0.4"],
    )
    assert found.remarks[1].startswith(f"With 40 % of the labels wrong, test accuracy is: {best} ")


def test_gradient_noise_wakes_a_deep_network_whose_signal_has_died_out():
    found = NoiseInDeepNetworks.Config(epochs=20, seeds=1).build().run()
    accuracy = {name: value for name, value in found.numbers.items() if name.startswith("accuracy/")}
    (plain,), (noisy,) = accuracy["accuracy/poor/no noise"], accuracy["accuracy/poor/gradient noise"]
    assert noisy > 0.5 > 0.35 > plain
    assert (
        f"{100 * noisy:.1f} % with gradient noise ({100 * (noisy - plain):+.1f} points, one seed)" in found.remarks[0]
    )
    for number, name in ((1, "poor"), (2, "He")):
        drawn = [len(series.xs) for series in found.figures[number].series]
        ways = ("no noise", "gradient noise", "weight noise")
        assert drawn == [20 * len(found.numbers[f"accuracy/{name}/{way}"]) for way in ways]


def test_a_network_that_noise_makes_diverge_is_said_to():
    config = NoiseInDeepNetworks.Config(depth=3, units=8, epochs=2, seeds=2, scale=1e12, decay=0.0)
    found = config.derive(**{"data.twin": True}).build().run()
    for name, remark in zip(("poor", "He"), found.remarks, strict=True):
        assert found.numbers[f"diverged/{name}/gradient noise"] == 2
        assert found.numbers[f"diverged/{name}/no noise"] == 0
        assert "every seed diverges with gradient noise" in remark
    assert found.tables[0].rows[1][2:] == (None, 2)
