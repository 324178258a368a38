"""The rate falls to the end, a resume is exact, and what cannot be learned so is refused."""

import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError
from netsmith.core.roles import ModelConfig, RunSettings
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.methods.word_vectors import WordVectors
from netsmith.models.tabular.mlp import MLP
from netsmith.tasks.word_relations import WordRelations

SPEC = Spec(
    dataset="test",
    inputs=Inputs(kind="text", shape=(-1,), vocabulary=("<pad>", "<unk>", "a", "b"), counts=(0, 0, 3, 2)),
    outputs=Outputs(kind="embedding", size=4),
)


class Rates(nn.Module):
    class Config(ModelConfig):
        loss: float = 1.0

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.seen = []

    def observe(self, counts):
        self.counts = counts

    def learn(self, batch, *, rate):
        self.seen.append(rate)
        return {"loss": self.config.loss / batch}


class Update:
    steps = 4
    world = 1

    def sum_ranks(self, tensors):
        for tensor in tensors:
            tensor *= self.world


def build(model=None, spec=SPEC, **fields):
    return WordVectors.Config(model=model or Rates.Config(), task=WordRelations.Config(), **fields).build(spec=spec)


def test_the_rate_falls_along_a_line_and_goes_on_after_a_resume():
    whole = build(rate=0.4, least=0.15)
    for _ in range(2):
        whole.step(iter([1.0]), Update())
    again = build(rate=0.4, least=0.15)
    again.restore(whole.state())
    for method in (whole, again):
        for _ in range(2):
            method.step(iter([1.0]), Update())
    assert whole.model.seen == pytest.approx([0.4, 0.3, 0.2, 0.15])
    assert again.model.seen == pytest.approx([0.2, 0.15])
    assert whole.model.counts == (0, 0, 3, 2)
    assert not whole.players()


def test_divergence_and_several_processes_stop_the_run():
    with pytest.raises(DivergedError, match="at step 0; the last checkpoint is good"):
        build(Rates.Config(loss=1e300)).step(iter([1e-300]), Update())
    several = Update()
    several.world = 2
    with pytest.raises(UnsupportedError, match="one process, got 2"):
        build().step(iter([1.0]), several)


def test_what_cannot_be_learned_so_is_refused():
    with pytest.raises(ConfigError, match="take word2vec"):
        build(MLP.Config(in_features=2, num_outputs=2))
    with pytest.raises(ConfigError, match="does not count its words"):
        build(spec=SPEC.derive(**{"inputs.counts": ()}))
    for setting in ({"clip_norm": 1.0}, {"micro_batches": 2}, {"precision": "bf16"}):
        config = WordVectors.Config(model=Rates.Config(), task=WordRelations.Config())
        assert next(iter(setting)) in config.problem(RunSettings(steps=4, **setting))
    assert torch.equal(build().taken, torch.zeros((), dtype=torch.int64))
