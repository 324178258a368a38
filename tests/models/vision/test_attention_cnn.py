import pytest
import torch
from torch import nn

from netsmith.core.errors import UnsupportedError
from netsmith.layers.conv_attention import ConvAttention
from netsmith.models.vision.attention_cnn import AttentionCNN
from netsmith.models.vision.small_cnn import SmallCNN


def cnn(**fields):
    torch.manual_seed(0)
    form = {"channels": (6, 4, 9), "depth": 2, "normalization": "none", "in_channels": 3, "num_classes": 5, **fields}
    network = SmallCNN.Config(**form).build().double()
    for name, values in network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(values)
    return network


@pytest.mark.parametrize("fields", [{}, {"channels": (8,), "depth": 1, "in_channels": 1}])
def test_it_answers_as_the_convolutions_do(fields):
    convolutions = cnn(**fields)
    attention = AttentionCNN.from_convolutions(convolutions)
    assert not any(isinstance(layer, nn.Conv2d) for layer in attention.modules())
    images = torch.randn(4, convolutions.stages[0].conv1.in_channels, 9, 12, dtype=torch.float64)
    expected = convolutions(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(attention(images), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(attention(images), expected, rtol=0, atol=1e-13)  # alpha = 46 leaves 1e-20
    plain, of_attention = [], []
    for network, found in ((convolutions, plain), (attention, of_attention)):
        layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, ConvAttention))]
        for layer in layers:
            layer.register_forward_hook(lambda *given, found=found: found.append(given[2].detach()))
        network(images)
    assert len(plain) == len(fields.get("channels", (6, 4, 9))) * fields.get("depth", 2)
    for one, other in zip(plain, of_attention, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


def test_a_network_of_its_config_holds_any_such_convolutions():
    convolutions = cnn()
    attention = AttentionCNN.from_convolutions(convolutions)
    built = AttentionCNN.Config(channels=(6, 4, 9), depth=2, in_channels=3, num_classes=5).build().double()
    built.load_state_dict(attention.state_dict())
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert torch.equal(built(images), attention(images))
    assert attention.head.weight.data_ptr() != convolutions.head.weight.data_ptr()


def test_its_parameters_are_those_of_nine_heads():
    """Of each layer: 9 (D_in D_h + D_h D_out + 2 + 1) + D_out with D_h = min(D_in, D_out)."""
    network = AttentionCNN.Config(channels=(16, 32), in_channels=1, num_classes=10).build()
    layers = [9 * (1 + 16 + 3) + 16, 9 * (16 * 16 + 16 * 32 + 3) + 32]
    assert sum(p.numel() for p in network.parameters()) == sum(layers) + 330


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"normalization": "batch"}, r"without normalization.*got one with stages.0.norm1"),
        ({"residual": True}, r"shortcuts.*got one with stages.0.residual2"),
        ({"dropout": 0.5}, "dropout.*got one with dropout"),
        ({"padding": 0, "channels": (4,)}, "zero padding on all sides"),
    ],
)
def test_another_form_is_refused(fields, message):
    with pytest.raises(UnsupportedError, match=message):
        AttentionCNN.from_convolutions(cnn(**fields))
