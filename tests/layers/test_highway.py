import pytest
import torch
from torch import nn

from netsmith.layers.highway import Highway, HighwayConv, plain_layer

ACTIVATIONS = {"relu": lambda x: x.clamp(min=0), "tanh": torch.tanh}


def drawn(**fields):
    torch.manual_seed(0)
    layer = Highway(5, **fields).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer, torch.randn(4, 3, 5, dtype=torch.float64)


def gated(layer, name, bias):
    """Set a gate to one value for every input."""
    gate = getattr(layer, name)
    nn.init.zeros_(gate.weight)
    nn.init.constant_(gate.bias, bias)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("coupled", [True, False])
def test_it_is_the_formula_and_its_gradient(activation, coupled):
    layer, x = drawn(activation=activation, coupled=coupled)
    state = {name: p.detach() for name, p in layer.named_parameters()}
    assert len(state) == (4 if coupled else 6)

    def affine(x, name):
        return torch.einsum("ij,abj->abi", state[f"{name}.weight"], x) + state[f"{name}.bias"]

    def formula(x):
        h = ACTIVATIONS[activation](affine(x, "plain.linear"))
        t = 1 / (1 + torch.exp(-affine(x, "gate")))
        c = 1 - t if coupled else 1 / (1 + torch.exp(-affine(x, "carry")))
        return h * t + x * c

    torch.testing.assert_close(layer(x), formula(x), rtol=0, atol=1e-14)
    ours, theirs = (torch.autograd.functional.jacobian(f, x[:1, 0:1]) for f in (layer, formula))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)


def test_a_closed_gate_is_the_identity_and_an_open_one_the_plain_layer():
    layer, x = drawn()
    gated(layer, "gate", -1000.0)
    assert torch.equal(layer(x), x)
    gated(layer, "gate", 1000.0)
    assert torch.equal(layer(x), layer.plain(x))
    assert not torch.allclose(layer(x), x)
    gated(layer, "gate", 0.0)
    torch.testing.assert_close(layer(x), (layer.plain(x) + x) / 2, rtol=0, atol=1e-15)


def test_both_gates_open_are_the_residual_form():
    layer, x = drawn(activation="tanh", coupled=False)
    gated(layer, "gate", 1000.0)
    gated(layer, "carry", 1000.0)
    assert torch.equal(layer(x), x + layer.plain(x))
    gated(layer, "carry", -1000.0)
    assert torch.equal(layer(x), layer.plain(x))


@pytest.mark.parametrize("bias", [-1.0, -4.0])
def test_how_it_starts(bias):
    torch.manual_seed(0)
    layer = Highway(400, transform_bias=bias, coupled=False)
    assert layer.gate.bias.unique().tolist() == [bias]
    assert layer.carry.bias.unique().tolist() == [-bias]
    assert layer.plain.linear.bias.unique().tolist() == [0.0]
    variances = [float(part.weight.detach().var()) * 400 for part in (layer.plain.linear, layer.gate, layer.carry)]
    assert variances == pytest.approx([2, 1, 1], rel=0.03)
    tanh = plain_layer(100, 400, activation="tanh")
    assert float(tanh.linear.weight.detach().var()) * 100 == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_is_the_gated_layer_of_each_window(kernel):
    torch.manual_seed(0)
    layer = HighwayConv(3, kernel=kernel).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64)
    windows = nn.functional.unfold(x, kernel, padding=kernel // 2)  # (B, 3 k k, H W)

    def affine(conv):
        return (
            torch.einsum("oi,bin->bon", conv.weight.flatten(1), windows).unflatten(2, (6, 5)) + conv.bias[:, None, None]
        )

    t = 1 / (1 + torch.exp(-affine(layer.gate)))
    torch.testing.assert_close(layer(x), affine(layer.plain.conv).clamp(min=0) * t + x * (1 - t), rtol=0, atol=1e-13)


def test_how_a_convolution_starts():
    torch.manual_seed(0)
    layer = HighwayConv(64, transform_bias=-3.0)
    assert layer.gate.bias.unique().tolist() == [-3.0]
    variances = [float(part.weight.detach().var()) * 64 * 9 for part in (layer.plain.conv, layer.gate)]
    assert variances == pytest.approx([2, 1], rel=0.03)
