"""A counter sees the text as it stands, however it was cut into rows and windows."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.ptb import Ptb
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.counting import Counting
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.models.language.ngram import Ngram
from netsmith.tasks.next_token import NextToken


def config(**changes):
    found = Experiment.Config(
        method=Counting.Config(model=Ngram.Config(order=3), task=NextToken.Config()),
        data=Ptb.Config(twin=True, batch=1, bptt=10**6),
        epochs=1,
    )
    return found.derive(**changes)


def counted(**changes):
    engine = Engine(Experiment(config(**changes)))
    engine.fit()
    return engine


def test_rows_and_windows_change_nothing():
    whole, cut = counted(), counted(**{"data.batch": 2, "data.bptt": 37})
    assert len(whole.source.spec.split("train").sha256) == 64
    for name, table in whole.method.named_buffers():
        assert torch.equal(table, cut.method.get_buffer(name)), name
    assert whole.evaluate("test") == cut.evaluate("test")
    assert cut.method.kept == []


def test_what_was_not_read_is_not_counted():
    part = counted(**{"data.batch": 5, "data.bptt": 50, "epochs": 0, "steps": 2})
    assert int(part.method.model.network.counts_3.sum()) < 5 * 100
    whole = counted(**{"data.batch": 1, "data.bptt": 100, "epochs": 0, "steps": 1})
    assert part.evaluate("test")["test/perplexity"] < whole.evaluate("test")["test/perplexity"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 2}, "one pass is all a counter needs"),
        ({"clip_norm": 1.0}, "no gradient to clip"),
        ({"micro_batches": 2}, "takes batches whole"),
        ({"precision": "bf16"}, "computes in float64"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        Experiment(config(**changes))


def test_a_network_is_refused():
    with pytest.raises(ConfigError, match=r"has no fit\(pieces\); learn it with the method truncated_bptt"):
        Experiment(config(**{"method.model": LstmLm.Config()}))
