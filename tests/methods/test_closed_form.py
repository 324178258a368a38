import pytest
import torch

from models.foundations.classic_data import Run
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import MethodConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors
from netsmith.models.tabular.mlp import MLP
from netsmith.models.tabular.naive_bayes import NaiveBayes
from netsmith.tasks.classify import Classify

SPEC = Spec(dataset="test", inputs=Inputs(kind="table", shape=(3,)), outputs=Outputs(kind="classes", names=("a", "b")))
CONFIG = ClosedForm.Config(model=NaiveBayes.Config(in_features=3, num_classes=2), task=Classify.Config())


class OneRank:
    def sum_ranks(self, tensors):
        pass

    def __call__(self, player, loss_function, batch):
        raise AssertionError("a closed-form learner must not step an optimizer")


class Recorder(OneRank):
    """A rank that hands its sums over in place of adding the others'."""

    def __init__(self, others=()):
        self.sent, self.others = [], list(others)

    def sum_ranks(self, tensors):
        self.sent.append([tensor.clone() for tensor in tensors])
        if self.others:
            for tensor, other in zip(tensors, self.others.pop(0), strict=True):
                tensor += other


def batches():
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(5, (20, 3), generator=generator).float()
    return Batch(x, torch.randint(2, (20,), generator=generator))


def learned(pieces, update):
    method = CONFIG.build(spec=SPEC)
    feed = iter(pieces)
    for _ in pieces:
        assert method.step(feed, update) == {}
    return method


def test_it_absorbs_each_batch_once_and_has_no_players():
    whole = batches()
    method = learned(whole.split(3), OneRank())
    assert method.players() == {}
    counts = torch.stack([whole.inputs[whole.targets == label].sum(0) for label in (0, 1)])
    assert torch.equal(method.model.feature_count, counts.double())
    metrics = method.metrics()
    method.evaluate(whole, metrics)
    right = (method.model(whole.inputs).argmax(1) == whole.targets).double().mean().item()
    assert metrics["accuracy"].compute() == right


def test_two_ranks_with_half_a_batch_each_count_the_whole():
    whole = batches()
    left, right = whole.split(2)
    recorder = Recorder()
    learned([right], recorder)
    both = learned([left], Recorder(others=recorder.sent))
    assert torch.equal(both.model.feature_count, learned([whole], OneRank()).model.feature_count)


def test_the_counts_are_its_state():
    one, two = learned(batches().split(2), OneRank()), CONFIG.build(spec=SPEC)
    two.restore(one.state())
    assert torch.equal(two.model.feature_count, one.model.feature_count)
    assert torch.equal(two.model.class_count, one.model.class_count)
    assert MethodConfig.load(CONFIG.dump()) == CONFIG


def test_a_network_that_needs_gradients_is_refused():
    config = ClosedForm.Config(model=MLP.Config(in_features=3, num_outputs=2), task=Classify.Config())
    with pytest.raises(ConfigError, match=r"has no absorb.*supervised"):
        config.build(spec=SPEC)


@pytest.mark.parametrize("named", [{"epochs": 2}, {"clip_norm": 0.5}, {"micro_batches": 2}, {"precision": "bf16"}])
def test_settings_of_gradients_are_refused_by_name(named):
    assert CONFIG.problem(RunSettings(steps=3, epochs=1, precision="fp64")) == ""
    assert CONFIG.problem(RunSettings(steps=3, **named)).startswith(next(iter(named)))


def test_a_solver_gets_all_examples_at_the_last_step_and_only_then():
    whole = batches()
    model = KNearestNeighbors.Config(neighbors=1, in_features=3, num_classes=2)
    method = ClosedForm.Config(model=model, task=Classify.Config()).build(spec=SPEC)
    feed = iter(whole.split(3))
    for step in range(3):
        assert len(method.model.labels) == 0
        assert [len(part["targets"]) for part in method.state().get("kept", [])] == [6, 7, 7][:step]
        method.step(feed, Run(steps=3))
    assert torch.equal(method.model.examples, whole.inputs)
    assert torch.equal(method.model.labels, whole.targets)
    assert set(method.state()) == {"buffers"}


def test_a_solver_is_refused_in_two_processes():
    model = KNearestNeighbors.Config(in_features=3, num_classes=2)
    method = ClosedForm.Config(model=model, task=Classify.Config()).build(spec=SPEC)
    with pytest.raises(UnsupportedError, match="run it in one process"):
        method.step(iter([batches()]), Run(steps=1, world=2))


def test_processes_are_counted_where_the_examples_are():
    """NCCL adds nothing that lies on the processor."""
    model = KNearestNeighbors.Config(in_features=3, num_classes=2)
    method = ClosedForm.Config(model=model, task=Classify.Config()).build(spec=SPEC)
    recorder = Recorder()
    with pytest.raises(RuntimeError, match="meta"):  # which has no values to compare
        method.step(iter([batches().map(lambda t: t.to("meta"))]), recorder)
    assert [tensor.device.type for tensor in recorder.sent[0]] == ["meta"]
