"""Labs of the foundations: what they find is what theory knows."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Pictures, Points
from netsmith.labs.foundations._attention_errors import heads_of, scaled_attention
from netsmith.labs.foundations._separation import Impossible, Unit, separate
from netsmith.labs.foundations.course_errors import CourseErrors, clipped, logistic_loss
from netsmith.labs.foundations.hebbian_components import HebbianComponents
from netsmith.labs.foundations.least_mean_squares import LeastMeanSquares
from netsmith.labs.foundations.maximum_margin import MaximumMargin, machine
from netsmith.labs.foundations.perceptron_bound import PerceptronBound, widest_margin
from netsmith.labs.foundations.threshold_gates import ThresholdGates

# -- threshold units --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "count"), [(1, 4), (2, 14), (3, 104)])
def test_a_unit_computes_the_known_number_of_functions_and_the_others_are_proven_impossible(size, count) -> None:
    points = list(itertools.product((0, 1), repeat=size))
    possible = 0
    for answers in itertools.product((0, 1), repeat=len(points)):
        found = separate(points, answers)
        if isinstance(found, Unit):
            sums = [sum(w * x for w, x in zip(found.weights, point, strict=True)) for point in points]
            assert tuple(int(one >= found.threshold) for one in sums) == answers
            possible += 1
        else:  # the inequalities s (w x - theta) > 0, s = 1 or -1, with these factors add up to 0 > 0
            assert min(found.multipliers) >= 0 < max(found.multipliers)
            signs = [times * (2 * answer - 1) for times, answer in zip(found.multipliers, answers, strict=True)]
            rows = [(*point, -1) for point in points]
            assert [sum(s * row[at] for s, row in zip(signs, rows, strict=True)) for at in range(size + 1)] == [0] * (
                size + 1
            )
    assert possible == count


def test_parity_and_a_middle_apart_from_both_ends_are_impossible() -> None:
    points = list(itertools.product((0, 1), repeat=3))
    assert isinstance(separate(points, [sum(point) % 2 for point in points]), Impossible)
    assert separate([(0,), (1,), (2,), (3,)], [0, 0, 1, 1]) == Unit((3,), 4)
    assert isinstance(separate([(0,), (1,), (2,)], [0, 1, 0]), Impossible)


def test_threshold_gates_count_and_draw() -> None:
    found = ThresholdGates.Config().build().run()
    counts = {name: [found.numbers[f"{name}/{size}"] for size in (1, 2, 3)] for name in ("functions", "one_unit")}
    assert counts == {"functions": [4, 16, 256], "one_unit": [4, 14, 104]}
    assert [found.numbers[f"two_layers/{size}"] for size in (1, 2, 3)] == [4, 16, 256]
    tables = found.tables[0]
    columns = dict(zip(tables.columns, zip(*tables.rows, strict=True), strict=True))
    assert columns["xor"] == (0, 1, 1, 0)
    assert columns["nand"] == (1, 1, 1, 0)
    assert [row[1] for row in found.tables[1].rows if row[2] is None] == ["xor", "xnor"]
    assert [remark.split(":")[0] for remark in found.remarks[3:]] == ["No unit computes xor", "No unit computes xnor"]
    xor = found.figures[2]
    assert isinstance(xor, Points)
    assert xor.series[1].xs == (0.0, 1.0)
    assert [line.name for line in xor.lines] == ["x1 + x2 = 0.5", "- x1 - x2 = -1.5"]
    assert [[x + y for x, y in zip(line.xs, line.ys, strict=True)] for line in xor.lines] == [[0.5, 0.5], [1.5, 1.5]]


# -- perceptron -------------------------------------------------------------------------------------------------------


def test_the_widest_margin_is_that_of_a_hard_support_vector_machine() -> None:
    svm = pytest.importorskip("sklearn.svm")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    y = (x @ [1.0, -2.0, 0.5, 0.0] > 0).astype(int)
    x += 1.0 * (2 * y[:, None] - 1) * [1.0, -2.0, 0.5, 0.0]
    signed = np.concatenate([x * (2 * y[:, None] - 1), -x * (2 * y[:, None] - 1)])  # mirrored: its plane has no offset
    machine = svm.SVC(kernel="linear", C=1e4, tol=1e-8).fit(signed, np.repeat([1, 0], 60))
    found = widest_margin(torch.as_tensor(x), torch.as_tensor(y))
    assert found == pytest.approx(1 / np.linalg.norm(machine.coef_), rel=1e-5)


def test_no_perceptron_makes_more_mistakes_than_novikoff_allows() -> None:
    found = PerceptronBound.Config(margins=(0.4, 0.1, 0.05), draws=2).build().run()
    assert found.numbers["ratios"] == pytest.approx((0.4, 0.4, 0.1, 0.1, 0.05, 0.05), abs=1e-9)
    mistakes, bounds = found.numbers["mistakes"], found.numbers["bounds"]
    assert all(1 <= made <= bound for made, bound in zip(mistakes, bounds, strict=True))
    assert bounds == pytest.approx([ratio**-2 for ratio in found.numbers["ratios"]])
    data, kinds = pytest.importorskip("sklearn.datasets").load_iris(return_X_y=True)
    signed = np.concatenate([data, np.ones((150, 1))], 1) * np.where(kinds == 0, 1, -1)[:, None]
    machine = pytest.importorskip("sklearn.svm").SVC(kernel="linear", C=1e4, tol=1e-8)
    machine.fit(np.concatenate([signed, -signed]), np.repeat([1, 0], 150))
    bound = np.square(signed).sum(1).max() * np.square(machine.coef_).sum()
    assert found.numbers["bound/iris"] == pytest.approx(bound, rel=1e-5)
    assert 1 <= found.numbers["mistakes/iris"] <= bound
    assert found.remarks[0].startswith("7 of 7 perceptrons made at most")
    assert len(found.remarks) == 3
    hurried = PerceptronBound.Config(margins=(0.02,), draws=1, passes=1).build().run()
    assert hurried.remarks[-1] == "2 of 2 still made mistakes in their last pass."


# -- least mean squares -----------------------------------------------------------------------------------------------


def test_least_mean_squares_converges_below_its_limit_and_grows_above() -> None:
    found = LeastMeanSquares.Config(factors=(0.5, 0.99, 1.01), steps=250, passes=3).build().run()
    numbers = found.numbers
    assert numbers["limit"] == pytest.approx(2 / numbers["lambda_max"])
    for factor in (0.5, 0.99, 1.01):
        name = f"{factor:g} of the limit"
        assert numbers[f"distance/{name}"] == pytest.approx(numbers[f"expected/{name}"], rel=1e-8)
    assert numbers["growth/1.01 of the limit"] == pytest.approx(1.02, abs=1e-4)
    assert numbers["distance/0.5 of the limit"] < 1e-3 < 10 < numbers["distance/1.01 of the limit"]
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression()
    data = pytest.importorskip("sklearn.datasets").load_iris().data
    residuals = data[:, 3] - linear.fit(data[:, :3], data[:, 3]).predict(data[:, :3])
    assert numbers["error/least_squares"] == pytest.approx(np.square(residuals).mean(), rel=1e-9)
    assert numbers["error/0.5 of the limit"] == pytest.approx(numbers["error/least_squares"], rel=1e-5)
    wild = LeastMeanSquares.Config(factors=(4.0,), steps=500, passes=1).build().run()
    assert wild.numbers["distance/4 of the limit"] > 1e100
    assert "in 119 steps" in wild.remarks[1]


# -- Hebb -------------------------------------------------------------------------------------------------------------


def test_hebbs_norm_grows_and_ojas_and_sangers_units_are_the_principal_components() -> None:
    found = HebbianComponents.Config(components=3).build().run()
    decomposition = pytest.importorskip("sklearn.decomposition")
    data = pytest.importorskip("sklearn.datasets").load_digits().data / 16
    peer = decomposition.PCA(3).fit(data)
    variances = peer.explained_variance_ * (len(data) - 1) / len(data)
    assert found.numbers["eigenvalues"] == pytest.approx(variances, rel=1e-9)
    assert found.numbers["growth/hebb"] == pytest.approx(1 + 0.5 * variances[0], rel=1e-6)
    assert found.numbers["norm/hebb"][0] > 1e70
    assert found.numbers["norm/oja"] == pytest.approx((1.0,), abs=1e-9)
    assert max(*found.numbers["angle/oja"], *found.numbers["angle/sanger"]) < 1e-6
    pictures = found.figures[2]
    assert isinstance(pictures, Pictures)
    for at in range(3):
        drawn = np.array(pictures.pictures[3 + at].values).ravel()
        assert drawn * np.sign(drawn @ peer.components_[at]) == pytest.approx(peer.components_[at], abs=1e-6)


# -- errors of course notes -------------------------------------------------------------------------------------------


def test_the_six_errors_have_the_known_figures() -> None:
    found = CourseErrors.Config(layers=3).build().run()
    numbers = found.numbers

    def of(name: str) -> tuple[float, ...]:
        return tuple(numbers[f"{name}/{form}"] for form in ("noted", "meant", "wanted"))

    assert of("first weights/standard deviation at layer 1") == pytest.approx((206.4, 0.8256, 0.82565), rel=2e-3)
    assert of("clipping/norm of [3, 4] clipped to 1") == pytest.approx((0.2, 1.0, 1.0), abs=1e-6)
    assert of("softmax/sum of a row's shares") == pytest.approx((0.125, 1.0, 1.0))
    noted, meant, _ = of("softmax/largest difference from torch")
    assert noted > 0.5 > 1e-12 > meant
    assert of("heads/share of numbers at another position's place") == (0.875, 0.0, 0.0)
    assert of("heads/fewest positions that a head sees") == (2.0, 8.0, 8.0)
    noted, meant, _ = of("heads/largest difference from torch")
    assert noted > 0.5 > 1e-12 > meant
    noted, meant, wanted = of("logistic loss/share called class 1")
    assert noted > 2 * wanted
    assert meant == pytest.approx(wanted, abs=0.03)
    noted, meant, wanted = of("logistic loss/cross entropy, nats")
    assert wanted < meant < wanted + 0.01 < noted
    assert of("normal density/area") == pytest.approx((math.sqrt(2), 1.0, 1.0), abs=1e-9)
    assert of("normal density/density at 0") == pytest.approx((1 / math.sqrt(math.pi), *[0.3989422804] * 2))
    assert len(found.figures) == len(found.remarks) == 6


def test_the_formulas_as_meant_are_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    small = torch.tensor([0.3, 0.4])
    assert torch.equal(clipped(small, 1.0, squared=False), small)
    logits, y = torch.randn(9, generator=generator), (torch.arange(9) % 2).float()
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    assert logistic_loss(logits, y, both=True).item() == pytest.approx(theirs.item(), abs=1e-6)
    x = torch.randn(2, 5, 12, generator=generator)
    assert torch.equal(heads_of(x, 3, transposed=True)[:, 1], x[:, :, 4:8])
    assert scaled_attention(x, x, after=False).sum(-1).numpy() == pytest.approx(1.0, abs=1e-6)


def test_a_seed_changes_what_is_drawn_and_leaves_the_default_generator_alone() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    small = {"layers": 2, "units": 20, "batch": 20, "steps": 5}
    one, other = (CourseErrors.Config(seed=seed, **small).build().run() for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert one.remarks[0] != other.remarks[0]
    assert one.remarks[1] == other.remarks[1]


# -- the widest margin ------------------------------------------------------------------------------------------------


def test_the_hard_margin_is_the_distance_of_the_hulls_and_support_vectors_lie_on_it() -> None:
    pytest.importorskip("sklearn")
    found = MaximumMargin.Config(points=40, sweep=5).build().run()
    numbers = found.numbers
    assert numbers["margin/hard"] == pytest.approx(numbers["hull_distance"], rel=2e-3)
    assert numbers["on_margin/hard"] == numbers["support_vectors/hard"] <= 4
    assert (numbers["inside/hard"], numbers["wrong/hard"], numbers["at_bound/hard"]) == (0, 0, 0)
    gaps = [value for name, value in numbers.items() if name.startswith("duality_gap/")]
    assert len(gaps) == 4
    assert all(-1e-9 < gap < 2e-3 for gap in gaps)
    widths, counts = numbers["sweep/margin"], numbers["sweep/support_vectors"]
    assert list(widths) == sorted(widths, reverse=True)
    assert counts[0] > counts[-1]
    assert widths[0] == numbers["margin/C = 0.01"]
    assert f"the margin goes from {widths[0]:.3g} to {widths[-1]:.3g}" in found.remarks[2]
    boundary, edges, rings = found.figures[0].lines
    (a, b), (c, d) = (torch.tensor([line.xs[:2], line.ys[:2]]).T for line in (boundary, edges))
    way = (b - a) / (b - a).norm()
    normal = torch.stack([-way[1], way[0]])
    assert abs(float((c - a) @ normal)) == pytest.approx(numbers["margin/hard"] / 2, rel=1e-4)
    assert abs(float((d - c) @ normal)) < 1e-4  # parallel
    assert sum(map(math.isnan, rings.xs)) == numbers["support_vectors/hard"]
    with pytest.raises(ConfigError, match="apart=1: no line lies between the classes"):
        MaximumMargin.Config(apart=1.0).build().run()
    with pytest.raises(ConfigError, match="ascending, each once"):
        MaximumMargin.Config(strengths=(1.0, 0.1)).build()


@pytest.mark.parametrize("strength", [0.05, 2.0])
def test_the_soft_margin_is_the_minimum_that_another_solver_finds(strength) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(20, 2, generator=generator, dtype=torch.float64)
    y = torch.arange(20) % 2
    x[y == 1] += 1.5
    signs = (1 - 2 * y).double().numpy()
    rows = signs[:, None] * np.c_[x.numpy(), np.ones(20)]
    # over (w, b, slacks): a quadratic program with linear constraints
    solved = optimize.minimize(
        lambda v: v[:2] @ v[:2] / 2 + strength * v[3:].sum(),
        np.r_[np.zeros(3), np.ones(20)],
        constraints=[{"type": "ineq", "fun": lambda v: rows @ v[:3] - 1 + v[3:]}],
        bounds=[(None, None)] * 3 + [(0, None)] * 20,
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    ours = machine(x, y, strength=strength)
    assert ours.normal.tolist() == pytest.approx(solved.x[:2].tolist(), abs=5e-3)
    assert ours.dual - 1e-9 <= solved.fun <= ours.primal + 1e-9
    assert ours.primal == pytest.approx(solved.fun, rel=1e-3)
