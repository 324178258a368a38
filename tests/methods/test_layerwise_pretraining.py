"""Layer-wise pre-training: each layer in its turn, by the rule it names, and a resume that is exact in any phase."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import MethodConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import example_keys
from netsmith.layers.restricted_boltzmann import gibbs, keyed_draws
from netsmith.methods.layerwise_pretraining import LayerwisePretraining
from netsmith.models.foundations.deep_belief_network import DeepBeliefNetwork
from netsmith.models.foundations.rbm import RBM
from netsmith.models.tabular.mlp import MLP
from netsmith.tasks.classify import Classify
from netsmith.verify.subject import Subject, weights_sha256

SPEC = Spec(dataset="t", inputs=Inputs(kind="table", shape=(6,)), outputs=Outputs(kind="classes", names=("a", "b")))
MODEL = DeepBeliefNetwork.Config(in_features=6, hidden=(5, 4, 3), num_classes=2, std=0.5)
STAGES = ("rbm", "autoencoder", "supervised")


class Descent:
    """Stands in for the engine: plain gradient descent, and a record of who stepped."""

    def __init__(self, method, steps, rate=0.1):
        self.method, self.steps, self.rate, self.called = method, steps, rate, []

    def __call__(self, player, loss_function, batch):
        loss = loss_function(batch)
        parameters = self.method.players()[player]
        slopes = torch.autograd.grad(loss.total / loss.weight, list(parameters.values()), allow_unused=True)
        with torch.no_grad():
            for parameter, slope in zip(parameters.values(), slopes, strict=True):
                if slope is not None:
                    parameter -= self.rate * slope
        self.called.append(player)
        return {f"{player}/loss": float(loss.total.detach()) / float(loss.weight)}


def build(**fields):
    torch.manual_seed(0)
    known = {"model": MODEL, "task": Classify.Config()}
    return LayerwisePretraining.Config(**(known | fields)).build(spec=SPEC).double()


def batch(size=8, weights=None):
    generator = torch.Generator().manual_seed(1)
    seen = torch.rand(size, 6, generator=generator).double()
    return Batch(seen, (seen[:, 0] > 0.5).long(), example_keys(3, torch.arange(size)), weights=weights)


def moved(method, before):
    return {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])} - {"taken"}


@pytest.mark.parametrize("stage", STAGES)
def test_each_layer_learns_in_its_turn_and_then_all_of_them(stage):
    method = build(stage=stage, share=0.6)
    update, changed = Descent(method, steps=10), []
    for _ in range(10):
        before = {name: value.clone() for name, value in method.state_dict().items()}
        method.step(iter([batch()]), update)
        changed.append(moved(method, before))
    assert update.called == ["layers"] * 6 + ["model"] * 4
    aside = "heads.{0}." if stage == "supervised" else "model.layers.{0}.visible_bias"
    for step in range(6):
        own = {f"model.layers.{step // 2}.linear.weight", f"model.layers.{step // 2}.linear.bias"}
        extra = {aside.format(step // 2) + part for part in (("weight", "bias") if stage == "supervised" else ("",))}
        assert changed[step] == own | extra
    upwards = {f"model.layers.{at}.linear.{part}" for at in range(3) for part in ("weight", "bias")}
    assert changed[6] == changed[9] == upwards | {"model.head.weight", "model.head.bias"}


def test_a_step_of_stage_rbm_is_that_of_contrastive_divergence():
    method, one = build(gibbs_steps=2), batch(weights=torch.linspace(0.5, 2, 8).double())
    layer = method.model.stack()[0]
    peer = RBM.Config(in_features=6, num_classes=0, hidden=5, gibbs_steps=2).build().double()
    peer.weight.copy_(layer.linear.weight)
    peer.hidden_bias.copy_(layer.linear.bias)
    before = layer.machine()
    logits = before.hidden(one.inputs) @ before.weight + before.visible_bias
    error = F.binary_cross_entropy_with_logits(logits, one.inputs, reduction="none").sum(1).detach()
    logs = method.step(iter([one]), Descent(method, steps=4, rate=0.3))
    # RBM draws the hidden units of its chain from the same keys and streams
    peer.learn(one, rate=0.3)
    for ours, theirs in zip(layer.machine(), (peer.weight, peer.visible_bias, peer.hidden_bias), strict=False):
        assert (ours - theirs).abs().max() < 1e-12
    assert logs["layers/loss"] == pytest.approx(float((error * one.weights).sum() / one.weights.sum()))


def test_an_upper_layer_learns_from_the_probabilities_of_those_below():
    method, one = build(), batch()
    first, second = method.model.stack()[:2]
    seen = torch.sigmoid(F.linear(one.inputs, first.linear.weight, first.linear.bias)).detach()
    machine, draw = second.machine(), keyed_draws(one.keys, torch.float64)
    hidden = machine.hidden(seen)
    guess = gibbs(machine, (draw(4, "cd/hidden") < hidden).double(), steps=1, draw=draw)
    want = (hidden.T @ seen - guess.probabilities.T @ guess.visible) / 8
    loss = method._layer_loss(1)(one)
    (slope,) = torch.autograd.grad(loss.total / loss.weight, second.linear.weight)
    assert (slope + want).abs().max() < 1e-12


def test_an_autoencoder_reconstructs_through_the_same_weights():
    method, one = build(stage="autoencoder"), batch()
    layer = method.model.stack()[0]
    hidden = torch.sigmoid(one.inputs @ layer.linear.weight.T + layer.linear.bias)
    guess = torch.sigmoid(hidden @ layer.linear.weight + layer.visible_bias)
    want = -(one.inputs * guess.log() + (1 - one.inputs) * (1 - guess).log()).sum()
    loss = method._layer_loss(0)(one)
    assert loss.total.item() == pytest.approx(want.item())
    assert loss.weight == 8
    update = Descent(method, steps=600, rate=0.5)
    losses = [method.step(iter([one]), update)["layers/loss"] for _ in range(100)]
    assert losses[-1] < 0.95 * losses[0]


def test_supervised_pretraining_learns_labels_under_a_head_of_its_own():
    method, one = build(stage="supervised"), batch()
    layers = method.model.stack()
    for at in range(3):
        seen = one.inputs
        for layer in layers[: at + 1]:
            seen = layer(seen)
        want = F.cross_entropy(method.heads[at](seen), one.targets, reduction="sum")
        loss = method._layer_loss(at)(one)
        assert loss.total.item() == pytest.approx(want.item())
        reached = torch.autograd.grad(loss.total, [layer.linear.weight for layer in layers], allow_unused=True)
        assert [slope is not None for slope in reached] == [number == at for number in range(3)]


def test_players_share_the_layers_and_the_product_is_the_network():
    named = {stage: build(stage=stage).players() for stage in STAGES}
    for stage, players in named.items():
        assert list(players) == ["layers", "model"]
        extra = players["layers"].keys() - players["model"].keys()
        assert len(extra) == (6 if stage == "supervised" else 3)
        assert players["model"].keys() - players["layers"].keys() == {"model.head.weight", "model.head.bias"}
    alone = build(share=0.0)
    assert list(alone.players()) == ["model"]
    assert alone.players()["model"].keys() == named["rbm"]["model"].keys()
    assert alone.product() is alone.model
    assert alone.config.pretraining_steps(9) == 0
    first = build(share=1.0)
    assert list(first.players()) == ["layers"]
    assert first.config.pretraining_steps(9) == 9


@pytest.mark.parametrize("steps", [2, 3, 7, 100])
def test_both_phases_have_a_step(steps):
    config = build().config
    assert config.problem(RunSettings(steps=steps)) == ""
    assert 1 <= config.pretraining_steps(steps) < steps
    assert config.pretraining_steps(100) == 50


def test_what_cannot_be_is_refused():
    assert "needs a step for each of two phases" in build().config.problem(RunSettings(steps=1))
    with pytest.raises(ConfigError, match=r"no stack\(\) of layers"):
        build(model=MLP.Config(in_features=6, num_outputs=2))
    with pytest.raises(ConfigError, match="gibbs_steps=3 is for stage='rbm' only"):
        build(stage="autoencoder", gibbs_steps=3)
    method = build()
    with pytest.raises(DataError, match=r"numbers in 0..1"):
        method.step(iter([batch().map(lambda part: part * 2)]), Descent(method, steps=4))
    assert MethodConfig.load(method.config.dump()) == method.config


@pytest.mark.parametrize("stage", STAGES)
def test_a_cut_in_any_phase_ends_with_the_same_bits(stage):
    subject = Subject.of("dbn_mnist")
    changes = {"method.stage": stage, "method.model.hidden": (8, 7, 6)}
    ends = []
    for cut in (None, 1, 2, 4):  # each of the three layers has one of the six steps
        engine = subject.engine(**changes)
        if cut is not None:
            engine.method.train()
            for step in range(cut):
                engine.updater.begin(step)
                engine.method.step(engine.feed, engine.updater)
                engine.step += 1
            snapshot = engine.snapshot()
            engine = subject.engine(**changes)
            engine.restore(snapshot)
        engine.fit()
        ends.append(weights_sha256(engine))
    assert len(set(ends)) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_accumulation_gives_the_same_in_every_phase(stage):
    changes = {"method.stage": stage, "method.model.hidden": (8, 7, 6), "precision": "fp64"}
    config = Subject.of("dbn_mnist").config.derive(**changes)
    ends = []
    for pieces in (1, 4):
        experiment = Experiment(config.derive(micro_batches=pieces))
        Engine(experiment).fit()
        ends.append(experiment.method.state_dict())
    assert max(float((ends[0][name] - ends[1][name]).abs().max()) for name in ends[0]) <= 1e-10
