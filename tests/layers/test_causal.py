import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.layers.causal import CausalConv1d, receptive_field

CONTEXT = (1, 1, 2, 4, 8, 16, 1)  # Yu & Koltun 2016, Table 1
BLOCK = [2**layer for layer in range(10)]


def test_the_receptive_fields_of_the_papers():
    fields = [receptive_field([3] * depth, dilations=CONTEXT[:depth]) for depth in range(1, 8)]
    assert fields == [3, 5, 9, 17, 33, 65, 67]
    assert receptive_field([2] * 4, dilations=[1, 2, 4, 8]) == 16
    assert receptive_field([2] * 10, dilations=BLOCK) == 1024
    assert receptive_field([2] * 30, dilations=BLOCK * 3) == 3070
    assert receptive_field([], dilations=[]) == 1


def measured(kernels, dilations, strides, length):
    """How many inputs one output has a gradient to, all weights being positive."""
    layers = []
    for kernel, dilation, stride in zip(kernels, dilations, strides, strict=True):
        layers.append(nn.Conv1d(1, 1, kernel, dilation=dilation, stride=stride).double())
        nn.init.ones_(layers[-1].weight)
    x = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
    out = nn.Sequential(*layers)(x)
    (gradient,) = torch.autograd.grad(out[0, 0, 0], x)
    there = gradient[0, 0].nonzero()[:, 0]
    return int(there[-1] - there[0]) + 1


@pytest.mark.parametrize(
    ("kernels", "dilations", "strides"),
    [
        ([3] * 7, CONTEXT, [1] * 7),
        ([2] * 4, [1, 2, 4, 8], [1] * 4),
        ([7, 3, 3, 2], [1, 1, 2, 3], [2, 2, 1, 3]),  # strides widen what stands behind them
        ([5, 1, 4], [3, 9, 2], [1, 3, 1]),
    ],
)
def test_the_closed_form_is_what_gradients_find(kernels, dilations, strides):
    field = receptive_field(kernels, dilations=dilations, strides=strides)
    assert measured(kernels, dilations, strides, field + 20) == field


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 4), (3, 5)])
def test_the_layer_is_its_sum(kernel, dilation):
    torch.manual_seed(0)
    layer = CausalConv1d(2, 3, kernel, dilation=dilation).double()
    x = torch.randn(2, 2, 13, dtype=torch.float64)
    wanted = layer.conv.bias[:, None].expand(2, 3, 13).clone()
    for t in range(13):
        for i in range(kernel):
            at = t - (kernel - 1 - i) * dilation
            if at >= 0:
                wanted[:, :, t] += x[:, :, at] @ layer.conv.weight[:, :, i].T
    torch.testing.assert_close(layer(x), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 5), (4, 3)])
def test_step_by_step_it_is_the_same(kernel, dilation):
    torch.manual_seed(0)
    layer = CausalConv1d(2, 3, kernel, dilation=dilation).double()
    x = torch.randn(2, 2, 40, dtype=torch.float64)
    memory = layer.memory(2)
    assert memory.shape == (2, 2, (kernel - 1) * dilation)
    steps = [layer.step(x[:, :, t : t + 1], memory, t) for t in range(40)]
    torch.testing.assert_close(torch.cat(steps, 2), layer(x), rtol=0, atol=1e-13)


def test_bad_numbers_are_refused():
    with pytest.raises(ConfigError, match="needs kernel and dilation >= 1, got 2 and 0"):
        CausalConv1d(1, 1, 2, dilation=0)
    with pytest.raises(ConfigError, match="got 2, 1 and 2"):
        receptive_field([3, 3], dilations=[1])
    with pytest.raises(ConfigError, match="got 1, 1 and 2"):
        receptive_field([3], dilations=[1], strides=[1, 1])
    with pytest.raises(ConfigError, match="at least 1"):
        receptive_field([3], dilations=[0])
