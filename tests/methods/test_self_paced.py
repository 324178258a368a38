"""Self-paced learning: v_i exact, lambda's growth, all in at the end, exact resume."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

import toy
from netsmith.core.errors import ConfigError
from netsmith.core.roles import RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data.digits import Digits
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.task import UNLABELED
from netsmith.methods.self_paced import SelfPaced
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify
from netsmith.tasks.regress import Regress

SPEC = Spec(
    dataset="t", inputs=Inputs(kind="table", shape=(4,)), outputs=Outputs(kind="classes", names=("a", "b", "c"))
)


def built(task=None, **fields):
    torch.manual_seed(0)
    model = MLP.Config(hidden=(5,), in_features=4, num_outputs=3)
    fields = {"warm_up": 0, **fields}
    return SelfPaced.Config(model=model, task=task or Classify.Config(), **fields).build(spec=SPEC).double()


def batch(weights=None):
    generator = torch.Generator().manual_seed(1)
    x = 2 * torch.randn(12, 4, generator=generator, dtype=torch.float64)
    return Batch(x, torch.arange(12) % 3, weights=weights)


class Parts:
    steps = 100

    def __init__(self, method, parts):
        self.method, self.parts = method, parts

    def __call__(self, player, loss_function, batch):
        losses = [loss_function(part) for part in batch.split(self.parts)]
        self.loss = sum(one.total for one in losses) / sum(one.weight for one in losses)
        self.slopes = torch.autograd.grad(self.loss, list(self.method.parameters()))
        return {"loss": self.loss.item()}

    def sum_ranks(self, tensors):
        for tensor in tensors:
            tensor *= 2  # a second process with the same batch


@pytest.mark.parametrize("parts", [1, 5])
def test_v_is_one_exactly_where_the_loss_is_below_lambda(parts):
    given = torch.linspace(0.5, 1.5, 12, dtype=torch.float64)
    one = batch(given)
    method = built()
    each = F.cross_entropy(method.model(one.inputs), one.targets, reduction="none")
    limit = float(each.detach().sort().values[7])  # the eighth loss itself does not count: below, not at
    method = built(start=limit)
    update = Parts(method, parts)
    logs = method.step(iter([one]), update)
    each = F.cross_entropy(method.model(one.inputs), one.targets, reduction="none")
    expected = (given * each * (each < limit)).sum() / given.sum()
    assert logs["chosen"] == 7 / 12
    assert logs["lambda"] == limit
    torch.testing.assert_close(update.loss, expected, rtol=1e-12, atol=0)
    for got, want in zip(update.slopes, torch.autograd.grad(expected, list(method.parameters())), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-15)


def test_lambda_grows_by_the_factor_and_in_the_end_all_count():
    method = built(start=1e-9, growth=1.5, every=10, full_from=0.6)
    update, seen = Parts(method, 1), []
    for _ in range(100):
        logs = method.step(iter([batch()]), update)
        seen.append((logs.get("lambda", math.inf), logs["chosen"]))
    assert [one[0] for one in seen[:60:10]] == pytest.approx([1e-9 * 1.5**n for n in range(6)])
    assert [one[1] for one in seen[:60]] == [0.0] * 60
    assert seen[60:] == [(math.inf, 1.0)] * 40


def test_all_count_in_the_warm_up_and_then_half_of_a_batch():
    method = built(warm_up=3, growth=2.0, every=2)
    logs = [method.step(iter([batch()]), Parts(method, 1)) for _ in range(7)]
    assert [one["chosen"] for one in logs[:4]] == [1.0, 1.0, 1.0, 0.5]
    assert [one.get("lambda", math.inf) / method.first for one in logs] == [math.inf] * 3 + [1, 1, 2, 2]
    assert "leaves no step of 3" in method.config.problem(RunSettings(steps=3))


def test_it_begins_with_half_of_the_first_batch():
    method = built()
    assert method.step(iter([batch()]), Parts(method, 1))["chosen"] == 0.5  # those below the middle
    losses = F.cross_entropy(method.model(batch().inputs), batch().targets, reduction="none")
    assert method.first == pytest.approx(losses.sort().values[5:7].mean().item())
    far = built(start=1.0, growth=10.0, every=1)
    assert far.limit(900, steps=10**6) == math.inf
    assert far.limit(2, steps=10**6) == pytest.approx(100)


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_examples_without_a_label_count_nowhere(weighted, parts):
    whole = batch(torch.linspace(0.5, 1.5, 12, dtype=torch.float64) if weighted else None)
    has = torch.arange(12) % 3 == 0  # 4 of 12: the median of all losses is 0
    hidden = dataclasses.replace(whole, targets=whole.targets.roll(1).where(has, UNLABELED))
    known = whole.map(lambda part: part[has])
    known = dataclasses.replace(known, targets=hidden.targets[has])
    found = []
    for one, cut in ((hidden, parts), (known, 1)):
        method = built()
        update = Parts(method, cut)
        logs = method.step(iter([one]), update)
        found.append((update.slopes, logs["chosen"], logs["lambda"], update.loss))
    assert found[0][1:3] == (0.5, pytest.approx(found[1][2], rel=1e-12))
    torch.testing.assert_close(found[0][3], found[1][3], rtol=1e-6, atol=0)
    for got, want in zip(found[0][0], found[1][0], strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-9)


def test_a_lambda_that_would_begin_at_zero_is_refused():
    nothing = dataclasses.replace(batch(), targets=torch.full((12,), UNLABELED))
    with pytest.raises(ConfigError, match=r"step 0: the batch has no example with a label, .* method\.start"):
        built().step(iter([nothing]), Parts(built(), 1))
    method = built()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.zero_()
        list(method.parameters())[-1][0] = 1e6  # sure of class a
    sure = dataclasses.replace(batch(), targets=torch.zeros(12, dtype=torch.int64))
    with pytest.raises(ConfigError, match="step 0: the median loss of the batch is 0, so lambda would begin at 0"):
        method.step(iter([sure]), Parts(method, 1))


class _Logs(Hook):
    def __init__(self):
        self.rows = []

    def after_step(self, engine, logs):
        self.rows.append(logs)


@pytest.mark.parametrize("pieces", [1, 3])
def test_what_an_optimizer_asks_twice_counts_once(pieces):
    found = []
    for optimizer in (SGD.Config(lr=0.05), SAM.Config(inner=SGD.Config(lr=0.05), rho=5.0)):
        hook = _Logs()
        changes = {"optimizers": {"model": optimizer}, "micro_batches": pieces, "method.warm_up": 0}
        experiment = EXPERIMENT.derive(**changes, **{"method.full_from": 0.5, "method.model.dropout": 0.0})
        Engine(Experiment(experiment), hooks=[hook]).fit()
        found.append([logs["chosen"] for logs in hook.rows])
    assert found[0][0] == found[1][0] == 0.5  # at the same parameters, whatever SAM's second look chooses
    assert found[1][7:] == [1.0] * 7


def test_the_loss_of_an_example_is_that_of_any_task():
    method = built(task=Regress.Config())
    targets = torch.randn(6, 3, dtype=torch.float64)
    output = torch.randn(6, 3, dtype=torch.float64)
    found = method.losses(output, Batch(output, targets))
    alone = [method.task.loss(output[n : n + 1], targets[n : n + 1]).total for n in range(6)]
    torch.testing.assert_close(found, torch.stack(alone), rtol=1e-6, atol=1e-9)


EXPERIMENT = Experiment.Config(
    method=SelfPaced.Config(model=MLP.Config(hidden=(8,), dropout=0.2), task=Classify.Config(), every=2, warm_up=3),
    data=Digits.Config(twin=True, batch=64),
    optimizers={"model": SGD.Config(lr=0.05, momentum=0.9)},
    steps=14,
    checkpoint_every=1,
)


@pytest.mark.parametrize("step", [3, 4, 5, 12])
def test_a_cut_leaves_no_trace(tmp_path, step):
    whole = Engine(Experiment(EXPERIMENT))
    whole.fit()
    cut = Engine(Experiment(EXPERIMENT), checkpoints=tmp_path, hooks=[toy.Cut(step)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    resumed = Engine(Experiment(EXPERIMENT), checkpoints=tmp_path)
    resumed.restore(checkpoint.load_latest(tmp_path)[0])
    resumed.fit()
    assert toy.sha(resumed) == toy.sha(whole)
