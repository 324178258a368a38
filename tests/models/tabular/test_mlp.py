import numpy as np
import pytest
import torch

from netsmith.layers.drop_connect import DropConnect
from netsmith.models.tabular.mlp import MLP

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


@pytest.mark.parametrize(("hidden", "count"), [((1200, 1200), 2_395_210), ((800, 800), 1_276_810), ((), 7_850)])
def test_hintons_networks_for_mnist(hidden, count):
    model = MLP.Config(hidden=hidden, in_features=784, num_outputs=10).build()
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_computes_what_numpy_computes(activation):
    model = MLP.Config(hidden=(7, 5), activation=activation, in_features=12, num_outputs=3).build().double()
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    w = {name: p.detach().numpy() for name, p in model.named_parameters()}
    y = x.numpy().reshape(4, 12)
    for layer in ("hidden.0.linear", "hidden.1.linear"):
        y = ACTIVATIONS[activation](y @ w[f"{layer}.weight"].T + w[f"{layer}.bias"])
    y = y @ w["head.weight"].T + w["head.bias"]
    assert model(x).detach().numpy() == pytest.approx(y, abs=1e-12)


def test_landmarks_exist_with_and_without_hidden_layers():
    for hidden in ((), (4,)):
        model = MLP.Config(hidden=hidden, in_features=2, num_outputs=2).build()
        for name in model.landmarks().values():
            model.get_submodule(name)


def test_dropout_works_in_training_only():
    torch.manual_seed(0)
    model = MLP.Config(hidden=(500,), dropout=0.5, in_features=4, num_outputs=2).build()
    x = torch.randn(3, 4)
    dropped = model.hidden(x) == 0
    model.eval()
    share = (dropped & (model.hidden(x) > 0)).sum() / (model.hidden(x) > 0).sum()
    assert share.item() == pytest.approx(0.5, abs=0.06)
    assert torch.equal(model(x), model(x))


def test_hidden_layers_can_drop_weights_or_scale_at_test_time():
    fields = {"hidden": (8, 8), "in_features": 5, "num_outputs": 3}
    dropping = MLP.Config(drop_connect=0.5, activation="tanh", **fields).build()
    assert [type(layer[0]) for layer in dropping.hidden] == [DropConnect, DropConnect]
    plain = MLP.Config(activation="tanh", **fields).build()
    assert sum(p.numel() for p in dropping.parameters()) == sum(p.numel() for p in plain.parameters())
    x = torch.randn(4, 5)
    assert not torch.equal(dropping(x), dropping(x))
    dropping.eval()
    assert torch.equal(dropping(x), dropping(x))
    scaled = MLP.Config(dropout=0.5, dropout_scaled="test", hidden=(8,), in_features=5, num_outputs=3).build().eval()
    hidden = torch.relu(scaled.hidden[0].linear(x))
    assert torch.allclose(scaled(x), scaled.head(hidden / 2), atol=1e-6)
