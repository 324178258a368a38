import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.models.vision.lenet5_1998 import LeNet5Of1998, ScaledTanh

# Table I as the paper prints it: rows are maps of S2, columns maps of C3
TABLE_I = (
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
)


def build(**fields):
    torch.manual_seed(0)
    return LeNet5Of1998.Config(in_channels=1, num_classes=10, **{"image_size": 32, **fields}).build()


def seen_by(column):
    return [row for row in range(6) if TABLE_I[row][column] == "X"]


def test_the_trainable_parameters_layer_by_layer():
    model = build()
    layers = [*(getattr(model.features, name) for name in ("c1", "s2", "c3", "s4")), *model.classifier, model.head]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    assert [count for count in counts if count] == [156, 12, 1_516, 32, 48_120, 10_164]
    assert sum(p.numel() for p in model.parameters()) == 60_000
    assert sum(p.numel() for p in build(image_size=28).parameters()) == 60_000


def test_the_connections_are_what_each_unit_depends_on():
    """A connection is an input that changes a unit, or its bias; a forward pass cannot hide one from the Jacobian."""
    model = build()
    x, found = torch.randn(1, 1, 32, 32), []
    for layer in (*model.features, *model.classifier, model.head):
        y = layer(x).detach()
        if not isinstance(layer, (ScaledTanh, nn.Flatten)):
            jacobian = torch.func.jacrev(layer, chunk_size=500)(x)
            biases = 0 if layer is model.head else y.numel()
            found.append(int(jacobian.count_nonzero()) + biases)
        x = y
    assert found == [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840]
    assert sum(found) == 340_908


def squash(x):
    return 1.7159 * (1 - 2 / ((4 / 3 * x).exp() + 1))  # tanh(2x/3) by exponentials


def test_it_computes_what_the_paper_writes():
    model = build().double()
    w = model.state_dict()
    x = torch.randn(3, 1, 32, 32, dtype=torch.float64)
    y = squash(F.conv2d(x, w["features.c1.weight"], w["features.c1.bias"]))

    def subsample(maps, name):
        total = maps[..., ::2, ::2] + maps[..., 1::2, ::2] + maps[..., ::2, 1::2] + maps[..., 1::2, 1::2]
        coefficient, bias = (w[f"features.{name}.{part}"].view(-1, 1, 1) for part in ("weight", "bias"))
        return squash(total * coefficient + bias)

    y = subsample(y, "s2")
    maps, at = [], 0
    for column in range(16):
        seen = seen_by(column)
        kernels, at = w["features.c3.weight"][at : at + len(seen)], at + len(seen)
        maps.append(F.conv2d(y[:, seen], kernels[None]) + w["features.c3.bias"][column])
    assert at == 60
    y = subsample(squash(torch.cat(maps, 1)), "s4")
    y = squash(y.flatten(1) @ w["classifier.c5.weight"].flatten(1).T + w["classifier.c5.bias"])
    y = squash(y @ w["classifier.f6.weight"].T + w["classifier.f6.bias"])
    y = -torch.cdist(y, model.head.centers).square()
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-11)


def test_its_loss_is_equation_9_without_rubbish():
    model = build().double()
    x, target = torch.randn(4, 1, 32, 32, dtype=torch.float64), torch.tensor([3, 0, 9, 3])
    y = model.head(model.classifier(model.features(x)))
    expected = (y[range(4), target] + (-y).exp().sum(1).log()).mean()
    torch.testing.assert_close(F.cross_entropy(model(x), target), expected, rtol=0, atol=1e-12)


def test_a_unit_that_draws_a_digit_is_that_digit():
    centers = build().head.centers
    assert centers.shape == (10, 84)
    assert set(centers.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(build().head(centers).argmin(1), torch.arange(10))
    apart = (torch.cdist(centers, centers, p=1) / 2).fill_diagonal_(math.inf)  # dots in which two drawings differ
    assert apart.min() == 10


def test_small_images_get_more_of_their_edge():
    model, large = build(image_size=28), build()
    large.load_state_dict(model.state_dict())
    x = torch.full((2, 1, 32, 32), -0.4)
    x[:, :, 4:28, 4:28] = torch.randn(2, 1, 24, 24)
    assert torch.equal(model(x[:, :, 2:30, 2:30]), large(x))


def test_first_weights_follow_appendix_a():
    model = build()
    c3 = model.features.c3
    fans = [25 * len(seen_by(column)) for column in range(16)]
    for kernels, fan in zip(c3.weight.split([fan // 25 for fan in fans]), fans, strict=True):
        assert 0.9 * 2.4 / fan < kernels.abs().max() <= 2.4 / fan
    layers = {model.features.c1: 25, model.classifier.c5: 400, model.classifier.f6: 120, model.features.s4: 4}
    for layer, fan in layers.items():
        for values in layer.parameters():
            assert 0.7 * 2.4 / fan < values.abs().max() <= 2.4 / fan
        if fan > 4:
            assert layer.weight.var().item() == pytest.approx((2.4 / fan) ** 2 / 3, rel=0.15)


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"image_size": 64}, "expected 28 or 32, got 64.*small_cnn"), ({"num_classes": 26}, "a drawing for each digit")],
)
def test_another_form_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        LeNet5Of1998.Config(**{"in_channels": 1, "image_size": 32, "num_classes": 10, **fields}).build()
