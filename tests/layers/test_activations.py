"""Activation functions: the catalogue's values, and derivatives as written equal to autograd's."""

from __future__ import annotations

import math

import pytest
import torch

from netsmith.layers.activations import ACTIVATIONS, GELUSigmoid, maxout_derivative
from netsmith.layers.maxout import Maxout

# on both sides, near 0, and where exponentials are beyond all bounds; 0 itself is tested apart
PLACES = torch.cat((torch.linspace(-12, 12, 4000, dtype=torch.float64), torch.tensor([-800.0, 800.0]).double()))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_derivative_as_written_is_autograds(name) -> None:
    pair = ACTIVATIONS[name]
    x = PLACES.clone().requires_grad_()
    (slope,) = torch.autograd.grad(pair.value(x).sum(), x)
    assert (pair.derivative(PLACES) - slope).abs().max() < 1e-12
    step = 1e-6
    inner = PLACES[PLACES.abs() > 2 * step]
    quotient = (pair.value(inner + step) - pair.value(inner - step)) / (2 * step)
    assert (pair.derivative(inner) - quotient)[:-2].abs().max() < 1e-8


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "prelu", "elu"])
def test_the_slope_at_a_kink_is_torchs(name) -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(ACTIVATIONS[name].value(x).sum(), x)
    assert ACTIVATIONS[name].derivative(torch.zeros(1, dtype=torch.float64)).equal(slope)


def test_the_catalogues_values() -> None:
    one = torch.ones(1, dtype=torch.float64)
    at_one = {name: float(pair.value(one)) for name, pair in ACTIVATIONS.items()}
    assert at_one["gelu"] == pytest.approx(0.841345, abs=5e-7)
    assert at_one["gelu"] == pytest.approx((1 + math.erf(math.sqrt(0.5))) / 2, abs=1e-15)
    assert at_one["gelu_tanh"] == pytest.approx(0.841192, abs=5e-7)
    assert at_one["gelu_sigmoid"] == pytest.approx(0.8457958, abs=5e-8)
    assert at_one["silu"] == pytest.approx(0.731059, abs=5e-7)
    assert GELUSigmoid()(one).item() == at_one["gelu_sigmoid"]
    x = torch.linspace(-6, 6, 120_001, dtype=torch.float64)
    apart = {name: (ACTIVATIONS[name].value(x) - ACTIVATIONS["gelu"].value(x)).abs().max().item() for name in at_one}
    assert apart["gelu_tanh"] == pytest.approx(4.73e-4, abs=5e-7)
    assert apart["gelu_sigmoid"] == pytest.approx(0.02033, abs=5e-6)


def test_maxouts_derivative_is_autograds() -> None:
    x = torch.randn(5, 12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[0, :4] = 1.0  # all pieces equal: they share it, as torch's amax does
    place = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(Maxout(4)(place).sum(), place)
    assert maxout_derivative(x, 4).equal(slope)
    assert maxout_derivative(x, 4)[0, :4].unique().tolist() == [0.25]
