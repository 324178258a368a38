"""Labs of the classic learners: what they find is what is known, and their remarks follow the numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from netsmith.core.findings import Bars, Points
from netsmith.labs.foundations.decision_regions import DecisionRegions
from netsmith.labs.foundations.memorizing_function import MemorizingFunction
from netsmith.labs.foundations.play_tennis import Leaf, PlayTennis, Question, entropy, grow, information_gain
from netsmith.labs.foundations.polynomial_degrees import PolynomialDegrees
from netsmith.labs.foundations.projections import Projections


def test_the_cubic_is_fitted_best_by_degree_three_and_degree_five_explodes() -> None:
    found = PolynomialDegrees.Config().build().run()
    train, test = found.numbers["train"], found.numbers["test"]
    assert list(train) == sorted(train, reverse=True)
    assert min(test) == test[2]
    assert test[0] > 2 * test[2]
    assert test[4] > 5 * test[2]
    assert train[2] < 1 < test[2]  # on either side of the noise
    assert found.remarks[0] == (
        f"On fresh points the error is lowest at degree 3: {test[2]:.3g}; on the training points it is {train[2]:.3g} "
        "there."
    )
    assert [row[:3] for row in found.tables[0].rows] == [(at + 1, train[at], test[at]) for at in range(6)]


def test_a_training_set_without_noise_is_met_by_degree_three_and_the_remarks_follow() -> None:
    found = PolynomialDegrees.Config(noise=0.0, sets=3, degrees=3).build().run()
    assert found.numbers["train"][2] < 1e-20
    assert found.numbers["test"][2] < 1e-15
    assert len(found.remarks) == 3  # nothing is said about degrees beyond the best
    figure = found.figures[1]
    assert isinstance(figure, Points)
    truth, fit = figure.lines[0], figure.lines[2]
    assert (truth.name, fit.name) == ("the cubic", "degree 3")
    heights = dict(zip(truth.xs, truth.ys, strict=True))
    assert [heights[x] for x in fit.xs] == pytest.approx(list(fit.ys), abs=1e-8)


def test_numpys_polynomials_have_the_same_errors() -> None:
    config = PolynomialDegrees.Config(sets=1, degrees=4)
    found = config.build().run()
    points = found.figures[1].series[0]
    for degree, error in enumerate(found.numbers["train"], 1):
        fit = np.polynomial.Polynomial.fit(points.xs, points.ys, degree)
        assert error == pytest.approx(((fit(np.array(points.xs)) - points.ys) ** 2).mean(), rel=1e-6)


def test_what_is_stored_is_known_and_nothing_else() -> None:
    found = MemorizingFunction.Config().build().run()
    numbers = found.numbers
    assert numbers["test_images_stored"] == 0
    for name in ("true labels", "shuffled labels"):
        assert numbers[f"train/look-up table/{name}"] == 1
        near = 3 * math.sqrt(0.1 * 0.9 / numbers["test_images"])
        assert numbers[f"test/look-up table/{name}"] == pytest.approx(0.1, abs=near)
    assert numbers["test/nearest neighbor/true labels"] > 0.95
    assert numbers["train/nearest neighbor/shuffled labels"] == 1
    assert numbers["test/nearest neighbor/shuffled labels"] < 0.2
    assert numbers["train/logistic regression/shuffled labels"] < 0.4
    assert found.remarks[3].startswith(
        "No error on shuffled labels, from which nothing can be learned: look-up table, nearest neighbor."
    )


def test_play_tennis_has_the_textbooks_gains_and_tree() -> None:
    found = PlayTennis.Config().build().run()
    gains = {name: found.numbers[f"gain/{name}"] for name in ("outlook", "temperature", "humidity", "wind")}
    assert gains == pytest.approx(
        {"outlook": 0.247, "temperature": 0.029, "humidity": 0.152, "wind": 0.048}, abs=0.0005
    )
    assert found.numbers["entropy"] == pytest.approx(0.940286, abs=1e-6)
    assert found.tables[1].rows == (
        ("outlook overcast", "yes", 4),
        ("outlook rain, wind strong", "no", 2),
        ("outlook rain, wind weak", "yes", 3),
        ("outlook sunny, humidity high", "no", 3),
        ("outlook sunny, humidity normal", "yes", 2),
    )
    assert "outlook is asked first" in found.remarks[1]
    assert found.remarks[2] == (
        "With 3 questions and 5 leaves the tree answers 14 of 14 days right, and never asks for temperature."
    )
    chart = found.figures[0]
    assert isinstance(chart, Bars)
    assert chart.categories == ("all days", "outlook rain", "outlook sunny")
    assert chart.series[2].values[2] == pytest.approx(0.970951, abs=1e-6)  # humidity where it is sunny: all there is
    assert chart.series[0].values[1:] == (None, None)


def test_gain_is_mutual_information_and_the_tree_ends_where_attributes_do() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    rows = [tuple("abc"[value] for value in line) for line in rng.integers(3, size=(40, 3))]
    for column in (0, 1):
        nats = metrics.mutual_info_score([row[column] for row in rows], [row[-1] for row in rows])
        assert information_gain(rows, column) == pytest.approx(nats / math.log(2), abs=1e-12)
    assert entropy(["a"]) == 0
    tree = grow([("x", "no"), ("x", "yes"), ("x", "yes")], [0])
    assert tree == Question(0, (0.0,), (("x", Leaf("yes", 3)),))
    assert grow([("x", "yes"), ("x", "no")], []) == Leaf("no", 2)


def test_five_learners_draw_their_boundaries() -> None:
    found = DecisionRegions.Config(points=200, steps=60).build().run()
    fresh = {key: found.numbers[f"fresh/{key}"] for key in ("logistic", "svm_linear", "svm_rbf", "tree", "neighbors")}
    assert min(fresh["svm_rbf"], fresh["neighbors"]) > max(fresh["logistic"], fresh["svm_linear"])
    assert found.numbers["train/tree"] == 1
    assert found.remarks[1].startswith("From training to fresh points Decision tree loses most: 100 to")
    figures = {figure.name: figure for figure in found.figures}
    (boundary,) = figures["regions_logistic"].lines
    line = torch.tensor([boundary.xs, boundary.ys])
    assert line.isnan().sum(1).tolist() == [1, 1]  # in one piece
    centered = line[:, :-1] - line[:, :-1].mean(1, keepdim=True)
    assert torch.linalg.svdvals(centered)[1] < 1e-3 * torch.linalg.svdvals(centered)[0]  # a straight line
    (boundary,) = figures["regions_tree"].lines
    assert sum(map(len, (one.xs for one in figures["regions_tree"].series))) == 200
    along = torch.tensor([boundary.xs, boundary.ys]).diff()
    joined = along[:, ~along.isnan().any(0)]
    assert joined.norm(dim=0).max() < 0.15  # of a grid of 60 places over some four units: no jump within a piece
    assert (joined.abs().min(0).values < 1e-3).double().mean() > 0.6  # upright or level, but for the corners


def test_projections_of_a_rolled_sheet_and_of_digits() -> None:
    found = Projections.Config(count=40).build().run()
    follows = {key: found.numbers[f"follows/{key}"] for key in ("pca", "mds", "isomap", "lle")}
    assert follows["isomap"] > 0.99 > 0.5 > max(follows["pca"], follows["mds"])
    assert "best is Isomap" in found.remarks[2] or follows["lle"] > follows["isomap"]
    assert found.numbers["classical_scaling_from_pca"] < 1e-9
    assert found.numbers["stress/metric"] < found.numbers["stress/classical"]
    assert [figure.name for figure in found.figures] == [
        *(f"digits_{key}" for key in ("pca", "lda", "mds", "isomap", "lle")),
        *(f"sheet_{key}" for key in ("pca", "mds", "isomap", "lle")),
    ]
    assert [len(series.xs) for series in found.figures[0].series] == [40] * 5
    assert sum(len(series.xs) for series in found.figures[5].series) == 1000
