import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError
from netsmith.core.roles import ModelConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_normal
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.tabular.mlp import MLP
from netsmith.models.tabular.naive_bayes import NaiveBayes
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.classify import Classify

SPEC = Spec(dataset="test", inputs=Inputs(kind="table", shape=(3,)), outputs=Outputs(kind="classes", names=("a", "b")))
SETTINGS = RunSettings(steps=4)


class Pull(nn.Module):
    """Goes toward each example by the rate, with keyed noise."""

    class Config(ModelConfig):
        noise: float = 0.0

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.register_buffer("place", torch.zeros(3, dtype=torch.float64))

    def learn(self, batch, *, rate):
        noise = keyed_normal(batch.keys, 3, stream="pull").double() * self.config.noise if self.config.noise else 0.0
        self.place += rate * (batch.inputs.double() + noise - self.place).mean(0)
        return {"rate": rate, "norm": float(self.place.norm())}

    def forward(self, inputs):
        return inputs.double() @ torch.stack([self.place, -self.place], 1)


class OneRank:
    steps = 4
    world = 1

    def sum_ranks(self, tensors):
        for tensor in tensors:
            tensor *= self.world


def batch(scale=1.0):
    return Batch(torch.full((2, 3), scale), torch.tensor([0, 1]), keys=torch.tensor([3, 4]))


def build(**fields):
    config = LearningRule.Config(model=Pull.Config(noise=0.1), task=Classify.Config(), **fields)
    return config.build(spec=SPEC)


def test_the_rate_of_a_step_is_the_schedules_and_goes_on_after_a_resume():
    whole = build(rate=0.5, schedule=Linear.Config())
    logs = [whole.step(iter([batch()]), OneRank()) for _ in range(4)]
    assert [one["rate"] for one in logs] == [0.5, 0.375, 0.25, 0.125]
    cut = build(rate=0.5, schedule=Linear.Config())
    for _ in range(2):
        cut.step(iter([batch()]), OneRank())
    resumed = build(rate=0.5, schedule=Linear.Config())
    resumed.restore(cut.state())
    for _ in range(2):
        resumed.step(iter([batch()]), OneRank())
    assert torch.equal(resumed.model.place, whole.model.place)
    assert resumed.players() == {}


def test_what_is_not_finite_stops_it_and_names_the_rate():
    method = build(rate=0.5)
    method.step(iter([batch()]), OneRank())
    before = method.model.place.clone()
    with pytest.raises(DivergedError, match=r"norm became NaN or infinite at step 1.*Lower the rate.*0.5"):
        method.step(iter([batch(float("inf"))]), OneRank())
    assert torch.equal(method.model.place, before)
    assert int(method.taken) == 1


def test_several_processes_are_refused():
    two = OneRank()
    two.world = 2
    with pytest.raises(UnsupportedError, match="one process, got 2"):
        build().step(iter([batch()]), two)
    begun, resumed = build(), build()
    begun.step(iter([batch()]), OneRank())
    resumed.restore(begun.state())
    with pytest.raises(UnsupportedError, match="one process, got 2"):
        resumed.step(iter([batch()]), two)


def test_processes_are_counted_where_the_method_is():
    """NCCL adds nothing that lies on the processor."""
    counted = []

    class Recorder(OneRank):
        def sum_ranks(self, tensors):
            counted.extend(tensor.device.type for tensor in tensors)

    with pytest.raises(RuntimeError, match="meta"):  # which has no values to compare
        build().to("meta").step(iter([batch()]), Recorder())
    assert counted == ["meta"]


def test_what_is_no_ruled_learner_is_refused():
    bayes = NaiveBayes.Config(in_features=3, num_classes=2)
    with pytest.raises(ConfigError, match="has no learn"):
        LearningRule.Config(model=bayes, task=Classify.Config()).build(spec=SPEC)
    mlp = MLP.Config(in_features=3, num_outputs=2)
    with pytest.raises(ConfigError, match="has no learn"):
        LearningRule.Config(model=mlp, task=Classify.Config()).build(spec=SPEC)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        (RunSettings(steps=4, clip_norm=1.0), "clip_norm=1"),
        (RunSettings(steps=4, micro_batches=2), "micro_batches=2"),
        (RunSettings(steps=4, precision="bf16"), "bf16"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, word):
    config = LearningRule.Config(model=Pull.Config(), task=Classify.Config())
    assert word in config.problem(settings)
    assert config.problem(SETTINGS) == ""
