import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.layers.conv_attention import ConvAttention


def farthest(one, other):
    return float((one - other).detach().abs().max())


def written_out(layer, images):
    """Multi-head attention as Eq. 1, 4 and 9 write it: every query pixel against every key pixel."""
    down, right = layer.padding
    _, _, height, width = images.shape
    keys = torch.cartesian_prod(torch.arange(-down, height + down), torch.arange(-right, width + right))
    queries = torch.cartesian_prod(torch.arange(height), torch.arange(width))
    delta = (keys[None] - queries[:, None]).to(images.dtype)  # (queries, keys, 2)
    r = torch.cat([delta.square().sum(-1, keepdim=True), delta], -1)  # Eq. 9
    tokens = F.pad(images, (right, right, down, down)).flatten(2).mT  # (B, keys, C)
    heads = []
    for center, alpha, value in zip(layer.centers, layer.alpha, layer.value, strict=True):
        v = -alpha * torch.stack([torch.ones_like(alpha), -2 * center[0], -2 * center[1]])  # Eq. 9
        heads.append((r @ v).softmax(-1) @ tokens @ value)
    y = torch.cat(heads, -1) @ layer.output.flatten(0, 1)
    return (y if layer.bias is None else y + layer.bias).mT.unflatten(2, (height, width))


@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_two_softmaxes_are_the_one_over_all_pixels(padding):
    torch.manual_seed(0)
    layer = ConvAttention(3, 5, heads=4, head_channels=2, padding=padding).double()
    nn.init.uniform_(layer.alpha, 0.1, 2.0)
    nn.init.normal_(layer.bias)
    images = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(images), written_out(layer, images), rtol=0, atol=1e-13)
    rows, columns = layer.attention((5, 7))
    assert rows.shape == (4, 5, 5 + 2 * padding[0])
    assert columns.shape == (4, 7, 7 + 2 * padding[1])


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(
    ("channels", "size"), [((1, 1), (6, 9)), ((3, 8), (9, 6)), ((7, 2), (4, 11)), ((4, 4), (3, 3))]
)
def test_it_is_the_convolution_borders_included(kernel, channels, size):
    torch.manual_seed(0)
    convolution = nn.Conv2d(*channels, kernel, padding=kernel // 2, bias=kernel != 3)
    layer = ConvAttention.from_convolution(convolution)
    assert layer.value.shape == (kernel**2, channels[0], min(channels))
    images = torch.randn(2, channels[0], *size)
    assert farthest(layer(images), convolution(images)) <= 1e-6
    images, convolution = images.double(), convolution.double()
    exact = ConvAttention.from_convolution(convolution)
    assert exact.value.dtype == torch.float64
    assert farthest(exact(images), convolution(images)) <= 1e-14 * kernel**2 * channels[0]


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(2, 3, (3, 1), padding=(1, 0)),
        nn.Conv2d(2, 3, (1, 5), padding="same"),
        nn.Conv2d(2, 3, 3, padding=(2, 4), dilation=(2, 4)),
        nn.Conv2d(2, 3, 1, padding_mode="reflect"),
    ],
)
def test_other_kernels_and_dilations(convolution):
    torch.manual_seed(0)
    images = torch.randn(2, 2, 6, 9)
    layer = ConvAttention.from_convolution(convolution)
    assert farthest(layer(images), convolution(images)) <= 1e-6


def test_the_limit_is_what_makes_it_one():
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 4, 3, padding=1).double()
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    errors = [
        farthest(ConvAttention.from_convolution(convolution, alpha=alpha)(images), convolution(images))
        for alpha in (1.0, 10.0, 20.0)
    ]
    assert errors[0] > 0.3
    # four neighbors have exp(-alpha) of the weight
    assert 1e-5 < errors[1] < 1e-3
    assert 0.2 < errors[2] / errors[1] / torch.tensor(-10.0).exp() < 5


def test_without_padding_a_head_sees_the_nearest_pixel():
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 3, 3, padding=1)
    layer = ConvAttention.from_convolution(convolution)
    layer.padding = (0, 0)
    images = torch.randn(2, 2, 5, 6)
    repeated = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), convolution.weight, convolution.bias)
    found = layer(images)
    assert farthest(found, repeated) <= 1e-6
    padded = convolution(images)
    assert farthest(found[:, :, 1:-1, 1:-1], padded[:, :, 1:-1, 1:-1]) <= 1e-6
    assert farthest(found, padded) > 0.1


def test_where_and_how_sharply_it_looks_is_learned():
    torch.manual_seed(0)
    layer = ConvAttention(2, 3, heads=2, head_channels=2, padding=(1, 1)).double()
    images = torch.randn(1, 2, 3, 4, dtype=torch.float64)

    def run(centers, alpha):
        return torch.func.functional_call(layer, {"centers": centers, "alpha": alpha}, (images,))

    assert torch.autograd.gradcheck(run, (layer.centers, layer.alpha))
    assert all(p.grad_fn is None and p.requires_grad for p in layer.parameters())
    layer(images).square().sum().backward()
    assert all(p.grad.abs().sum() > 1e-3 for p in layer.parameters())


@pytest.mark.parametrize(
    "fields",
    [
        {"kernel_size": 3},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 1, "groups": 2},
        {"kernel_size": 4, "padding": "same"},
        {"kernel_size": 3, "padding": (1, 0)},
        {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
    ],
)
def test_other_convolutions_are_refused(fields):
    with pytest.raises(UnsupportedError, match=r"keeps the size, got Conv2d\(2, 4, kernel_size"):
        ConvAttention.from_convolution(nn.Conv2d(2, 4, **fields))
