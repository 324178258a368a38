import pytest
import torch

from netsmith.compress.prune import prune
from netsmith.core.errors import ConfigError
from netsmith.layers.highway import Highway
from netsmith.models.vision.highway_net import HighwayNet

FACTS = {"in_features": 784, "num_classes": 10}
PLAIN = {"highway": False, "width": 71}


def size(**fields):
    with torch.device("meta"):
        return sum(p.numel() for p in HighwayNet.Config(**FACTS, **fields).build().parameters())


def test_the_counts():
    assert size() == 784 * 50 + 50 + 49 * (2 * 50 * 50 + 2 * 50) + 50 * 10 + 10 == 289_660
    assert size(**PLAIN) == 784 * 71 + 71 + 49 * (71 * 71 + 71) + 71 * 10 + 10 == 306_943
    # per layer
    assert size(depth=11) - size(depth=10) == 5_100
    assert size(depth=11, **PLAIN) - size(depth=10, **PLAIN) == 5_112
    assert size(depth=1, width=71) == size(depth=1, **PLAIN)


@pytest.mark.parametrize("highway", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_it_is_the_network_of_the_paper(highway, activation):
    torch.manual_seed(0)
    fields = {"depth": 4, "width": 6, "activation": activation, "in_features": 12, "num_classes": 3}
    model = HighwayNet.Config(highway=highway, **fields).build().double()
    state = model.state_dict()
    for tensor in state.values():
        tensor.normal_()
    bend = torch.tanh if activation == "tanh" else lambda x: x.clamp(min=0)
    images = torch.randn(5, 1, 3, 4, dtype=torch.float64)

    def affine(x, name):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    x = bend(affine(images.flatten(1), "projection.linear"))
    for at in range(3):
        name = f"layers.{at}"
        if highway:
            t = affine(x, f"{name}.gate").sigmoid()
            x = bend(affine(x, f"{name}.plain.linear")) * t + x * (1 - t)
        else:
            x = bend(affine(x, f"{name}.linear"))
    assert len(state) == (4 + 3 * (4 if highway else 2))
    torch.testing.assert_close(model(images), affine(x, "head"), rtol=0, atol=1e-12)


def jacobian(*, times=1.0, **fields):
    """Singular values of what the hidden layers of a fresh network do to a gradient."""
    torch.manual_seed(0)
    model = HighwayNet.Config(**FACTS, **fields).build().double()
    with torch.no_grad():
        for layer in model.layers:
            (layer.plain if isinstance(layer, Highway) else layer).linear.weight.mul_(times)
    hidden = model.projection(torch.randn(1, 784, dtype=torch.float64)).detach()
    return torch.linalg.svdvals(torch.autograd.functional.jacobian(model.layers, hidden, vectorize=True)[0, :, 0])


def passed(values):
    """Share of the norm of a random gradient that comes through."""
    return float(values.square().mean().sqrt())


def directions(values):
    """The stable rank: 1 where all that comes through lies in one direction."""
    return float(values.square().sum() / values[0] ** 2)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_gradient_survives_fifty_layers(activation):
    for times in (1.0, 0.5):
        values = jacobian(activation=activation, times=times)
        assert 0.3 < passed(values) < 0.45
        assert directions(values) > 14
        assert passed(jacobian(activation=activation, times=times, transform_bias=-10.0)) > 0.99
        assert 0.001 < passed(jacobian(activation=activation, times=times, transform_bias=-2.0)) < 0.03


def test_in_plain_layers_it_loses_its_size_or_its_directions():
    for activation in ("relu", "tanh"):
        assert passed(jacobian(activation=activation, times=0.5, **PLAIN)) < 1e-14
        assert directions(jacobian(activation=activation, **PLAIN)) < 2
    # what He's draw is made for
    assert 0.3 < passed(jacobian(**PLAIN)) < 3


@pytest.mark.parametrize("fields", [{}, {"activation": "tanh"}, {"highway": False}])
def test_surgery_cuts_it(fields):
    torch.manual_seed(0)
    model = HighwayNet.Config(depth=6, width=12, in_features=16, num_classes=3, **fields).build().double().eval()
    small, log = prune(model, torch.randn(4, 1, 4, 4, dtype=torch.float64), ratio=0.5, scope="local")
    assert log.proof[0]["error"] <= 1e-12
    # gated units are those of every layer, plain ones each layer's own
    assert [p.shape[0] for name, p in small.named_parameters() if name.endswith("linear.weight")] == [6] * 6
    assert small.head.in_features == 6


def test_bad_forms_are_refused():
    with pytest.raises(ConfigError, match=r"transform_bias=-3.0 applies to highway=True only: .* leave it out"):
        HighwayNet.Config(highway=False, transform_bias=-3.0)
    with pytest.raises(ConfigError, match=r"transform_bias: .*less than or equal to 0"):
        HighwayNet.Config(transform_bias=1.0)
    with pytest.raises(ConfigError, match=r"depth: .*greater than or equal to 1"):
        HighwayNet.Config(depth=0)
