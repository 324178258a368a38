import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError
from netsmith.models.vision.small_cnn import SmallCNN


def test_it_is_the_plain_stack_of_layers():
    torch.manual_seed(0)
    model = SmallCNN.Config(channels=(4, 6), depth=2, in_channels=3, num_classes=5).build().double()
    plain = []
    for inner, outer in ((3, 4), (4, 4), (4, 6), (6, 6)):
        plain += [nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    plain.insert(6, nn.MaxPool2d(2))
    stack = nn.Sequential(*plain, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5)).double()
    stack.load_state_dict(dict(zip(stack.state_dict(), model.state_dict().values(), strict=True)))
    for size in (8, 9, 20):
        x = torch.randn(2, 3, size, size + 1, dtype=torch.float64)
        torch.testing.assert_close(model(x), stack(x), rtol=0, atol=1e-12)


def test_the_count_of_the_default_and_the_first_weights():
    model = SmallCNN.Config(in_channels=1, num_classes=10).build()
    assert sum(p.numel() for p in model.parameters()) == 9 * (32 + 32 * 64 + 64 * 128) + 2 * (32 + 64 + 128) + 1290
    weight = model.stages[2].conv1.weight
    assert weight.var().item() == pytest.approx(2 / (9 * 64), rel=0.03)


def test_no_stage_is_refused():
    with pytest.raises(ConfigError, match="at least one stage"):
        SmallCNN.Config(channels=())


def test_the_network_of_keras_introduction_has_its_parameters_and_maps():
    config = SmallCNN.Config(
        channels=(64, 128), depth=2, normalization="none", padding=0, dropout=0.5, in_channels=1, num_classes=10
    )
    model = config.build()
    assert sum(p.numel() for p in model.parameters()) == 260_298
    assert model.stages(torch.zeros(1, 1, 28, 28)).shape == (1, 128, 8, 8)  # 28, 26, 24, pool 12, 10, 8


@pytest.mark.parametrize(("kind", "groups"), [("group", 2), ("layer", 1), ("instance", 4)])
def test_statistics_of_each_image_alone(kind, groups):
    """By hand: mean and biased variance over a group's channels and places; batch size plays no part."""
    torch.manual_seed(0)
    fields = {"groups": 2} if kind == "group" else {}
    config = SmallCNN.Config(channels=(4,), normalization=kind, in_channels=1, num_classes=2, **fields)
    model = config.build().double()
    x = torch.randn(3, 1, 6, 6, dtype=torch.float64)
    conv = model.stages[0].conv1(x)
    parts = conv.reshape(3, groups, -1)
    wanted = (parts - parts.mean(2, keepdim=True)) / (parts.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(model.stages[0].norm1(conv), wanted.reshape(conv.shape), rtol=0, atol=1e-12)
    torch.testing.assert_close(model(x)[:1], model(x[:1]), rtol=0, atol=1e-12)


def test_a_residual_layer_adds_what_it_was_given():
    torch.manual_seed(0)
    fields = {"channels": (4, 6), "depth": 3, "in_channels": 1, "num_classes": 2, "normalization": "none"}
    model = SmallCNN.Config(residual=True, **fields).build().double()
    names = [name for name, _ in model.stages[1].named_children()]
    assert names == ["pool", "conv1", "relu1", "residual2", "residual3"]
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64)
    layer = model.stages[1].residual2
    torch.testing.assert_close(layer(x), (layer.conv(x) + x).relu(), rtol=0, atol=1e-12)
    plain = SmallCNN.Config(**fields).build()
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"normalization": "group", "groups": 3}, "groups=3 does not divide 32"),
        ({"groups": 4}, "applies to normalization='group' only"),
        ({"residual": True}, "residual needs a depth of at least 2"),
        ({"residual": True, "depth": 2, "padding": 0}, "residual needs padding=1"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, word):
    with pytest.raises(ConfigError, match=word):
        SmallCNN.Config(**fields)
