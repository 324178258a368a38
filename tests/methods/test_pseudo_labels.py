"""Pseudo-labels: the ramp's numbers, the threshold, Eq. 15 by hand whole and in parts, exact resume."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

import toy
from netsmith.core.errors import ConfigError
from netsmith.core.roles import RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data.digits import Digits
from netsmith.data.few_labels import FewLabels
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import UNLABELED
from netsmith.methods.pseudo_labels import PseudoLabels, ramp
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

SPEC = Spec(
    dataset="t", inputs=Inputs(kind="table", shape=(4,)), outputs=Outputs(kind="classes", names=("a", "b", "c"))
)


def test_the_ramp_has_the_numbers_of_the_paper():
    found = [ramp(t, start=100, end=600, alpha=3.0) for t in (0, 99, 100, 101, 225, 599, 600, 5000)]
    assert found == pytest.approx([0, 0, 0, 3 / 500, 0.75, 3 * 499 / 500, 3, 3], abs=1e-15)
    assert [ramp(t, start=5, end=5, alpha=2.0) for t in (4, 5)] == [0, 2]
    with pytest.raises(ConfigError, match="ramp_end=3 comes before ramp_start=4"):
        PseudoLabels.Config(model=toy.Net.Config(), task=Classify.Config(), ramp_start=4, ramp_end=3)


class Parts:
    """An updater that cuts a batch, and keeps the loss and its gradient."""

    steps = 10

    def __init__(self, method, parts):
        self.method, self.parts = method, parts

    def __call__(self, player, loss_function, batch):
        losses = [loss_function(part) for part in batch.split(self.parts)]
        self.loss = sum(one.total for one in losses) / sum(one.weight for one in losses)
        self.slopes = torch.autograd.grad(self.loss, list(self.method.parameters()))
        return {"loss": self.loss.item()}

    def sum_ranks(self, tensors):
        pass


def built(**fields):
    torch.manual_seed(0)
    model = MLP.Config(hidden=(5,), in_features=4, num_outputs=3)
    fields = {"ramp_start": 0, "ramp_end": 4, "alpha": 2.0, **fields}
    return PseudoLabels.Config(model=model, task=Classify.Config(), **fields).build(spec=SPEC).double()


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("threshold", [0.0, 0.6])
def test_the_loss_is_equation_15(threshold, parts):
    method = built(threshold=threshold)
    x = 3 * torch.randn(10, 4, dtype=torch.float64)
    targets = torch.full((10,), UNLABELED)
    targets[[0, 1, 7]] = torch.tensor([2, 0, 1])
    update = Parts(method, parts)
    for step in range(6):
        method.step(iter([Batch(x, targets)]), update)
        logits = method.model(x)
        known = targets >= 0
        expected = F.cross_entropy(logits[known], targets[known])
        sure, best = logits[~known].softmax(1).max(1)
        each = F.cross_entropy(logits[~known], best, reduction="none")
        if threshold:
            assert 0 < int((sure >= threshold).sum()) < 7
        expected = expected + min(1, step / 4) * 2.0 * (each * (sure >= threshold)).sum() / 7
        torch.testing.assert_close(update.loss, expected, rtol=1e-6, atol=0)
        wanted = torch.autograd.grad(expected, list(method.parameters()))
        for got, want in zip(update.slopes, wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-7)


def test_the_threshold_is_reached_exactly_and_weights_count():
    method = built(threshold=0.5)
    logits = torch.tensor([[0.0, -40, 0], [0.0, 0.0, -1e-9], [1.0, -9, -9]], dtype=torch.float64)
    method.model = torch.nn.Identity()
    batch = Batch(logits, torch.tensor([UNLABELED] * 3), weights=torch.ones(3, dtype=torch.float64))
    each = F.cross_entropy(logits, logits.argmax(1), reduction="none")
    assert method._loss(batch).total == pytest.approx(float(each[0] + each[2]))  # 0.5 itself counts, 0.33 does not
    halved = dataclasses.replace(batch, weights=torch.tensor([0.5, 1.0, 1.0], dtype=torch.float64))
    assert method._loss(halved).total == pytest.approx(float(0.5 * each[0] + each[2]))


@pytest.mark.parametrize(
    ("start", "end", "alpha", "steps", "refused"),
    [
        (10, 20, 3.0, 10, True),
        (9, 20, 3.0, 10, True),
        (8, 20, 3.0, 10, False),
        (9, 9, 3.0, 10, False),
        (10, 10, 3.0, 10, True),
        (10, 20, 0.0, 10, False),
    ],
)
def test_a_run_in_which_no_pseudo_label_counts_is_refused(start, end, alpha, steps, refused):
    config = PseudoLabels.Config(
        model=toy.Net.Config(), task=Classify.Config(), ramp_start=start, ramp_end=end, alpha=alpha
    )
    found = config.problem(RunSettings(steps=steps))
    assert bool(found) == refused
    assert any(ramp(step, start=start, end=end, alpha=alpha) for step in range(steps)) == (not refused and alpha > 0)
    if refused:
        assert f"ramp_start={start} leaves no step of 10" in found


def test_data_whose_labels_are_all_there_are_refused_after_an_epoch():
    data = Digits.Config(twin=True, batch=64)
    size = data.build().spec.split("train").size
    experiment = EXPERIMENT.derive(data=data)
    epoch = len(data.build().order("train", seed=0, epoch=0))
    engine = Engine(Experiment(experiment.derive(steps=3 * epoch)))
    with pytest.raises(ConfigError, match=r"none of \d+ examples was without a label, .* method supervised") as caught:
        engine.fit()
    assert engine.step in (epoch - 1, epoch)  # the last batch of an epoch may be dropped
    assert int(str(caught.value).split("none of ")[1].split()[0]) >= size
    with pytest.raises(ConfigError, match="step 3: none of 256 examples"):
        Engine(Experiment(experiment.derive(steps=4))).fit()


def test_one_example_without_a_label_is_enough():
    method, update = built(), Parts(built(), 1)
    x, targets = torch.randn(4, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 0])
    hidden = targets.where(targets > 0, UNLABELED)
    method._epoch = 9
    update.method = method
    for one in (targets, targets, hidden, *[targets] * 7):
        method.step(iter([Batch(x, one)]), update)
    again = built()
    again.restore(method.state())
    assert again._searched == -1


def test_mixed_targets_are_refused():
    experiment = EXPERIMENT.derive(data=Digits.Config(twin=True, batch=64, mixup=0.2))
    with pytest.raises(ConfigError, match=r"the targets of the batch are mixed; leave mixup out"):
        Engine(Experiment(experiment)).fit()


EXPERIMENT = Experiment.Config(
    method=PseudoLabels.Config(
        model=MLP.Config(hidden=(8,), dropout=0.2), task=Classify.Config(), ramp_start=2, ramp_end=9, threshold=0.2
    ),
    data=FewLabels.Config(data=Digits.Config(twin=True, batch=64), per_class=3, labeled_batch=8),
    optimizers={"model": SGD.Config(lr=0.05, momentum=0.9)},
    steps=14,
    checkpoint_every=1,
    judge_train=True,
)


@pytest.mark.parametrize("step", [4, 9])
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
    cut_up = Engine(Experiment(EXPERIMENT.derive(micro_batches=3, **{"method.model.dropout": 0.0})))
    cut_up.fit()
    plain = Engine(Experiment(EXPERIMENT.derive(**{"method.model.dropout": 0.0})))
    plain.fit()
    for ours, theirs in zip(cut_up.method.parameters(), plain.method.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert 0 <= whole.evaluate("train")["train/accuracy"] <= 1
