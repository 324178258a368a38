"""Elastic weight consolidation: the information in closed form, the penalty of several tasks, stages, exact resume."""

import pytest
import torch
from torch import nn

import toy
from netsmith.core.errors import ConfigError
from netsmith.core.roles import RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.data.digits import Digits
from netsmith.data.permuted_tasks import PermutedTasks
from netsmith.engine import checkpoint
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.consolidation import Consolidation, fisher_diagonal
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify


def test_the_information_of_a_softmax_layer_is_x2_p_1_minus_p():
    torch.manual_seed(0)
    model, x = nn.Linear(5, 4).double(), torch.randn(7, 5, dtype=torch.float64)
    p = model(x).softmax(1).detach()
    found = fisher_diagonal(model, x)
    torch.testing.assert_close(found["bias"], (p * (1 - p)).sum(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(found["weight"], (p * (1 - p)).T @ x**2, rtol=1e-12, atol=0)


def test_the_information_is_over_the_models_own_answers_one_by_one():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3)).double()
    model.train()(torch.randn(20, 1, 6, 6, dtype=torch.float64))
    model.eval()
    model[0].bias.requires_grad_(False)
    x = torch.randn(5, 1, 6, 6, dtype=torch.float64)
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters() if p.requires_grad}
    moving = [p for p in model.parameters() if p.requires_grad]
    for one in x:
        logs = model(one[None]).log_softmax(1)[0]
        for log in logs:
            slopes = torch.autograd.grad(log, moving, retain_graph=True)
            for name, slope in zip(expected, slopes, strict=True):
                expected[name] += log.exp().detach() * slope**2
    found = fisher_diagonal(model, x)
    assert set(found) == set(expected)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-10, atol=1e-18)


SPEC = Spec(
    dataset="t",
    inputs=Inputs(kind="table", shape=(4,)),
    outputs=Outputs(kind="classes", names=("a", "b", "c")),
    splits=(Split(name="train", size=30),),
)


class Still:
    """An updater that learns nothing but tells the losses."""

    steps = 9

    def __init__(self):
        self.losses = []

    def __call__(self, player, loss_function, batch):
        loss = loss_function(batch)
        self.losses.append(loss.total.item() / loss.weight)
        return {"loss": self.losses[-1]}

    def sum_ranks(self, tensors):
        pass


def built(**fields):
    torch.manual_seed(2)
    model = MLP.Config(hidden=(5,), activation="tanh", in_features=4, num_outputs=3)
    fields = {"tasks": 3, "fisher_steps": 1, **fields}
    return Consolidation.Config(model=model, task=Classify.Config(), **fields).build(spec=SPEC).double()


def batches(count, task):
    generator = torch.Generator().manual_seed(task)
    for _ in range(count):
        x = torch.randn(10, 4, generator=generator, dtype=torch.float64)
        yield Batch(x, torch.arange(10) % 3, indices=torch.arange(10) + 10 * task)


@pytest.mark.parametrize("importance", ["fisher", "uniform"])
def test_the_penalty_of_three_tasks_is_the_sum_of_equation_3(importance):
    method, update, held = built(strength=1.7, importance=importance), Still(), []
    generator = torch.Generator().manual_seed(3)
    for task in range(3):
        feed = list(batches(3, task))
        for _ in range(3):
            with torch.no_grad():
                for p in method.model.parameters():
                    p += torch.randn(p.shape, generator=generator, dtype=torch.float64)
            method.step(iter(feed), update)
            now = {n: p.detach().clone() for n, p in method.model.named_parameters()}
        ones = {n: torch.ones_like(p) for n, p in now.items()}
        information = {n: f / 10 for n, f in fisher_diagonal(method.model, feed[0].inputs).items()}
        held.append((now, information if importance == "fisher" else ones))
    batch = next(batches(1, 2))
    plain = method.task.loss(method.model(batch.inputs), batch.targets)
    parameters = dict(method.model.named_parameters())
    expected = plain.total / 10 + sum(
        1.7 / 2 * (f[n] * (p - at[n]) ** 2).sum() for at, f in held[:2] for n, p in parameters.items()
    )
    for parts in ([batch], [batch.part(0, 3), batch.part(3, 10)]):  # whole, and cut into micro-batches
        losses = [method._loss(part) for part in parts]
        loss = sum(one.total for one in losses) / sum(one.weight for one in losses)
        torch.testing.assert_close(loss, expected, rtol=1e-11, atol=0)
        wanted = torch.autograd.grad(expected, list(parameters.values()), retain_graph=True)
        for got, want in zip(torch.autograd.grad(loss, list(parameters.values())), wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
    # the last steps of each task but the last one go to the information, and are not learned from
    assert len(update.losses) == (9 - 2 if importance == "fisher" else 9)


def test_what_is_held_is_held_and_what_does_not_matter_may_move():
    """One weight decides task 1, another is without effect there: the pull leaves the second free."""
    method = built(strength=1.0)
    with torch.no_grad():
        method.model.hidden[0].linear.weight[:, 3] = 0.5
    feed = [Batch(b.inputs * torch.tensor([1, 1, 1, 0.0]), b.targets, indices=b.indices) for b in batches(3, 0)]
    for one in feed:
        method.step(iter([one]), Still())
    firm = method.firmness["hidden.0.linear.weight"]
    assert float(firm[:, 3].max()) == 0
    assert float(firm[:, :3].min()) > 0


class Rank(Still):
    """One of two ranks: it keeps what it hands over, and gets the other's where there is one."""

    def __init__(self, other=()):
        super().__init__()
        self.sent, self.other = [], list(other)

    def sum_ranks(self, tensors):
        self.sent.append([tensor.clone() for tensor in tensors])
        if self.other:
            for tensor, more in zip(tensors, self.other.pop(0), strict=True):
                tensor += more


def test_a_checkpoint_of_one_rank_holds_what_both_have_counted():
    feed = [next(batches(1, 0)) for _ in range(3)]
    alone, second, first = (built(fisher_steps=2) for _ in range(3))
    other = Rank()
    for one in feed:
        second.step(iter([one.part(4, 10)]), other)
    update = Rank(other.sent)
    for step, one in enumerate(feed):
        alone.step(iter([one]), Still())
        first.step(iter([one.part(0, 4)]), update)
        ours, whole = first.state(), alone.state()
        assert ours["examples"] == whole["examples"] == (0, 10, 0)[step]
        for held in ("information", "firmness"):
            torch.testing.assert_close(ours[held], whole[held], rtol=1e-12, atol=1e-18)
    assert not update.other
    assert set(first.firmness) == dict(first.model.named_parameters()).keys()


def test_batches_of_another_task_are_refused():
    method = built()
    with pytest.raises(ConfigError, match="stage of task 1 of 3, and its batch is of task 2: expected data in as many"):
        method.step(batches(1, 1), Still())
    mixed = Batch(torch.zeros(2, 4, dtype=torch.float64), torch.tensor([0, 1]), indices=torch.tensor([9, 10]))
    with pytest.raises(ConfigError, match="tasks 1 to 2"):
        method.step(iter([mixed]), Still())


def test_lengths_that_do_not_fit_are_refused():
    config = Consolidation.Config(model=toy.Net.Config(), task=Classify.Config(), tasks=3, fisher_steps=4)
    assert "3 stages of equal length" in config.problem(RunSettings(steps=10))
    assert "leaves no step of 4" in config.problem(RunSettings(steps=12))
    assert config.problem(RunSettings(steps=15)) == ""
    assert config.derive(strength=0.0).problem(RunSettings(steps=12)) == ""
    values = SPEC.derive(outputs=Outputs(kind="values", names=("y",)))
    assert "values" in config.misfit(values, gives="examples")
    assert "tasks=7" in config.derive(tasks=7).misfit(SPEC, gives="examples")


EXPERIMENT = Experiment.Config(
    method=Consolidation.Config(
        model=MLP.Config(hidden=(8,), dropout=0.1), task=Classify.Config(), tasks=3, strength=5.0, fisher_steps=2
    ),
    data=PermutedTasks.Config(data=Digits.Config(twin=True, batch=64), tasks=3),
    optimizers={"model": SGD.Config(lr=0.05, momentum=0.9)},
    epochs=3,
    checkpoint_every=1,
)


@pytest.mark.parametrize("step", [6, 7, 8, 11])  # in the middle of an estimate, at its end, behind it
def test_a_cut_leaves_no_trace(tmp_path, step):
    whole = Engine(Experiment(EXPERIMENT))
    assert whole.config.steps == 24
    whole.fit()
    cut = Engine(Experiment(EXPERIMENT), checkpoints=tmp_path, hooks=[toy.Cut(step)])
    with pytest.raises(toy.Cut.Stop):
        cut.fit()
    resumed = Engine(Experiment(EXPERIMENT), checkpoints=tmp_path)
    resumed.restore(checkpoint.load_latest(tmp_path)[0])
    resumed.fit()
    assert toy.sha(resumed) == toy.sha(whole)
    assert resumed.history == whole.history
