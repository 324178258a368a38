"""Counting pairs of texts: what is learned does not depend on batches, and what a count cannot give is not shown."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.multi30k import Multi30k
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.pair_counting import PairCounting
from netsmith.models.language.ngram import Ngram
from netsmith.models.translation.phrase_based import PhraseBased
from netsmith.tasks.write import Write


def config(**changes):
    found = Experiment.Config(
        method=PairCounting.Config(
            model=PhraseBased.Config(beam=10, model1=3, model2=3), task=Write.Config(figures=("exact", "bleu_lc"))
        ),
        data=Multi30k.Config(twin=True, merges=0, lowercase=True, batch=100),
        epochs=1,
    )
    return found.derive(**changes)


def learned(**changes):
    engine = Engine(Experiment(config(**changes)))
    engine.fit()
    return engine


@pytest.fixture(scope="module")
def engine():
    return learned()


def test_batches_and_their_order_change_nothing(engine):
    other = learned(**{"data.batch": 240, "seed": 3})
    for name, table in engine.method.named_buffers():
        assert torch.equal(table, other.method.get_buffer(name)), name
    assert engine.method.kept == []


def test_figures_are_those_of_texts(engine):
    figures = engine.evaluate("dev")
    assert set(figures) == {"dev/exact", "dev/bleu_lc"}
    assert figures["dev/bleu_lc"] > 30  # verbs move from the middle to the end; the words alone are far below
    assert figures == engine.evaluate("dev")
    batch = engine.source.load("dev", torch.arange(3))
    found = engine.method.task.decode(engine.method.product()(batch.inputs["source"]), engine.source.spec.outputs)
    assert all(each["text"].endswith(".") for each in found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 2}, "one pass is all a counter needs"),
        ({"clip_norm": 1.0}, "no gradient to clip"),
        ({"micro_batches": 2}, "takes batches whole"),
        ({"precision": "bf16"}, "computes in float64"),
        ({"method.model": Ngram.Config()}, r"has no fit\(source, target\)"),
        ({"method.task": Write.Config(figures=())}, "has no figure of texts"),
    ],
)
def test_what_means_nothing_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        Experiment(config(**changes))
