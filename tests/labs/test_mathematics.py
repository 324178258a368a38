"""The mathematics labs: exact facts, independent implementations, and remarks that follow from the numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.findings import Findings, Lines
from netsmith.core.registry import find_kind
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics import convolution
from netsmith.labs.mathematics._motion import euler, follow, leapfrog, runge_kutta, semi_implicit
from netsmith.labs.mathematics._normal import binomial, normal_cdf
from netsmith.labs.mathematics._two_by_two import mean_and_product
from netsmith.labs.mathematics.bayes_factor import counted, factors, posterior
from netsmith.labs.mathematics.black_scholes import black_scholes, crank_nicolson, simulated
from netsmith.labs.mathematics.central_limit import (
    bernoulli_distance,
    exponential_distance,
    irwin_hall,
    uniform_distance,
)
from netsmith.labs.mathematics.change_of_basis import in_basis
from netsmith.labs.mathematics.convolution import convolve, correlate2d, fft_convolve
from netsmith.labs.mathematics.determinant import leibniz, shoelace
from netsmith.labs.mathematics.distributions import gaussian_integral, polar_integral
from netsmith.labs.mathematics.eigenvalues import power_iteration, with_eigenvalues
from netsmith.labs.mathematics.elimination import eliminate
from netsmith.labs.mathematics.entropy import cross_entropy, divergence, entropy_of, huffman, mutual_information
from netsmith.labs.mathematics.fourier import dft_matrix, gibbs_limit, overshoot, square_wave
from netsmith.labs.mathematics.heat_equation import exact_heat, explicit_heat, growth
from netsmith.labs.mathematics.matrix_exponential import by_eigenvectors, exponential
from netsmith.labs.mathematics.pendulum import energy, pendulum_force
from netsmith.labs.mathematics.taylor_series import radius, taylor
from netsmith.labs.mathematics.two_bodies import angular_momentum, gravity, orbit_energy, perihelion

linalg = pytest.importorskip("scipy.linalg")
signal = pytest.importorskip("scipy.signal")
stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")


def run(name: str, **fields: Any) -> Findings:
    return find_kind(LabConfig, name)().derive(**fields).build().run()


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape)


# -- linear algebra ---------------------------------------------------------------------------------------------------


def test_a_determinant_is_the_factor_of_area() -> None:
    for size in (1, 2, 3, 5):
        for matrix in random(20, size, size):
            assert leibniz(matrix) == pytest.approx(np.linalg.det(matrix), abs=1e-12)
    assert shoelace(np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 3.0)])) == 6
    found = run("determinant", matrix=[[0.0, 2.0], [3.0, 1.0]])
    for name, factor in (("stretch", 0.75), ("shear", 1), ("rotation", 1), ("reflection", -1), ("projection", 0)):
        assert found.numbers[f"area_ratio/{name}"] == pytest.approx(factor, abs=1e-14)
        assert found.numbers[f"determinant/{name}"] == pytest.approx(factor, abs=1e-14)
    assert found.numbers["area_ratio/yours"] == pytest.approx(-6)
    assert found.numbers["volume_error"] < 1e-12
    assert "area becomes 6 times what it was, and the outline runs the other way round" in found.remarks[5]
    assert "no area left" in found.remarks[4]


@pytest.mark.parametrize("pivoting", [True, False])
def test_elimination_is_lu_and_solves(pivoting) -> None:
    matrix = random(12, 12)
    found = eliminate(matrix, pivoting=pivoting)
    np.testing.assert_allclose(found.lower @ found.upper, matrix[found.order], atol=1e-12)
    assert np.array_equal(found.lower, np.tril(found.lower))
    assert np.array_equal(found.upper, np.triu(found.upper))
    right = random(12)
    np.testing.assert_allclose(found.solve(right), np.linalg.solve(matrix, right), atol=1e-11)
    if pivoting:
        order, lower, upper = linalg.lu(matrix, p_indices=True)
        np.testing.assert_allclose(found.lower[np.argsort(found.order)], lower[order], atol=1e-13)
        np.testing.assert_allclose(found.upper, upper, atol=1e-13)


def test_without_pivoting_a_tiny_pivot_loses_the_solution() -> None:
    assert eliminate([[1e-20, 1], [1, 1]], pivoting=False).solve([1, 2]).tolist() == [
        0,
        1,
    ]  # Trefethen & Bau, lecture 20
    assert eliminate([[1e-20, 1], [1, 1]]).solve([1, 2]).tolist() == [1, 1]
    with pytest.raises(DataError, match="pivot 1 is 0; expected a matrix of full rank, or pivoting=True"):
        eliminate([[0, 1], [1, 1]], pivoting=False)
    with pytest.raises(DataError, match="pivot 2 is 0"):
        eliminate([[1, 2], [2, 4]])
    with pytest.raises(ConfigError, match="a square matrix of 3 rows"):
        run("elimination", matrix=[[1.0, 2.0], [3.0, 4.0]])
    found = run("elimination", sizes=[20], repeats=1)
    assert found.numbers["solution"] == pytest.approx((2, 3, -1), abs=1e-14)
    assert max(found.numbers["small_pivot/with pivoting"]) < 1e-15
    assert max(found.numbers["small_pivot/without"]) >= 1


def test_eigenvalues_are_mean_plus_and_minus() -> None:
    first, second = mean_and_product([[3, 1], [4, 1]])
    assert (first, second) == pytest.approx((2 + math.sqrt(5), 2 - math.sqrt(5)))
    assert mean_and_product([[0, -1], [1, 0]]) == (1j, -1j)
    for matrix in random(50, 2, 2):
        ours = sorted(mean_and_product(matrix), key=lambda one: (one.real, one.imag))
        assert ours == pytest.approx(np.sort_complex(np.linalg.eigvals(matrix)).tolist(), abs=1e-13)


def test_power_iteration_finds_the_first_eigenvector() -> None:
    matrix = with_eigenvalues((1.0, 0.5, 0.2), np.random.default_rng(0))
    vector, quotients = power_iteration(matrix, np.ones(3), 60)
    assert abs(np.linalg.eigh(matrix)[1][:, -1] @ vector) == pytest.approx(1, abs=1e-14)
    assert quotients[-1] == pytest.approx(1, abs=1e-14)
    found = run("eigenvalues", ratios=[0.6, 0.9])
    assert found.numbers["rate/0.6"] == pytest.approx(0.36, abs=1e-4)
    assert found.numbers["rate/0.9"] == pytest.approx(0.81, abs=1e-3)


def test_a_basis_of_eigenvectors_makes_a_map_diagonal() -> None:
    told = in_basis(np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([[1.0, -1.0], [0.0, 1.0]]))
    assert told.tolist() == [[3, 0], [0, 2]]
    found = run("change_of_basis")
    assert found.numbers["coordinates"] == (2, 3)
    assert "diagonal, it only stretches, by 3 and 2" in found.remarks[1]
    assert max(found.numbers[f"{name}_apart"] for name in ("trace", "determinant", "spectrum")) < 1e-12
    other = run("change_of_basis", basis=[[1.0, 1.0], [1.0, 2.0]])
    assert "not diagonal" in other.remarks[1]
    assert other.numbers["power_error"] < 1e-12
    with pytest.raises(ConfigError, match="its columns lie on one line"):
        run("change_of_basis", basis=[[1.0, 2.0], [1.0, 2.0]])


# -- analysis ---------------------------------------------------------------------------------------------------------


def test_taylor_series_and_their_radius() -> None:
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(taylor("sin x", x, 25), np.sin(x), atol=1e-15)
    np.testing.assert_allclose(taylor("exp x", x, 30), np.exp(x), atol=1e-14)
    assert taylor("log(1 + x)", 1.0, 2000) == pytest.approx(math.log(2), abs=3e-4)
    assert radius("log(1 + x)", 100) == pytest.approx(100 / 99)
    assert radius("sin x", 101) == pytest.approx(math.sqrt(101 * 100))
    found = run("taylor_series", places=[0.5, 1.2])
    assert found.numbers["bound_holds"] == 1
    assert "falls from" in found.remarks[3]
    assert "grows from" in found.remarks[4]


def test_rules_of_differentiation_and_the_best_step() -> None:
    found = run("derivative_rules", points=201)
    assert max(found.numbers[f"rule/{name}"] for name in ("product", "quotient", "chain")) < 1e-14
    for name, best, order in (("forward", 2**-26, 1), ("central", 2 ** (-52 / 3), 2)):
        assert 0.1 < found.numbers[f"best_step/{name}"] / best < 10
        assert found.numbers[f"order/{name}"] == pytest.approx(order, abs=0.02)
    assert found.numbers["least_error/central"] < found.numbers["least_error/forward"] / 100


def test_fourier_gibbs_and_the_dft_matrix() -> None:
    limit = integrate.quad(lambda t: math.sin(t) / t, 0, math.pi)[0] / math.pi - 0.5
    assert gibbs_limit() == pytest.approx(limit, abs=1e-14)
    assert gibbs_limit() == pytest.approx(0.08949, abs=5e-6)
    assert overshoot(1000) == pytest.approx(limit, abs=1e-7)
    x = np.linspace(0, math.pi / 20, 2001)
    assert square_wave(x, 20).max() == pytest.approx(1 + 2 * overshoot(20), abs=1e-6)  # it is the highest place
    for size in (7, 16):
        matrix, x = dft_matrix(size), random(size)
        np.testing.assert_allclose(matrix @ x, np.fft.fft(x), atol=1e-13)
        np.testing.assert_allclose(matrix @ matrix.conj().T, size * np.eye(size), atol=1e-12)
        assert (np.abs(matrix @ x) ** 2).sum() / size == pytest.approx((x**2).sum(), rel=1e-14)
    found = run("fourier", frequencies=[4.0, 21.0], noise=0.3)
    assert found.numbers["peaks"] == (4, 21)


def test_convolution_by_sum_by_fft_and_in_a_layer() -> None:
    assert convolve([1, 2, 3], [4, 5, 6]).tolist() == [4, 13, 28, 27, 18]
    np.testing.assert_allclose(fft_convolve([1, 2, 3], [4, 5, 6]), [4, 13, 28, 27, 18], atol=1e-12)
    a, b = random(300), random(37)
    for ours in (convolve(a, b), fft_convolve(a, b)):
        np.testing.assert_allclose(ours, np.convolve(a, b), atol=1e-12)
        np.testing.assert_allclose(ours, signal.fftconvolve(a, b), atol=1e-12)
    x, k = random(9, 11), random(3, 2)
    layer = torch.nn.functional.conv2d(torch.from_numpy(x)[None, None], torch.from_numpy(k)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(correlate2d(x, k), layer, atol=1e-13)
    np.testing.assert_allclose(layer, signal.correlate2d(x, k, mode="valid"), atol=1e-13)
    np.testing.assert_allclose(layer, signal.convolve2d(x, k[::-1, ::-1], mode="valid"), atol=1e-13)


def test_the_length_where_the_fft_wins_is_told_as_it_was_measured(monkeypatch) -> None:
    ratios = {16: 0.1, 32: 1.5, 64: 0.9, 128: 4.0}
    monkeypatch.setattr(convolution, "_timed", lambda pair, _: (ratios[len(pair[0])] * 5.0, 5.0, ratios[len(pair[0])]))
    found = run("convolution", lengths=[16, 32, 64, 128])
    assert found.numbers["wins_from"] == 128
    assert found.remarks[-1] == (
        "Measured here, of the lengths tried the FFT is faster from 128 on: the direct way takes 0.1 times as long at "
        "16, 4 times as long at 128."
    )
    assert "not faster at 64" in run("convolution", lengths=[16, 64]).remarks[-1]
    assert len(run("convolution", lengths=[16], repeats=0).remarks) == 3
    monkeypatch.undo()
    direct, fast, ratio = (
        run("convolution", lengths=[16], repeats=3).numbers[k] for k in ("direct_us", "fft_us", "speedup")
    )
    assert min(*direct, *fast, *ratio) > 0


# -- motion -----------------------------------------------------------------------------------------------------------


def test_the_pendulum_by_eulers_explicit_step_and_in_truth() -> None:
    found = run("pendulum")
    assert found.numbers["seconds"] == pytest.approx((1, 5, 10))
    assert found.numbers["angle/Euler"] == pytest.approx((-0.4676318, -0.5209927, -0.4119903), abs=5e-8)
    assert found.numbers["angle/true"] == pytest.approx((-0.4587769, -0.4227077, -0.4243265), abs=5e-8)
    peer = integrate.solve_ivp(
        lambda _, y: (y[1], -0.1 * y[1] - 9.8 / 2 * math.sin(y[0])),
        (0, 10),
        (math.pi / 3, 0),
        t_eval=(1, 5, 10),
        rtol=1e-12,
        atol=1e-12,
    )
    assert found.numbers["angle/true"] == pytest.approx(peer.y[0].tolist(), abs=1e-9)
    drifts = [abs(found.numbers[f"energy_drift/{name}"]) for name in ("Euler", "semi-implicit Euler", "Runge-Kutta 4")]
    assert drifts[0] > 0.1 > drifts[1] > drifts[2]


def test_the_energy_of_a_small_angle_is_that_of_a_spring() -> None:
    small = energy(np.array([[1e-7, 0.0], [0.0, 1e-7]]), length=2.0, gravity=9.8)
    np.testing.assert_allclose(small, [9.8 * 2 * 1e-14 / 2, 2**2 * 1e-14 / 2], rtol=1e-12)


@pytest.mark.parametrize(("stepper", "order"), [(euler, 1), (semi_implicit, 1), (leapfrog, 2), (runge_kutta, 4)])
def test_each_step_has_its_order(stepper, order) -> None:
    force = pendulum_force(length=1.0, gravity=1.0, friction=0.0)
    truth = follow(runge_kutta, force, [[1.0], [0.0]], step=1e-3, steps=1000)[-1]
    errors = [np.abs(follow(stepper, force, [[1.0], [0.0]], step=1 / n, steps=n)[-1] - truth).max() for n in (20, 40)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_the_matrix_exponential_against_scipy() -> None:
    for scale in (1e-3, 1, 20):
        for matrix in random(10, 4, 4) * scale / 2:
            peer = linalg.expm(matrix)
            np.testing.assert_allclose(exponential(matrix), peer, atol=1e-10 * np.abs(peer).max())
    np.testing.assert_allclose(exponential([[0, -math.pi], [math.pi, 0]]), -np.eye(2), atol=1e-14)
    np.testing.assert_allclose(exponential([[1, 1], [0, 1]]), math.e * np.array([[1, 1], [0, 1]]), atol=1e-14)  # Jordan
    np.testing.assert_allclose(by_eigenvectors([[0, 1], [-2, 0.3]]), linalg.expm([[0, 1], [-2, 0.3]]), atol=1e-14)
    found = run("matrix_exponential", matrix=[[0.3, 0.0], [0.0, 0.1]])
    kinds = [row[2] for row in found.tables[0].rows]
    assert kinds == ["closed orbits", "spiral inwards", "saddle", "node inwards", "node outwards"]
    assert max(found.numbers["errors/scaling and squaring"]) < 1e-12 < max(found.numbers["errors/eigenvectors"])


def test_keplers_orbit_closes_and_keeps_what_it_should() -> None:
    masses = (1.0, 0.25)
    start = perihelion(masses, axis=2.0, eccentricity=0.3)
    period = math.sqrt(2.0**3 / 1.25)
    states = follow(runge_kutta, gravity(masses), start, step=period / 4000, steps=4000)
    np.testing.assert_allclose(states[-1], start, atol=1e-8)
    apart = np.linalg.norm(states[:, 0, 2:] - states[:, 0, :2], axis=1)
    assert (apart.min(), apart.max()) == pytest.approx((2 * 0.7, 2 * 1.3), abs=1e-6)
    np.testing.assert_allclose(orbit_energy(states, masses), -4 * math.pi**2 * 0.25 / 4, rtol=1e-10)
    np.testing.assert_allclose(angular_momentum(states, masses), angular_momentum(states[:1], masses)[0], rtol=1e-10)
    found = run("two_bodies", periods=3, steps=500)
    changes = [found.numbers[f"energy_change/{name}"] for name in ("Euler", "leapfrog", "Runge-Kutta 4")]
    assert changes[0] > 0.1 > 0.001 > changes[1] > changes[2]
    assert found.numbers["momentum_change/leapfrog"] < 1e-12 < found.numbers["momentum_change/Euler"]


def test_the_explicit_scheme_multiplies_each_sine_and_explodes_above_one_half() -> None:
    cells, ratio = 16, 0.45
    x = np.linspace(0, 1, cells + 1)
    for k in (1, 5, 15):
        factor = 1 - 4 * ratio * math.sin(k * math.pi / (2 * cells)) ** 2
        wave = np.sin(k * math.pi * x)
        np.testing.assert_allclose(explicit_heat(wave, ratio, 6)[-1], factor**6 * wave, atol=1e-13)
    assert growth(0.5, 40) < 1 < growth(0.501, 400)
    np.testing.assert_allclose(
        exact_heat(np.array([0.0, 2.0]), x, 0.1, rate=0.5), 2 * math.exp(-0.2 * math.pi**2) * np.sin(2 * math.pi * x)
    )
    found = run("heat_equation")
    assert found.numbers["order"] == pytest.approx(2, abs=0.02)
    assert found.numbers["largest/0.5"] < 100 < found.numbers["largest/0.515"]
    chart = found.figures[1]
    assert isinstance(chart, Lines)
    assert chart.log_y


# -- probability ------------------------------------------------------------------------------------------------------

TERMS = {"strike": 100.0, "rate": 0.05, "volatility": 0.2, "years": 1.0}


def test_the_price_of_a_call_in_three_ways() -> None:
    call, put = black_scholes(100.0, **TERMS)
    assert float(call) == pytest.approx(10.4506, abs=5e-5)
    assert float(call - put) == pytest.approx(100 - 100 * math.exp(-0.05), abs=1e-12)
    assert crank_nicolson(100.0, **TERMS, cells=400) == pytest.approx(float(call), abs=2e-3)
    assert crank_nicolson(80.0, **TERMS, cells=400) == pytest.approx(float(black_scholes(80.0, **TERMS)[0]), abs=5e-3)
    price, spread = simulated(100.0, **TERMS, paths=200_000, seed=3)
    assert abs(price - call) < 4 * spread
    assert spread == pytest.approx(14.7 / math.sqrt(200_000), rel=0.02)
    found = run("black_scholes", paths=10_000, cells=96)
    assert found.numbers["difference_error"][-1] < found.numbers["difference_error"][0] / 50
    assert "The call costs 10.4506, the put 5.5735" in found.remarks[0]


def test_the_gaussian_integral_and_the_binomial() -> None:
    assert gaussian_integral(0.3) == pytest.approx(math.sqrt(math.pi), abs=1e-14)
    assert gaussian_integral(1.5) - math.sqrt(math.pi) == pytest.approx(
        2 * math.sqrt(math.pi) * math.exp(-((math.pi / 1.5) ** 2)), rel=1e-4
    )
    assert polar_integral(80) == pytest.approx(math.pi, abs=1e-13)
    np.testing.assert_allclose(binomial(50, 0.3), stats.binom.pmf(range(51), 50, 0.3), atol=1e-14)
    x = np.linspace(-9, 9, 101)
    np.testing.assert_allclose(normal_cdf(x), stats.norm.cdf(x), rtol=1e-12)
    found = run("distributions")
    assert found.numbers["within"] == pytest.approx((0.6827, 0.9545, 0.9973), abs=5e-5)
    assert found.numbers["slope"] == pytest.approx(-0.5, abs=0.05)


def test_sums_become_normal_at_the_rate_of_berry_and_esseen() -> None:
    for at in (3, 17, 40):
        assert irwin_hall(4, at, 16) == pytest.approx(stats.irwinhall(4).cdf(at / 16), abs=1e-12)
    z = np.linspace(-4, 4, 4001)
    for n in (1, 7, 30):
        peer = np.abs(stats.gamma(n).cdf(n + math.sqrt(n) * z) - stats.norm.cdf(z)).max()
        assert exponential_distance(n) == pytest.approx(peer, abs=1e-12)
    assert exponential_distance(100) == pytest.approx(2 / (6 * math.sqrt(2 * math.pi * 100)), rel=0.02)  # Edgeworth
    assert uniform_distance(1) == pytest.approx(0.0568, abs=1e-4)
    fair = [bernoulli_distance(n, 0.5) for n in (100, 400)]
    assert fair == pytest.approx([1 / math.sqrt(2 * math.pi * n) for n in (100, 400)], rel=0.01)
    found = run("central_limit", draws=1000)
    slopes = {name: found.numbers[f"slope/{name}"] for name in ("uniform", "exponential", "bernoulli")}
    assert slopes["exponential"] == pytest.approx(-0.5, abs=0.01)
    assert slopes["bernoulli"] == pytest.approx(-0.5, abs=0.1)
    assert slopes["uniform"] == pytest.approx(-1, abs=0.05)  # no skewness: faster than the bound asks for
    assert max(found.numbers[f"bound_used/{name}"] for name in slopes) < 1


def test_posterior_odds_are_prior_odds_times_the_factor() -> None:
    up, down = factors(0.9, 0.91)
    assert float(posterior(0.01, up)) == pytest.approx(0.9 * 0.01 / (0.9 * 0.01 + 0.09 * 0.99))
    assert float(posterior(0.01, down)) == pytest.approx(0.1 * 0.01 / (0.1 * 0.01 + 0.91 * 0.99))
    assert float(posterior(posterior(0.01, up), up)) == pytest.approx(float(posterior(0.01, up * up)))
    for k, (count, ill) in enumerate(counted(0.1, 0.9, 0.91, people=100_000, tests=3, seed=1), 1):
        chance = float(posterior(0.1, up**k))
        assert ill / count == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / count))
    assert "From 1 % a positive result leads to 9.17 %" in run("bayes_factor", people=1000).remarks[1]


def test_entropy_divergence_and_codes() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.2, 0.2, 0.6])
    assert entropy_of(p) == 1.5
    assert divergence(p, q) == pytest.approx(stats.entropy(p, q, base=2), abs=1e-14)
    assert cross_entropy(p, q) == pytest.approx(entropy_of(p) + divergence(p, q), abs=1e-14)
    assert mutual_information(np.outer(p, q)) == pytest.approx(0, abs=1e-14)
    assert mutual_information(np.eye(4) / 4) == pytest.approx(2)
    generator = np.random.default_rng(0)
    for size in (2, 3, 9, 30):
        for chances in generator.dirichlet(np.full(size, 0.5), size=20):
            codes = huffman(chances)
            length = sum(chance * len(code) for chance, code in zip(chances, codes, strict=True))
            assert entropy_of(chances) - 1e-12 <= length < entropy_of(chances) + 1
            assert sum(2.0 ** -len(code) for code in codes) == 1  # Kraft: nothing is left unused
            assert not [a for a in codes for b in codes if a != b and b.startswith(a)]
    found = run("entropy", flip=0.11)
    assert found.numbers["information"] == pytest.approx(1 + 0.11 * math.log2(0.11) + 0.89 * math.log2(0.89))
    assert found.numbers["least_divergence"] >= 0
    assert found.numbers["code_length"][-1] < found.numbers["entropy"] + 1 / 6


# -- activations ------------------------------------------------------------------------------------------------------


def test_the_activation_lab_finds_the_known_errors() -> None:
    found = run("activations")
    assert found.numbers["gelu_error/gelu_tanh"] == pytest.approx(4.73e-4, abs=5e-7)
    assert found.numbers["gelu_error/gelu_sigmoid"] == pytest.approx(0.02033, abs=5e-6)
    assert max(value for name, value in found.numbers.items() if name.startswith("slope_apart")) < 1e-12
    assert found.numbers["maxout_error"] == pytest.approx((12 / 4) ** 2 / 8, abs=1e-3)  # between two tangents, d²/8
    assert found.remarks[0].startswith("The derivatives as written differ from autograd's by at most")


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("determinant", {"matrix": [[1e9, 0], [0, 1]]}, "less than or equal to 100"),
        ("eigenvalues", {"ratios": [1.0]}, "expected some of 0.01 to below 1"),
        ("derivative_rules", {"low": 3.0, "high": 3.0}, "expected low below high"),
        ("fourier", {"frequencies": [50.0]}, "below 50 Hz"),
        ("convolution", {"lengths": [32, 16]}, "ascending"),
        (
            "matrix_exponential",
            {"matrix": [[10, 0], [0, 1]], "seconds": 100.0},
            "rows of up to 1000; expected at most 300",
        ),
        ("heat_equation", {"rate": 1.0}, "expected at most 2e.07 numbers"),
        ("central_limit", {"draws": 1_000_000}, "sums of 64: expected at most 5e.07 numbers"),
        ("entropy", {"chances": [0.5, 0.4]}, "that sum to 1"),
        ("entropy", {"chances": [0.2] * 5}, "5.6 code words; expected at most 10,000"),
    ],
)
def test_settings_without_an_answer_are_refused(name, fields, message) -> None:
    with pytest.raises(ConfigError, match=message):
        run(name, **fields)
