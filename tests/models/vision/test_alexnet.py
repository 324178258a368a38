"""AlexNet and ZFNet, which share their outline."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.api.weights import adopt_weights
from netsmith.core.errors import ConfigError
from netsmith.core.registry import config_in, sizes
from netsmith.core.roles import ModelConfig
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.alexnet import AlexNet
from netsmith.models.vision.zfnet import ZFNet


@pytest.mark.parametrize(
    ("name", "size", "parameters", "macs", "maps"),
    [
        ("alexnet", 227, 60_965_224, 724_406_816, [55, 27, 27, 13, 13, 13, 13, 6]),
        ("alexnet_ungrouped", 227, 62_378_344, 1_135_256_096, [55, 27, 27, 13, 13, 13, 13, 6]),
        ("alexnet_one_column", 224, 61_100_840, 714_188_480, [55, 27, 27, 13, 13, 13, 13, 6]),
        ("zfnet", 224, 62_357_608, 1_168_032_896, [110, 55, 26, 13, 13, 13, 13, 6]),
        ("zfnet_wide", 224, 107_627_624, 2_476_704_896, [110, 55, 26, 13, 13, 13, 13, 6]),
    ],
)
def test_the_counts_and_maps_of_the_papers(name, size, parameters, macs, maps):
    entry, form = sizes()[name]
    with torch.device("meta"):
        model = config_in(entry.module, ModelConfig)(
            **form | {"in_channels": 3, "num_classes": 1000, "image_size": size}
        ).build()
    rows = layer_table(model, torch.zeros(1, 3, size, size))
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.macs for row in rows) == macs
    assert [row.output[2] for row in rows if row.type in ("Conv2d", "MaxPool2d")] == maps


def response(x):
    """Section 3.3 of the paper, channel by channel."""
    squares = x.square()
    near = torch.stack([squares[:, max(0, i - 2) : i + 3].sum(1) for i in range(x.shape[1])], 1)
    return x / (2 + 1e-4 * near) ** 0.75


def small(kind, **fields):
    torch.manual_seed(0)
    return kind.Config(hidden=7, in_channels=2, num_classes=3, **fields).build().double().eval()


@pytest.mark.parametrize("columns", [1, 2])
def test_alexnet_against_the_network_written_out(columns):
    model = small(AlexNet, columns=columns, channels=(4, 6, 8, 8, 6), initial="he", image_size=67)
    w = model.state_dict()
    x = 30 * torch.randn(2, 2, 67, 67, dtype=torch.float64)  # large, so that the normalization counts

    def conv(x, at, groups=1, **named):
        return F.conv2d(x, w[f"layers.conv{at}.weight"], w[f"layers.conv{at}.bias"], groups=groups, **named).relu()

    y = F.max_pool2d(response(conv(x, 1, stride=4)), 3, 2)
    y = F.max_pool2d(response(conv(y, 2, columns, padding=2)), 3, 2)
    y = conv(conv(y, 3, padding=1), 4, columns, padding=1)
    y = F.max_pool2d(conv(y, 5, columns, padding=1), 3, 2).flatten(1)
    for at in (1, 2):
        y = F.linear(y, w[f"classifier.linear{at}.weight"], w[f"classifier.linear{at}.bias"]).relu()
    y = F.linear(y, w["head.weight"], w["head.bias"])
    torch.testing.assert_close(model(x), y, rtol=1e-12, atol=1e-12)


def test_zfnet_against_the_network_written_out():
    model = small(ZFNet, channels=(4, 6, 8, 8, 6), image_size=70)
    w = model.state_dict()
    x = 30 * torch.randn(2, 2, 70, 70, dtype=torch.float64)

    def conv(x, at, **named):
        return F.conv2d(x, w[f"layers.conv{at}.weight"], w[f"layers.conv{at}.bias"], **named).relu()

    y = response(F.max_pool2d(conv(x, 1, stride=2, padding=1), 3, 2, ceil_mode=True))
    y = response(F.max_pool2d(conv(y, 2, stride=2), 3, 2, ceil_mode=True))
    y = conv(conv(conv(y, 3, padding=1), 4, padding=1), 5, padding=1)
    y = F.max_pool2d(y, 3, 2).flatten(1)
    for at in (1, 2):
        y = F.linear(y, w[f"classifier.linear{at}.weight"], w[f"classifier.linear{at}.bias"]).relu()
    torch.testing.assert_close(model(x), F.linear(y, w["head.weight"], w["head.bias"]), rtol=1e-12, atol=1e-12)


def test_first_weights_are_the_papers():
    model = AlexNet.Config(hidden=64, in_channels=3, num_classes=5, image_size=67).build()
    assert model.layers.conv3.weight.std().item() == pytest.approx(0.01, rel=0.01)
    ones = {name for name, p in model.named_parameters() if name.endswith("bias") and bool((p == 1).all())}
    assert ones == {
        f"{name}.bias"
        for name in ("layers.conv2", "layers.conv4", "layers.conv5", "classifier.linear1", "classifier.linear2")
    }
    others = [p for name, p in model.named_parameters() if name.endswith("bias") and name not in ones]
    assert not any(bool(p.any()) for p in others)


def test_alexnet_takes_weights_under_torchvisions_names():
    form = {"columns": 1, "channels": (4, 6, 8, 8, 6), "response_norm": False, "padding": 2, "hidden": 7}
    config = AlexNet.Config(**form, in_channels=3, num_classes=3, image_size=63)
    torch.manual_seed(1)
    source, target = config.build(), config.build()
    public = [0, 3, 6, 8, 10]
    names = {f"layers.conv{at}": f"features.{number}" for at, number in enumerate(public, start=1)}
    names |= {"classifier.linear1": "classifier.1", "classifier.linear2": "classifier.4", "head": "classifier.6"}
    weights = {}
    for name, tensor in source.state_dict().items():
        layer, _, kind = name.rpartition(".")
        weights[f"{names[layer]}.{kind}"] = tensor
    assert adopt_weights(target, config, weights) == "torchvision"
    assert all(
        torch.equal(a, b) for a, b in zip(source.state_dict().values(), target.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(AlexNet, image_size=66), "66 pixels leave nothing after three pools; expected at least 67"),
        (lambda: AlexNet.Config(channels=(5, 6, 8, 8, 6)), r"multiples of columns=2, got \(5, 6"),
        (lambda: small(ZFNet, image_size=62), "62 pixels leave nothing after three pools; expected at least 63"),
        (lambda: ZFNet.Config(channels=(5, 6, 8, 0, 6)), "must be positive"),
    ],
)
def test_bad_forms_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_the_smallest_images_pass():
    assert small(AlexNet, image_size=67)(torch.zeros(1, 2, 67, 67, dtype=torch.float64)).shape == (1, 3)
    assert small(ZFNet, image_size=63)(torch.zeros(1, 2, 63, 63, dtype=torch.float64)).shape == (1, 3)


def test_scaling_keeps_the_columns():
    assert AlexNet.Config(channels=(6, 6, 8, 8, 6)).scaled(width=0.5).channels == (4, 4, 4, 4, 4)
