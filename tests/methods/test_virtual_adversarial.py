"""Virtual adversarial training: the direction is the Hessian's first eigenvector, and labels may be missing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

import toy
from netsmith.core.roles import MethodConfig
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data.digits import Digits
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import example_keys
from netsmith.engine.task import UNLABELED
from netsmith.methods.supervised import Supervised
from netsmith.methods.virtual_adversarial import VirtualAdversarial
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

SPEC = Spec(
    dataset="t", inputs=Inputs(kind="table", shape=(6,)), outputs=Outputs(kind="classes", names=("a", "b", "c"))
)


def method_of(hidden=(), **fields) -> VirtualAdversarial:
    torch.manual_seed(0)
    model = MLP.Config(hidden=hidden, activation="tanh", in_features=6, num_outputs=3)
    return VirtualAdversarial.Config(model=model, task=Classify.Config(), **fields).build(spec=SPEC).double()


def batch_of(count=8, *, labeled=None, weights=None) -> Batch:
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.rand(count, 6, generator=generator, dtype=torch.float64) - 1
    y = torch.arange(count) % 3
    if labeled is not None:
        y[labeled:] = UNLABELED
    return Batch(x, y, keys=example_keys(0, torch.arange(count)), weights=weights)


def engine_of(config: Experiment.Config, **named) -> Engine:
    return Engine(Experiment(config), **named)


def experiment(model=None, **changes) -> Experiment.Config:
    method = VirtualAdversarial.Config(model=model or MLP.Config(hidden=(16,)), task=Classify.Config(), epsilon=1.0)
    optimizers = {"model": SGD.Config(lr=0.1)}
    data = Digits.Config(batch=20, twin=True)
    return Experiment.Config(method=method, data=data, optimizers=optimizers, steps=6, evaluate_every=6).derive(
        **changes
    )


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_the_direction_is_the_first_eigenvector_of_the_divergences_hessian(hidden) -> None:
    method, batch = method_of(hidden, powers=200, xi=1e-6), batch_of()
    found = method.directions(batch)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(8, dtype=torch.float64), rtol=0, atol=1e-12)
    for row in range(8):
        x = batch.inputs[row]
        p = method.model(x[None]).softmax(1)[0].detach()

        def divergence(r, x=x, p=p):
            return (p * (p.log() - method.model((x + r)[None]).log_softmax(1)[0])).sum()

        hessian = torch.autograd.functional.hessian(divergence, torch.zeros(6, dtype=torch.float64))
        values, vectors = torch.linalg.eigh(hessian)
        assert float((vectors[:, -1] @ found[row]).abs()) == pytest.approx(1, abs=1e-4)
        small = method_of(hidden, powers=200, xi=1e-6, epsilon=1e-3)
        at = batch.part(row, row + 1)
        logits = small.model(at.inputs).detach()
        # half of eps^2 times the largest eigenvalue, up to the third order
        assert float(small.divergences(at, logits).detach()) == pytest.approx(float(values[-1]) / 2 * 1e-6, rel=5e-3)


def test_one_iteration_finds_more_than_chance_and_single_precision_needs_a_longer_difference() -> None:
    torch.manual_seed(0)
    model = MLP.Config(hidden=(30,), in_features=200, num_outputs=3)
    spec = SPEC.derive(inputs=Inputs(kind="table", shape=(200,)))
    x = 3 * torch.randn(16, 200, generator=torch.Generator().manual_seed(2))
    batch = Batch(x, torch.arange(16) % 3, keys=example_keys(0, torch.arange(16)))

    def found(xi, powers, dtype):
        torch.manual_seed(0)
        config = VirtualAdversarial.Config(model=model, task=Classify.Config(), xi=xi, powers=powers)
        method = config.build(spec=spec).to(dtype)
        return method.directions(batch.map(lambda t: t.to(dtype) if t.is_floating_point() else t)).double()

    exact = found(1e-6, 1, torch.float64)
    ours, papers = (found(xi, 1, torch.float32) for xi in (0.01, 1e-6))
    near, far = ((exact * other).sum(1).median() for other in (ours, papers))
    assert near > 0.999
    assert far < 0.99


def test_a_confident_network_has_directions_of_length_1_and_a_divergence_of_its_logits_size() -> None:
    engine = engine_of(experiment(steps=40, evaluate_every=40))
    engine.fit()
    method, batch = engine.method, next(engine.feed)
    with torch.no_grad():
        for parameter in method.model.parameters():
            parameter *= 8
    logits = method.model(batch.inputs).detach()
    assert float(logits.softmax(1).amax(1).median()) == 1  # the squares of most gradients are 0
    d = method.directions(batch).flatten(1)
    lengths = d.norm(dim=1)
    assert bool(((lengths - 1).abs() < 1e-5).logical_or(lengths == 0).all())
    raw = method.unit.raw(batch.inputs) + method.config.epsilon * d.view(batch.inputs.shape)
    moved = method.model(method.unit.seen(raw))
    most = 2 * (moved - logits).abs().amax(1)  # of any divergence of two softmaxes
    found = method.divergences(batch, logits)
    assert bool((found <= most + 1e-4).all())
    assert float(most.detach().max()) < 1e4


def test_under_bf16_the_direction_is_that_of_full_precision() -> None:
    method = method_of((16,)).float()
    batch = batch_of().map(lambda t: t.float() if t.is_floating_point() else t)
    exact = method.directions(batch)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(method.directions(batch), exact, rtol=0, atol=0)


def test_the_loss_is_the_mean_over_the_labeled_plus_the_mean_divergence_over_all() -> None:
    weights = torch.linspace(0.5, 2.0, 8, dtype=torch.float64)
    for labeled, given in ((8, None), (3, None), (3, weights), (0, None)):
        method = method_of((5,), epsilon=0.7, weight=1.5)
        batch = batch_of(labeled=labeled, weights=given)
        w = torch.ones(8, dtype=torch.float64) if given is None else given
        seen = []

        def update(player, loss_function, batch, seen=seen):
            pieces = [loss_function(piece) for piece in batch.split(3)]
            seen.append(sum(loss.total for loss in pieces) / sum(loss.weight for loss in pieces))
            return {}

        update.sum_ranks = lambda tensors: None
        method.step(iter([batch]), update)
        logits = method.model(batch.inputs)
        logp = logits.log_softmax(1)
        moved = batch.inputs + 0.7 * method.directions(batch)
        divergence = (logp.exp() * (logp - method.model(moved).log_softmax(1))).sum(1)
        expected = 1.5 * (w * divergence).sum() / w.sum()
        if labeled:
            entropy = F.cross_entropy(logits[:labeled], batch.targets[:labeled], reduction="none")
            expected = expected + (w[:labeled] * entropy).sum() / w[:labeled].sum()
        torch.testing.assert_close(seen[0], expected, rtol=0, atol=1e-12)


def test_the_answer_at_the_example_is_held_fixed() -> None:
    method, batch = method_of((5,)), batch_of()
    logits = method.model(batch.inputs)
    d = method.directions(batch)
    given = torch.autograd.grad(method.divergences(batch, logits.detach()).sum(), list(method.parameters()))
    target = logits.detach().softmax(1)
    cross = -(target * method.model(batch.inputs + 2.0 * d).log_softmax(1)).sum()  # the same up to a constant
    expected = torch.autograd.grad(cross, list(method.parameters()))
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)


def test_statistics_count_the_examples_as_they_are_alone() -> None:
    config = experiment(SmallCNN.Config(channels=(4, 8)))
    engine = engine_of(config)
    plain = engine_of(config.derive(method=Supervised.Config(model=config.method.model, task=Classify.Config())))
    batch = next(engine.feed)
    for one in (engine, plain):
        one.method.train()
        one.method._loss(batch)
    ours, theirs = (dict(one.method.model.named_buffers()) for one in (engine, plain))
    assert int(ours["stages.0.norm1.num_batches_tracked"]) == 1
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    before = copy.deepcopy(engine.method.state_dict())
    engine.method.directions(batch)
    assert all(torch.equal(value, before[name]) for name, value in engine.method.state_dict().items())
    assert all(module.training for module in engine.method.modules())


def test_micro_batches_and_a_resume_give_the_same_run(tmp_path) -> None:
    ends = []
    for pieces in (1, 3):
        engine = engine_of(experiment(precision="fp64", micro_batches=pieces))
        engine.fit()
        ends.append(toy.weights(engine))
    assert toy.distance(*ends) < 1e-12
    config = experiment(SmallCNN.Config(channels=(4, 8), dropout=0.2), checkpoint_every=2)
    whole = engine_of(config)
    whole.fit()
    with pytest.raises(toy.Cut.Stop):
        engine_of(config, checkpoints=tmp_path, hooks=[toy.Cut(5)]).fit()
    again = engine_of(config, checkpoints=tmp_path)
    again.restore(checkpoint.load_latest(tmp_path)[0])
    again.fit()
    assert toy.sha(again) == toy.sha(whole)


def test_only_answers_of_one_class_have_a_divergence() -> None:
    config = method_of().config
    assert MethodConfig.load(config.dump()) == config
    values = SPEC.derive(outputs=Outputs(kind="values", size=3))
    assert "keeps the probabilities of one class" in config.misfit(values, gives="examples")
