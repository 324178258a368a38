"""The state goes on from window to window, the gradient does not; a checkpoint holds it; evaluation carries it."""

import math

import pytest
import torch
from torch.nn import functional as F

from netsmith.data.ptb import Ptb
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD
from netsmith.tasks.next_token import NextToken


def engine(**changes):
    config = Experiment.Config(
        method=TruncatedBptt.Config(model=LstmLm.Config(hidden_size=5), task=NextToken.Config()),
        data=Ptb.Config(twin=True, batch=4, bptt=6),
        optimizers={"model": SGD.Config(lr=0.5)},
        steps=4,
        precision="fp64",
        evaluate_every=100,
    )
    return Engine(Experiment(config.derive(**changes)))


def batches(source, count):
    return [source.load("train", at) for at in source.order("train", seed=0, epoch=0)[:count]]


def taken(run, steps):
    for step in range(steps):
        run.updater.begin(step)
        run.method.step(run.feed, run.updater)
    return [p.detach().clone() for p in run.method.parameters()]


def test_updates_are_those_of_a_loop_that_detaches_the_state():
    run = engine()
    model = LstmLm.Config(hidden_size=5, vocab_size=31).build().double()
    model.load_state_dict(run.method.model.network.state_dict())
    state = None
    for batch in batches(run.source, 4):
        logits, state = model(batch.inputs, state)
        state = tuple(part.detach() for part in state)
        gradients = torch.autograd.grad(
            F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten()), model.parameters()
        )
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= 0.5 * gradient
    for ours, theirs in zip(taken(run, 4), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-10, atol=1e-12)


def test_an_epoch_begins_with_no_memory():
    run = engine()
    windows = len(run.source.order("train", seed=0, epoch=0))
    run.feed.position = windows - 1
    run.updater.begin(0)
    run.method.step(run.feed, run.updater)
    assert run.method.carried.state is not None
    first = run.source.load("train", run.source.order("train", seed=0, epoch=1)[0])
    assert run.method.carried.before(first) is None
    assert run.method.carried.before(batches(run.source, 3)[2]) is None  # a jump


@pytest.mark.parametrize("changes", [{"micro_batches": 3}, {}])
def test_pieces_of_a_batch_carry_their_own_rows(changes):
    whole, pieces = engine(), engine(**changes)
    for a, b in zip(taken(whole, 4), taken(pieces, 4), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    for a, b in zip(whole.method.carried.state, pieces.method.carried.state, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_of_a_closure_the_state_before_the_weights_moved_goes_on():
    run = engine(**{"optimizers.model": SAM.Config(inner=SGD.Config(lr=0.5), rho=0.5)})
    batch = batches(run.source, 1)[0]
    _, wanted = run.method.model.network(batch.inputs)
    taken(run, 1)
    torch.testing.assert_close(run.method.carried.state[0], wanted[0].detach(), rtol=1e-12, atol=0)


def test_a_run_that_is_cut_goes_on_with_the_same_memory():
    whole = taken(engine(), 4)
    cut = engine()
    taken(cut, 2)
    state = {name: p.clone() for name, p in cut.method.named_parameters()}
    saved = cut.method.state()
    again = engine(seed=3)
    again.method.restore(saved)
    with torch.no_grad():
        for name, parameter in again.method.named_parameters():
            parameter.copy_(state[name])
    again.feed.position = cut.feed.position
    for a, b in zip(taken(again, 2), whole, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("rows", [1, 3])
def test_perplexity_is_that_of_each_row_read_in_one_go(rows, monkeypatch):
    monkeypatch.setattr("netsmith.methods._streams._LOGITS", 31 * 7 * rows)  # windows of 7 tokens
    run = engine(**{"data.evaluation_batch": rows})
    taken(run, 3)
    run.method.eval()
    dev = run.source.load("dev", run.source.order("dev", seed=0, epoch=0)[0])
    with torch.no_grad():
        logits, _ = run.method.model.network(dev.inputs)
    mean = F.cross_entropy(logits.flatten(0, 1), dev.targets.flatten())
    assert int((dev.targets >= 0).sum()) == 2088
    for _ in range(2):  # the memory of the first does not reach into the second
        assert run.evaluate("dev")["dev/perplexity"] == pytest.approx(math.exp(float(mean)), rel=1e-10)


def test_training_text_is_evaluated_with_the_state_carried():
    run = engine(**{"data.batch": 2})
    source = run.source
    rows = source.order("train", seed=0, epoch=0)
    whole = [torch.cat([getattr(source.load("train", at), part) for at in rows], 1) for part in ("inputs", "targets")]
    with torch.no_grad():
        logits, _ = run.method.eval().model.network(whole[0])
    mean = F.cross_entropy(logits.flatten(0, 1), whole[1].flatten())
    assert run.evaluate("train")["train/perplexity"] == pytest.approx(math.exp(float(mean)), rel=1e-10)
    assert isinstance(source.load("train", rows[0]), Batch)
