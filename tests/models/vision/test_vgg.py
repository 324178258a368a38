import pytest
import torch
from torch import nn

from netsmith.api.weights import adopt_weights
from netsmith.core.errors import ConfigError
from netsmith.core.registry import config_in, sizes
from netsmith.core.roles import ModelConfig
from netsmith.measure.parameters import layer_table
from netsmith.models.vision.vgg import VGG

FACTS = {"in_channels": 3, "image_size": 224, "num_classes": 1000}


def published(name, **fields):
    entry, form = sizes()[name]
    with torch.device("meta"):
        return config_in(entry.module, ModelConfig)(**form, **FACTS | fields).build()


@pytest.mark.parametrize(
    ("name", "parameters", "gmacs"),
    [
        ("vgg11", 132_863_336, 7.609),
        ("vgg13", 133_047_848, 11.308),
        ("vgg16_c", 133_638_952, 11.771),
        ("vgg16", 138_357_544, 15.470),
        ("vgg19", 143_667_240, 19.632),
        ("vgg16_bn", 138_365_992, 15.470),
    ],
)
def test_the_counts_of_table_2(name, parameters, gmacs):
    model = published(name)
    rows = layer_table(model, torch.zeros(1, 3, 224, 224))
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters()) == parameters
    assert round(sum(row.macs for row in rows) / 1e9, 3) == gmacs


def test_vgg16_by_hand():
    rows = layer_table(published("vgg16"), torch.zeros(1, 3, 224, 224))
    widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    convolutions = [row for row in rows if row.type == "Conv2d"]
    assert [row.output[1] for row in convolutions] == widths
    assert [row.output[2] for row in convolutions] == [224] * 2 + [112] * 2 + [56] * 3 + [28] * 3 + [14] * 3
    weights = sum(9 * i * o for i, o in zip([3, *widths[:-1]], widths, strict=True))
    weights += 4096 * (7 * 7 * 512 + 4096 + 1000)
    assert weights == 138_344_128  # without biases
    assert sum(row.memory for row in rows) // 4 + 3 * 224**2 == 15_237_608  # its maps and the image


def test_three_small_kernels_cost_less_than_a_large_one():
    width = 8
    stack = [nn.Conv2d(width, width, 3, bias=False) for _ in range(3)]
    assert sum(layer.weight.numel() for layer in stack) == 27 * width**2
    assert nn.Conv2d(width, width, 7, bias=False).weight.numel() == 49 * width**2
    x = torch.zeros(1, width, 7, 7, requires_grad=True)
    (seen,) = torch.autograd.grad(nn.Sequential(*stack)(x).sum(), x)
    assert bool(seen.ne(0).all())  # one output sees 7 x 7


def test_it_is_the_plain_stack_of_layers():
    torch.manual_seed(0)
    small = {"channels": (4, 6), "layers": (1, 2), "hidden": 10, "in_channels": 1, "image_size": 9, "num_classes": 5}
    model = VGG.Config(**small).build().double().eval()
    relu, pool = nn.ReLU, nn.MaxPool2d
    stack = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), relu(), pool(2)),
        *(nn.Conv2d(4, 6, 3, padding=1), relu(), nn.Conv2d(6, 6, 3, padding=1), relu(), pool(2)),
        *(nn.Flatten(), nn.Linear(24, 10), relu(), nn.Linear(10, 10), relu(), nn.Linear(10, 5)),
    ).double()
    stack.load_state_dict(dict(zip(stack.state_dict(), model.state_dict().values(), strict=True)))
    x = torch.randn(2, 1, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(model(x), stack(x), rtol=0, atol=1e-12)


def test_it_is_scaled_stage_by_stage():
    config = VGG.Config(layers=(1, 2), channels=(4, 6), hidden=10)
    assert config.scaled(depth=2, width=0.5) == VGG.Config(layers=(2, 4), channels=(2, 3), hidden=5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": (1, 2)}, "one entry for each stage; they have 2 and 5"),
        ({"layers": (1, 1, 0, 1, 1)}, "must be positive"),
        ({"image_size": 28}, "expected at least 32 for 5 pools, got 28"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        VGG.Config(**FACTS | fields).build()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_it_takes_weights_under_torchvisions_names(batch_norm):
    form = {"channels": (4, 6), "layers": (1, 2), "hidden": 10, "batch_norm": batch_norm}
    config = VGG.Config(**form, in_channels=1, image_size=9, num_classes=5)
    torch.manual_seed(1)
    source, target = config.build(), config.build()
    for tensor in source.state_dict().values():  # numbers of its own, so that nothing is mistaken for another
        tensor.add_(torch.rand(tensor.shape).to(tensor.dtype))
    norms = ["norm"] if batch_norm else []
    numbered = [  # torchvision counts every layer, ReLU and pool
        *(f"stages.0.{kind}1" for kind in ("conv", *norms, "relu")),
        "stages.0.pool",
        *(f"stages.1.{kind}{at}" for at in (1, 2) for kind in ("conv", *norms, "relu")),
        "stages.1.pool",
    ]
    names = {name: f"features.{number}" for number, name in enumerate(numbered)}
    names |= {"classifier.linear1": "classifier.0", "classifier.linear2": "classifier.3", "head": "classifier.6"}
    weights = {}
    for name, tensor in source.state_dict().items():
        layer, _, kind = name.rpartition(".")
        weights[f"{names[layer]}.{kind}"] = tensor
    assert adopt_weights(target, config, weights) == "torchvision"
    for one, other in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        assert torch.equal(one, other)
