import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.consolidation import Consolidation
from netsmith.methods.distillation import Distillation
from netsmith.methods.pseudo_labels import PseudoLabels
from netsmith.methods.self_paced import SelfPaced
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.googlenet import GoogLeNet
from netsmith.models.vision.recurrent_attention import RecurrentAttention
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.models.vision.spatial_transformer_net import SpatialTransformerNet
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify
from netsmith.tasks.regress import Regress

SPEC = Spec(dataset="test", inputs=Inputs(kind="table", shape=(2,)), outputs=Outputs(kind="classes", names=("a", "b")))


class PlainDescent:
    """Stands in for the engine: one step of plain gradient descent, and a record of who stepped."""

    def __init__(self, method, rate):
        self.method, self.rate, self.called = method, rate, []

    def __call__(self, player, loss_function, batch):
        loss = loss_function(batch)
        mean = loss.total / loss.weight
        parameters = list(self.method.players()[player].values())
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(mean, parameters), strict=True):
                parameter -= self.rate * gradient
        self.called.append(player)
        return {"loss": mean.item()}


def test_softmax_regression_follows_the_gradient_by_hand():
    config = Supervised.Config(model=MLP.Config(hidden=(), in_features=2, num_outputs=2), task=Classify.Config())
    torch.manual_seed(0)
    method = config.build(spec=SPEC).double()
    x = torch.randn(6, 2, dtype=torch.float64)
    y = torch.tensor([0, 1, 1, 0, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.0, 1.0, 0.5, 1.0], dtype=torch.float64)
    w, b = method.model.head.weight.detach().clone(), method.model.head.bias.detach().clone()
    update = PlainDescent(method, rate=0.5)
    for _ in range(3):
        method.step(iter([Batch(x, y, weights=weights)]), update)
        error = (x @ w.T + b).softmax(1) - torch.nn.functional.one_hot(y, 2)  # the gradient of the cross entropy
        error = error * weights[:, None] / weights.sum()
        w, b = w - 0.5 * error.T @ x, b - 0.5 * error.sum(0)
    torch.testing.assert_close(method.model.head.weight.detach(), w, rtol=0, atol=1e-13)
    torch.testing.assert_close(method.model.head.bias.detach(), b, rtol=0, atol=1e-13)
    assert update.called == ["model"] * 3


def test_each_step_takes_one_fresh_batch_and_lowers_the_loss():
    config = Supervised.Config(model=MLP.Config(hidden=(8,), in_features=1, num_outputs=1), task=Regress.Config())
    torch.manual_seed(0)
    method = config.build(spec=SPEC)
    x = torch.linspace(-1, 1, 32)[:, None]
    feed = iter([Batch(x, 2 * x + 1)] * 200)
    update = PlainDescent(method, rate=0.1)
    losses = [method.step(feed, update)["loss"] for _ in range(150)]
    assert losses[0] > 0.5
    assert losses[-1] < 0.01
    assert len(list(feed)) == 50
    metrics = method.metrics()
    with torch.no_grad():
        method.evaluate(Batch(x, 2 * x + 1), metrics)
    assert metrics["r2"].compute() > 0.98
    assert method.product() is method.model


def test_players_state_and_what_may_be_cut():
    plain = Supervised.Config(model=MLP.Config(in_features=2, num_outputs=2), task="classify")
    method = plain.build(spec=SPEC)
    assert set(method.players()) == {"model"}
    assert all(name.startswith("model.") for name in method.players()["model"])
    assert method.undecomposable() == ""
    assert method.state() == {"buffers": {}}
    normed = Supervised.Config(model=SmallCNN.Config(in_channels=1, num_classes=2), task="classify")
    assert "batch normalization" in normed.build(spec=SPEC).undecomposable()
    assert MethodConfig.load(normed.dump()) == normed


def test_its_config_names_what_is_missing():
    with pytest.raises(ValueError, match=r"Supervised\.Config\.task is required"):
        Supervised.Config(model="mlp")


@pytest.mark.parametrize("form", [Supervised, SelfPaced, PseudoLabels, Consolidation])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            GoogLeNet.Config(in_channels=1, image_size=28, num_classes=2, stem="small", auxiliary=True),
            "the auxiliary heads of googlenet untrained; set method.model.auxiliary=false, or .* auxiliary_heads",
        ),
        (
            RecurrentAttention.Config(in_channels=1, num_classes=2, hidden_size=4),
            "where recurrent_attention looks untrained: .* take the method hard_attention",
        ),
    ],
)
def test_a_network_it_would_leave_half_trained_is_refused_when_training_begins(form, model, message):
    method = form.Config(model=model, task=Classify.Config()).build(spec=SPEC)  # imported weights need no training
    with pytest.raises(ConfigError, match=message):
        method.step(iter([Batch(torch.zeros(1, 1, 28, 28), torch.zeros(1).long())]), PlainDescent(method, rate=0.1))


@pytest.mark.parametrize("taught", [False, True])
def test_rates_by_layer_fall_from_the_head_to_where_the_inputs_enter(taught):
    """A spatial transformer is registered behind the head, and comes before all else."""
    images = Inputs(kind="image", shape=(1, 42, 42))
    model = SpatialTransformerNet.Config(in_channels=1, image_size=42, num_classes=2)
    fields = {"model": model, "task": Classify.Config()}
    config = Distillation.Config(**fields, teacher=model) if taught else Supervised.Config(**fields)
    player = config.build(spec=SPEC.derive(inputs=images)).players()["model"]
    groups = SGD.Config(lr=1.0, layer_decay=2.0).build(player).param_groups
    rates = {name.removeprefix("model."): group["lr"] for group in groups for name in group["names"]}
    assert {name: rates[f"{name}.weight"] for name in ("head", "features.conv2", "features.conv1")} == {
        "head": 1.0,
        "features.conv2": 1 / 2,
        "features.conv1": 1 / 4,
    }
    behind = {name: rate for name, rate in rates.items() if name.startswith("transformer.")}
    assert sorted(set(behind.values())) == [1 / 32, 1 / 16, 1 / 8]
    assert rates["transformer.localization.conv1.weight"] == 1 / 32
