import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.models.vision.lenet5 import LeNet5


def build(**fields):
    torch.manual_seed(0)
    return LeNet5.Config(in_channels=1, num_classes=10, **{"image_size": 28, **fields}).build()


def test_the_count_of_the_modern_form_layer_by_layer():
    named = {name: p.numel() for name, p in build().named_parameters()}
    layers = ["features.conv1", "features.conv2", "classifier.linear1", "classifier.linear2", "head"]
    assert [named[f"{layer}.weight"] + named[f"{layer}.bias"] for layer in layers] == [156, 2416, 48120, 10164, 850]
    assert sum(named.values()) == 61_706
    assert sum(p.numel() for p in build(image_size=32).parameters()) == 61_706


@pytest.mark.parametrize("form", [("relu", "max"), ("tanh", "average")])
def test_it_computes_what_the_figure_shows(form):
    activation, pooling = form
    model = build(activation=activation, pooling=pooling).double()
    w = model.state_dict()
    act = torch.relu if activation == "relu" else torch.tanh
    pool = F.max_pool2d if pooling == "max" else F.avg_pool2d
    x = torch.randn(3, 1, 28, 28, dtype=torch.float64)
    y = F.pad(x, (2, 2, 2, 2))  # 32 x 32, as in the paper
    for name in ("conv1", "conv2"):
        y = pool(act(F.conv2d(y, w[f"features.{name}.weight"], w[f"features.{name}.bias"])), 2)
    y = y.reshape(3, 400)
    for name in ("linear1", "linear2"):
        y = act(y @ w[f"classifier.{name}.weight"].T + w[f"classifier.{name}.bias"])
    y = y @ w["head.weight"].T + w["head.bias"]
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-12)
    padded = build(image_size=32, activation=activation, pooling=pooling).double()
    padded.load_state_dict(w)
    torch.testing.assert_close(padded(F.pad(x, (2, 2, 2, 2))), y, rtol=0, atol=1e-12)


def test_another_size_is_refused():
    with pytest.raises(ConfigError, match=r"expected 28 or 32, got 64.*small_cnn"):
        build(image_size=64)


def test_first_weights_follow_the_rule():
    for activation, gain in (("relu", 2.0), ("tanh", 1.0)):
        weight = build(activation=activation).classifier.linear1.weight
        assert weight.var().item() == pytest.approx(gain / 400, rel=0.02)
