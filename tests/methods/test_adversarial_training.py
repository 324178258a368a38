"""Adversarial training: its batches are attacked as stated, its runs resume and cut exactly, nothing else moves."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

import toy
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data.digits import Digits
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch, Views
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import example_keys
from netsmith.layers.attacks import Attack
from netsmith.methods.adversarial_training import AdversarialTraining
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

FAST = Attack.Config(epsilon=0.1, step=0.1, steps=1, random_start=False)
SOME = Attack.Config(epsilon=0.1, step=0.04, steps=3)
NONE = Attack.Config(epsilon=0.0)


def experiment(model=None, **changes) -> Experiment.Config:
    fields = {"attack": SOME, "judged_by": SOME} | changes.pop("method", {})
    method = AdversarialTraining.Config(model=model or MLP.Config(hidden=(16,)), task=Classify.Config(), **fields)
    base = Experiment.Config(
        method=method,
        data=Digits.Config(batch=20, twin=True),
        optimizers={"model": SGD.Config(lr=0.1)},
        steps=6,
        evaluate_every=6,
    )
    return base.derive(**changes)


def engine_of(config: Experiment.Config, **named) -> Engine:
    return Engine(Experiment(config), **named)


def trained(config: Experiment.Config, **named) -> Engine:
    engine = engine_of(config, **named)
    engine.fit()
    return engine


def test_a_linear_network_learns_the_closed_form_of_the_worst_case() -> None:
    """Two classes of a table: the attacked loss is that of Goodfellow's section 5, step by step."""
    spec = Spec(dataset="t", inputs=Inputs(kind="table", shape=(5,)), outputs=Outputs(kind="classes", names=("a", "b")))
    linear = MLP.Config(hidden=(), in_features=5, num_outputs=2)
    method = AdversarialTraining.Config(model=linear, task=Classify.Config(), attack=FAST).build(spec=spec).double()
    x = torch.rand(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    y = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    weight, bias = method.model.head.weight, method.model.head.bias
    sign = 1.0 - 2 * y
    w, b = weight[0] - weight[1], bias[0] - bias[1]  # the logit of class a against b
    worst = F.softplus(0.1 * w.abs().sum() - sign * (x @ w + b))
    batch = Batch(x, y, keys=torch.arange(7))
    loss = method._loss(batch)
    torch.testing.assert_close(loss.total, worst.sum(), rtol=0, atol=1e-12)
    # Danskin's theorem: the gradient at the maximum is that of the maximum
    expected = torch.autograd.grad(worst.sum(), weight, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(loss.total, weight)[0], expected, rtol=0, atol=1e-12)
    half = AdversarialTraining.Config(model=linear, task=Classify.Config(), attack=FAST, clean_share=0.25)
    half = half.build(spec=spec).double()
    half.load_state_dict(method.state_dict())
    mixed = 0.25 * F.softplus(-sign * (x @ w + b)).sum() + 0.75 * worst.sum()
    torch.testing.assert_close(half._loss(batch).total, mixed, rtol=0, atol=1e-12)


def test_examples_stay_within_epsilon_and_the_range_in_pixels() -> None:
    engine = engine_of(experiment())
    batch = next(engine.feed)
    method = engine.method
    pixels = method.unit.raw(batch.inputs)
    worst = method.unit.raw(method.attacked(batch, SOME.build()))
    assert float((worst - pixels).abs().max()) == pytest.approx(0.1, abs=1e-6)
    assert worst.min() >= 0
    assert worst.max() <= 1
    assert float((worst - pixels).abs().mean()) > 0.05


def test_an_epsilon_of_zero_is_supervised_learning_to_the_bit() -> None:
    ours = trained(experiment(method={"attack": NONE, "judged_by": NONE}))
    method = Supervised.Config(model=MLP.Config(hidden=(16,)), task=Classify.Config())
    plain = trained(experiment().derive(method=method))
    assert toy.sha(ours) == toy.sha(plain)
    found = ours.evaluate("test")
    assert {name: value for name, value in found.items() if "robust" not in name} == plain.evaluate("test")
    assert found["test/robust_loss"] == found["test/loss"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"method.clean_share": 0.5, "method.ramp": 4},
        {"optimizers": {"model": SAM.Config(inner=SGD.Config(lr=0.1))}},
    ],
    ids=["plain", "mixed_ramp", "sam"],
)
def test_micro_batches_give_the_same_parameters(changes) -> None:
    one, three = (trained(experiment(precision="fp64", micro_batches=pieces).derive(**changes)) for pieces in (1, 3))
    assert toy.distance(toy.weights(one), toy.weights(three)) < 1e-12


def test_a_run_that_was_cut_ends_with_the_same_bits(tmp_path) -> None:
    config = experiment(SmallCNN.Config(channels=(4, 8), dropout=0.3), method={"ramp": 5}, checkpoint_every=2)
    whole = trained(config)
    with pytest.raises(toy.Cut.Stop):
        trained(config, checkpoints=tmp_path, hooks=[toy.Cut(5)])
    again = engine_of(config, checkpoints=tmp_path)
    again.restore(checkpoint.load_latest(tmp_path)[0])
    assert again.step == 4
    again.fit()
    assert toy.sha(again) == toy.sha(whole)
    assert again.history == whole.history


def test_the_attack_moves_no_statistics_and_leaves_modes_and_gradients() -> None:
    engine = engine_of(experiment(SmallCNN.Config(channels=(4, 8), dropout=0.3)))
    method = engine.method.train()
    before = copy.deepcopy(method.state_dict())
    batch = next(engine.feed)
    first = method.attacked(batch, SOME.build())
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(module.training for module in method.modules())
    assert all(parameter.grad is None for parameter in method.parameters())
    assert torch.equal(first, method.attacked(batch, SOME.build()))  # no dropout: nothing is left to chance
    method._loss(batch)  # the training pass itself counts, once
    assert int(method.model.stages[0].norm1.num_batches_tracked) == 1


def test_robust_figures_are_those_of_the_attack_and_depend_on_no_batch() -> None:
    engine = trained(experiment(steps=60, evaluate_every=60, method={"attack": NONE}))
    found = engine.evaluate("test")
    assert list(found) == ["test/accuracy", "test/loss", "test/robust_accuracy", "test/robust_loss"]
    method, source = engine.method.eval(), engine.source
    whole = source.load("test", torch.arange(source.spec.split("test").size))
    with torch.no_grad():
        output = method.model(method.attacked(whole, SOME.build()))
    accuracy = float((output.argmax(1) == whole.targets).double().mean())
    assert found["test/robust_accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert found["test/robust_loss"] == pytest.approx(float(F.cross_entropy(output.double(), whole.targets)), abs=1e-6)
    assert found["test/robust_loss"] > 1.2 * found["test/loss"]
    small = engine_of(engine.config.derive(**{"data.evaluation_batch": 7}))
    small.load_weights(engine.snapshot())
    assert small.evaluate("test") == pytest.approx(found, abs=1e-6)


def test_training_on_attacked_examples_makes_a_network_robust() -> None:
    long = {"steps": 300, "evaluate_every": 300, "data.batch": 64}
    plain, robust = (
        trained(experiment(MLP.Config(hidden=(64,)), method={"attack": attack}, **long)).evaluate("test")
        for attack in (NONE, SOME)
    )
    assert robust["test/robust_accuracy"] > plain["test/robust_accuracy"] + 0.1


def test_a_ramp_grows_epsilon_and_step_in_equal_parts() -> None:
    engine = engine_of(experiment(method={"ramp": 4}))
    seen = []
    for step in range(6):
        attack = engine.method._attack().config
        seen.append((attack.epsilon, attack.step))
        engine.updater.begin(step)
        engine.method.step(engine.feed, engine.updater)
    expected = [(0.025, 0.01), (0.05, 0.02), (0.075, 0.03)] + [(0.1, 0.04)] * 3
    assert seen == [pytest.approx(pair) for pair in expected]
    assert engine.method.state()["buffers"]["taken"] == 6


def test_what_it_cannot_work_on_is_refused_by_name() -> None:
    config = experiment().method
    assert MethodConfig.load(config.dump()) == config
    text = Spec(dataset="t", inputs=Inputs(kind="text", shape=(-1,)), outputs=Outputs(kind="classes", names=("a", "b")))
    assert "adversarial_training takes image or table" in config.misfit(text, gives="examples")
    with pytest.raises(ConfigError, match="step"):
        experiment(method={"attack": {"step": 0.0}})
    method = engine_of(experiment()).method
    with pytest.raises(UnsupportedError, match="judges one view of an example"):
        method.evaluate(Batch(Views(torch.zeros(2, 3, 1, 8, 8)), torch.zeros(2).long()), method.metrics())
    keys = example_keys(0, torch.arange(2))
    method.model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Threshold(1e9, 0.0), torch.nn.Linear(64, 10))
    method.model[1].forward = lambda x: x.detach().sign()
    with pytest.raises(UnsupportedError, match="does not depend on the inputs"):
        method.attacked(Batch(torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), keys=keys), FAST.build())
