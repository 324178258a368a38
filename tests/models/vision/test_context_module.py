import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.models.vision.context_module import ContextModule, ContextNet

DILATIONS = (1, 1, 2, 4, 8, 16, 1)
FIELDS = (3, 5, 9, 17, 33, 65, 67)  # Table 1
FACTS = {"in_channels": 1, "num_classes": 5}


def test_the_basic_module_is_the_identity_at_first():
    x = torch.rand(2, 6, 20, 23)
    module = ContextModule(6)
    assert torch.equal(module(x), x)
    assert not torch.equal(module(-x), -x)  # truncation is what it does to negative maps
    assert sum(p.numel() for p in module.parameters()) == 64 * 6**2 + 8 * 6


def test_the_large_module_is_the_identity_up_to_its_noise():
    x = torch.rand(2, 3, 12, 12, dtype=torch.float64)
    torch.testing.assert_close(ContextModule(3, form="large", sigma=0.0).double()(x), x, rtol=0, atol=1e-14)
    torch.manual_seed(0)
    module = ContextModule(3, form="large", sigma=1e-4).double()
    widths = [layer.out_channels for layer in module.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [6, 6, 12, 24, 48, 96, 96, 3]
    error = float((module(x) - x).detach().abs().max())
    assert 1e-6 < error < 0.1
    first, second = module.layers.conv1.weight[0], module.layers.conv1.weight[1]  # both copy channel 0
    assert first[0, 1, 1] == second[0, 1, 1] == 0.5
    assert not torch.equal(first, second)


def test_each_layer_sees_what_table_1_says():
    module = ContextModule(1).double()
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    x = torch.zeros(1, 1, 81, 81, dtype=torch.float64, requires_grad=True)
    y, found = x, []
    for layer in module.layers:
        y = layer(y)
        if isinstance(layer, nn.Conv2d):
            (gradient,) = torch.autograd.grad(y[0, 0, 40, 40], x, retain_graph=True)
            rows, columns = gradient[0, 0].nonzero().T
            assert rows.unique().tolist() == columns.unique().tolist()
            found.append(int(rows.max() - rows.min()) + 1)
    assert found == [*FIELDS, 67]


def test_it_is_the_module_of_the_paper():
    torch.manual_seed(0)
    model = ContextNet.Config(**FACTS, front=(3, 4)).build().double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    state = model.state_dict()
    images = torch.randn(2, 1, 14, 17, dtype=torch.float64)
    x = F.conv2d(images, state["front.unit1.conv.weight"], state["front.unit1.conv.bias"], padding=1).clamp(min=0)
    x = F.max_pool2d(x, 2)
    x = F.conv2d(x, state["front.unit2.conv.weight"], state["front.unit2.conv.bias"], padding=1).clamp(min=0)
    for at, dilation in enumerate(DILATIONS, start=1):
        weight, bias = state[f"context.layers.conv{at}.weight"], state[f"context.layers.conv{at}.bias"]
        wide = torch.zeros(4, 4, 2 * dilation + 1, 2 * dilation + 1, dtype=torch.float64)  # Eq. 2: taps far apart
        wide[:, :, ::dilation, ::dilation] = weight
        x = F.conv2d(x, wide, bias, padding=dilation).clamp(min=0)
    x = torch.einsum("oi,bihw->bohw", state["context.layers.conv8.weight"][:, :, 0, 0], x)
    x = x + state["context.layers.conv8.bias"][:, None, None]
    dense = torch.einsum("oi,bihw->bohw", state["head.weight"], x) + state["head.bias"][:, None, None]
    scale = float(dense.abs().max())
    torch.testing.assert_close(model.dense(images), dense, rtol=0, atol=1e-12 * scale)
    torch.testing.assert_close(model(images), dense.mean((2, 3)), rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("form", ["basic", "large"])
def test_at_first_the_network_answers_as_without_the_module(form):
    torch.manual_seed(0)
    extra = {"sigma": 0.0} if form == "large" else {}
    model = ContextNet.Config(**FACTS, front=(4, 5), form=form, **extra).build().double()
    images = torch.randn(3, 1, 16, 16, dtype=torch.float64)
    without = model.head(model.front(images).mean((2, 3)))
    torch.testing.assert_close(model(images), without, rtol=0, atol=1e-14)
    assert float(without.detach().abs().max()) > 0.01


@pytest.mark.parametrize("form", ["basic", "large"])
def test_surgery_cuts_it(form):
    torch.manual_seed(0)
    model = ContextNet.Config(**FACTS, front=(4, 6), form=form).build().double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    small, log = prune(model, torch.randn(2, 1, 16, 16, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    assert small.context.layers.conv6.in_channels == model.context.layers.conv6.in_channels // 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"front": ()}, "front needs at least one convolution"),
        ({"front": (4, 0)}, "all of positive width"),
        ({"sigma": 0.1}, "sigma=0.1 is the noise of the large form"),
    ],
)
def test_bad_forms_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        ContextNet.Config(**fields)
