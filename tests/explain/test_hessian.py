"""Curvature from products against dense Hessians and quadratics whose spectrum is known."""

import copy
import itertools

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnknownNameError, UnsupportedError, UserError
from netsmith.explain.critical_points import critical_point
from netsmith.explain.hessian import hessian_trace, hessian_vector_product, spectral_density, top_eigenvalues
from netsmith.explain.sharpness import sharpness
from quadratic import NOTHING, Quadratic, generator, itself, normal


def with_spectrum(*values):
    basis = torch.linalg.qr(normal(len(values), len(values))).Q
    matrix = basis @ torch.tensor(values, dtype=torch.float64).diag() @ basis.T
    return Quadratic(matrix, normal(len(values), seed=9))


@pytest.fixture(scope="module")
def small():
    """A tanh network of 51 parameters, two batches of unequal size, and its Hessian in full by torch.func."""
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    with torch.no_grad():
        for at, parameter in enumerate(net.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=at))
    inputs, targets = normal(20, 4, seed=5), torch.randint(0, 3, (20,), generator=generator(6))
    shapes = {name: parameter.shape for name, parameter in net.named_parameters()}
    flat = torch.cat([parameter.detach().flatten() for parameter in net.parameters()])

    def at(vector):
        parts = vector.split([shape.numel() for shape in shapes.values()])
        named = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return nn.functional.cross_entropy(torch.func.functional_call(net, named, (inputs,)), targets)

    dense = torch.func.jacrev(torch.func.grad(at))(flat)
    return net, [(inputs[:13], targets[:13]), (inputs[13:], targets[13:])], dense


def flattened(named):
    return torch.cat([part.flatten() for part in named.values()])


def test_product_is_the_dense_hessians(small):
    net, batches, dense = small
    vector = {name: normal(*parameter.shape, seed=8) for name, parameter in net.named_parameters()}
    with torch.no_grad():
        found = hessian_vector_product(net, nn.CrossEntropyLoss(), batches, vector)
    assert torch.allclose(flattened(found), dense @ flattened(vector), rtol=1e-11, atol=1e-13)
    part = hessian_vector_product(net, nn.CrossEntropyLoss(), batches, {"2.bias": torch.ones(3)})
    assert torch.allclose(flattened(part), dense[:, 48:].sum(1), rtol=1e-11, atol=1e-13)


def test_frozen_parameters_are_no_variables(small):
    net, batches, dense = small
    net[0].requires_grad_(False)
    try:
        found = top_eigenvalues(net, nn.CrossEntropyLoss(), batches, generator=generator(), tolerance=1e-10)
    finally:
        net[0].requires_grad_(True)
    assert set(found.vectors[0]) == {"2.weight", "2.bias"}
    assert float(found.values[0]) == pytest.approx(float(torch.linalg.eigvalsh(dense[30:, 30:])[-1]), rel=1e-10)


@pytest.mark.parametrize("which", ["largest", "smallest"])
def test_eigenvalues_at_both_ends_are_the_dense_hessians(small, which):
    net, batches, dense = small
    found = top_eigenvalues(
        net, nn.CrossEntropyLoss(), batches, generator=generator(), count=4, which=which, tolerance=1e-9
    )
    values, vectors = torch.linalg.eigh(dense)
    places = [-1, -2, -3, -4] if which == "largest" else [0, 1, 2, 3]
    assert found.converged
    assert torch.allclose(found.values, values[places], rtol=1e-8, atol=1e-10)
    assert which == "largest" or float(found.values[0]) < -1e-3
    for vector, place in zip(found.vectors, places, strict=True):
        assert float((flattened(vector) @ vectors[:, place]).abs()) == pytest.approx(1, abs=1e-8)
    short = top_eigenvalues(net, nn.CrossEntropyLoss(), batches, generator=generator(), iterations=4, tolerance=1e-9)
    assert not short.converged
    distance = (values - short.values[0]).abs().min()
    assert 0 < float(distance) <= float(short.residuals[0])  # an eigenvalue lies that near


def test_an_eigenvalue_that_occurs_more_than_once_is_found_as_often():
    found = top_eigenvalues(with_spectrum(7, 5, 5, 5, 2, -9), itself, NOTHING, generator=generator(), count=4)
    assert found.values.tolist() == pytest.approx([7, 5, 5, 5], abs=1e-9)
    vectors = torch.stack([vector["w"] for vector in found.vectors])
    assert torch.allclose(vectors @ vectors.T, torch.eye(4, dtype=torch.float64), atol=1e-9)
    lowest = top_eigenvalues(
        with_spectrum(7, 5, 5, 5, 2, -9), itself, NOTHING, generator=generator(), count=2, which="smallest"
    )
    assert lowest.values.tolist() == pytest.approx([-9, 2], abs=1e-9)
    everything = top_eigenvalues(with_spectrum(3, 3, 3), itself, NOTHING, generator=generator(), count=3)
    assert everything.values.tolist() == pytest.approx([3, 3, 3], abs=1e-9)
    assert everything.converged
    flat = top_eigenvalues(with_spectrum(0, 0), itself, NOTHING, generator=generator(), count=2)
    assert flat.values.tolist() == [0, 0]


def test_single_precision_is_near(small):
    net, batches, dense = small
    single = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    single.load_state_dict(net.state_dict())
    found = top_eigenvalues(
        single, nn.CrossEntropyLoss(), [(x.float(), y) for x, y in batches], generator=generator(), count=3
    )
    assert found.vectors[0]["0.weight"].dtype == torch.float32
    assert torch.allclose(found.values, torch.linalg.eigvalsh(dense)[[-1, -2, -3]], rtol=2e-4)


def test_trace_of_a_diagonal_is_exact_and_of_a_network_within_its_error(small):
    values = torch.tensor([3.0, -1, 4, 1, -5], dtype=torch.float64)
    exact = hessian_trace(Quadratic(values.diag(), values), itself, NOTHING, generator=generator(), samples=2)
    assert exact.value == pytest.approx(2, abs=1e-12)  # v_i^2 = 1
    assert exact.standard_error == pytest.approx(0, abs=1e-12)
    net, batches, dense = small
    found = hessian_trace(net, nn.CrossEntropyLoss(), batches, generator=generator(), samples=100)
    off = dense - dense.diagonal().diag()
    theory = float((2 * off.square().sum() / 100) ** 0.5)  # Var(v^T H v) = 2 sum of squares off the diagonal
    assert found.standard_error == pytest.approx(theory, rel=0.3)
    assert abs(found.value - float(dense.trace())) < 3 * theory
    assert theory < 0.3 * float(dense.trace())


def test_moments_of_a_known_spectrum_are_exact():
    values = torch.tensor([3.0, -1, 4, 1, -5, 9, 2], dtype=torch.float64)
    net = Quadratic(values.diag(), values)
    # Of a diagonal matrix v^T H^k v = tr H^k for any signs v; m steps are exact for moments below 2 m.
    for steps, orders in ((2, 4), (4, 8), (50, 12)):
        spectrum = spectral_density(net, itself, NOTHING, generator=generator(), probes=2, iterations=steps)
        assert len(spectrum.values) == 2 * min(steps, 7)
        for order in range(orders):
            assert spectrum.moment(order) == pytest.approx(float((values**order).mean()), rel=1e-10), (steps, order)
    whole = spectral_density(net, itself, NOTHING, generator=generator(), probes=1)
    assert torch.allclose(whole.values, values.sort().values, rtol=1e-10)
    assert torch.allclose(whole.weights, torch.full((7,), 1 / 7, dtype=torch.float64), rtol=1e-9)
    grid = torch.linspace(-20, 20, 4001, dtype=torch.float64)
    density = whole.density(grid, width=0.5)
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-9)
    assert float(torch.trapezoid(density * grid, grid)) == pytest.approx(float(values.mean()), abs=1e-8)


def test_density_of_a_network_is_its_spectrums(small):
    net, batches, dense = small
    batches = [tuple(torch.cat(parts) for parts in zip(*batches, strict=True))]
    spectrum = spectral_density(net, nn.CrossEntropyLoss(), batches, generator=generator(), probes=40, iterations=16)
    assert float(spectrum.weights.sum()) == pytest.approx(1, abs=1e-12)
    values = torch.linalg.eigvalsh(dense)
    assert float(spectrum.values[-1]) == pytest.approx(float(values[-1]), rel=1e-8)
    assert float(spectrum.values[0]) == pytest.approx(float(values[0]), rel=1e-6)
    edges = [-float("inf"), -0.01, 0.01, 0.1, float("inf")]
    for low, high in itertools.pairwise(edges):
        share = float(((values > low) & (values <= high)).double().mean())
        ours = float(spectrum.weights[(spectrum.values > low) & (spectrum.values <= high)].sum())
        assert ours == pytest.approx(share, abs=0.06), (low, high)


def test_attention_and_recurrent_layers_can_be_differentiated_twice():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        attention = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True, dtype=torch.float64)
        recurrent = nn.GRU(4, 3, batch_first=True, dtype=torch.float64)

    def last(output, target):
        output = output[0] if isinstance(output, tuple) else output
        return (output.sum((1, 2)) * 0.1 + output.square().sum((1, 2)) - target).square().mean()

    data = [(normal(3, 5, 4), normal(3, seed=1))]
    for module in (attention, recurrent):
        ways = [{name: normal(*p.shape, seed=s) for name, p in module.named_parameters()} for s in (1, 2)]
        products = [flattened(hessian_vector_product(module, last, data, way)) for way in ways]
        left, right = flattened(ways[1]) @ products[0], flattened(ways[0]) @ products[1]
        assert float(left) == pytest.approx(float(right), rel=1e-9)  # symmetric, which noise would not be
        assert abs(float(left)) > 1e-3


@pytest.mark.parametrize(
    ("function", "name", "eigenvalues", "index"),
    [
        (lambda p: (p * p).sum() + p[0] * p[1], "minimum", [1, 3], 0),
        (lambda p: -(p * p).sum() + p[0] * p[1], "maximum", [-3, -1], 1),
        (lambda p: p[0] ** 2 - 2 * p[1] ** 2, "saddle", [-4, 2], 0.5),
        (lambda p: p[0] ** 3 - 3 * p[0] * p[1] ** 2, "degenerate", [0, 0], 0),  # the monkey saddle
        (lambda p: p[0] ** 2 + p[1] ** 4, "degenerate", [0, 2], 0),
        (lambda p: -(p[0] ** 2), "degenerate", [-2, 0], 0.5),
        (lambda p: p[0] ** 2 + p[1], "no critical point", [0, 2], 0),
    ],
)
def test_critical_points_have_their_names(function, name, eigenvalues, index):
    found = critical_point(function, torch.zeros(2, dtype=torch.float64))
    assert found.name == name
    assert found.eigenvalues.tolist() == pytest.approx(eigenvalues, abs=1e-12)
    assert found.negative_share == index
    assert found.gradient_norm == (1 if name == "no critical point" else 0)


def test_critical_points_of_himmelblaus_function():
    def himmelblau(p):
        return (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2

    known = {
        (3.0, 2.0): "minimum",
        (-0.270844590667, -0.923038522273): "maximum",
        (0.086677504555, 2.884254701175): "saddle",
        (1.0, 1.0): "no critical point",
    }
    for place, name in known.items():
        assert critical_point(himmelblau, torch.tensor(place, dtype=torch.float64)).name == name
    shaped = critical_point(lambda p: p.square().sum(), torch.zeros(2, 3, dtype=torch.float64))
    assert shaped.name == "minimum"
    assert shaped.eigenvalues.tolist() == pytest.approx([2] * 6)


def test_sharpness_of_a_quadratic_is_the_closed_form():
    net = with_spectrum(7, 3, 1)
    slope = net.matrix @ -net.place
    way = slope / slope.norm()
    wanted = 0.1 * float(slope.norm()) + 0.5 * 0.01 * float(way @ net.matrix @ way)
    assert sharpness(net, itself, NOTHING, rho=0.1) == pytest.approx(wanted, rel=1e-12)
    with torch.no_grad():
        net.w.copy_(net.place)
    assert sharpness(net, itself, NOTHING) == 0
    with pytest.raises(UserError, match="rho is 0"):
        sharpness(net, itself, NOTHING, rho=0)


def test_bad_input_is_refused_with_what_was_received(small):
    net, batches, _ = small
    loss = nn.CrossEntropyLoss()
    looks = {
        "eigenvalues": lambda *given: top_eigenvalues(*given, generator=generator()),
        "trace": lambda *given: hessian_trace(*given, generator=generator()),
        "density": lambda *given: spectral_density(*given, generator=generator()),
        "product": lambda *given: hessian_vector_product(*given, {}),
        "sharpness": sharpness,
    }
    for look in looks.values():
        with pytest.raises(UserError, match=r"ReLU has no parameter that requires a gradient \(it has 0 in all\)"):
            look(nn.ReLU(), loss, batches)
        with pytest.raises(UserError, match="there are no batches"):
            look(net, loss, [])
        with pytest.raises(UnsupportedError, match="an accuracy has no gradient"):
            look(net, lambda out, y: (out.argmax(1) == y).double().mean(), batches)
        with pytest.raises(UserError, match="the loss is nan at these weights"):
            look(net, lambda out, y: loss(out, y) * float("nan"), batches)
        with pytest.raises(UnsupportedError, match="returned tuple"):
            look(net, lambda out, y: (out, y), batches)
    with pytest.raises(UnknownNameError, match=r"named '2\.biases'; did you mean '2\.bias'"):
        hessian_vector_product(net, loss, batches, {"2.biases": torch.zeros(3)})
    with pytest.raises(UserError, match=r"2\.bias has shape \(2,\); expected \(3,\)"):
        hessian_vector_product(net, loss, batches, {"2.bias": torch.zeros(2)})
    with pytest.raises(UserError, match=r"count is 52, .*expected 1 to 51"):
        top_eigenvalues(net, loss, batches, generator=generator(), count=52)
    with pytest.raises(UserError, match="samples is 1"):
        hessian_trace(net, loss, batches, generator=generator(), samples=1)
    with pytest.raises(UserError, match="probes is 0"):
        spectral_density(net, loss, batches, generator=generator(), probes=0)
    with pytest.raises(UserError, match="width is 0"):
        spectral_density(net, loss, batches, generator=generator(), probes=1, iterations=1).density(
            torch.zeros(1), width=0
        )
    with pytest.raises(UserError, match=r"the point is torch\.int64"):
        critical_point(lambda p: p.sum(), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UserError, match=r"returned shape \(2,\)"):
        critical_point(lambda p: p, torch.zeros(2))
    with pytest.raises(UserError, match="returned inf"):
        critical_point(lambda p: (1 / p).sum(), torch.zeros(2))
    with pytest.raises(UserError, match="second derivatives are not finite"):
        critical_point(lambda p: p.abs().pow(1.5).sum(), torch.zeros(2))


def test_a_loss_linear_in_the_parameters_has_no_curvature():
    net = nn.Linear(3, 1, bias=False, dtype=torch.float64)
    found = hessian_vector_product(net, lambda out, _t: out.mean(), [(normal(4, 3), None)], {"weight": normal(1, 3)})
    assert found["weight"].tolist() == [[0, 0, 0]]


def test_weights_in_half_precision_have_the_spectrum_of_single_precision(small):
    net, batches, _ = small
    coarse = copy.deepcopy(net).bfloat16()
    exact = copy.deepcopy(coarse).double()  # the same rounded weights
    loss = nn.CrossEntropyLoss()
    for made, kind in ((coarse, torch.bfloat16), (exact, torch.float64)):
        examples = [(inputs.bfloat16().to(kind), targets) for inputs, targets in batches]
        found = top_eigenvalues(made, loss, examples, generator=generator(), count=2, tolerance=1e-2)
        made.found = found.values
        density = spectral_density(made, loss, examples, generator=generator(), probes=2, iterations=20)
        assert len(density.values) == 40
    torch.testing.assert_close(coarse.found, exact.found, rtol=0.05, atol=0)


def test_residuals_bound_the_error_of_searches_that_were_cut_short(small):
    net, batches, dense = small
    eigenvalues = torch.linalg.eigvalsh(dense)
    for iterations in (5, 9, 12):
        for seed in (1, 2):
            found = top_eigenvalues(
                net, nn.CrossEntropyLoss(), batches, generator=generator(seed), count=4, iterations=iterations
            )
            for value, residual, vector in zip(found.values, found.residuals, found.vectors, strict=True):
                flat = flattened(vector)
                assert float((dense @ flat - value * flat).norm()) <= float(residual) * 1.001 + 1e-9
                assert float((eigenvalues - value).abs().min()) <= float(residual) * 1.001 + 1e-9
