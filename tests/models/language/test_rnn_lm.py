"""The recurrent language model: the paper's equations by hand; the loss by classes is that of all outputs."""

import pytest
import torch
from torch.nn import functional as F

from netsmith.data.ptb import Ptb
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.rnn_lm import RnnLm
from netsmith.optim.sgd import SGD
from netsmith.tasks.next_token import NextToken


@pytest.mark.parametrize("classes", [1, 3])
def test_states_and_outputs_are_the_papers(classes):
    torch.manual_seed(0)
    model = RnnLm.Config(hidden_size=4, classes=classes, vocab_size=9).build().double()
    tokens = torch.randint(1, 9, (2, 6), generator=torch.Generator().manual_seed(1))
    found, last = model(tokens)
    s = torch.full((2, 4), 0.1, dtype=torch.float64)
    for t in range(6):
        s = 1 / (1 + torch.exp(-(model.embedding.weight[tokens[:, t]] + s @ model.recurrent.weight.T)))
        torch.testing.assert_close(found[:, t], model.head(s), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(last, s, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2, 6, dtype=torch.float64), rtol=1e-12, atol=0)
    first, state = model(tokens[:, :2])
    second, _ = model(tokens[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), found, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("per", ["token", "window"])
def test_an_update_by_classes_is_that_of_the_full_outputs(per):
    config = Experiment.Config(
        method=TruncatedBptt.Config(model=RnnLm.Config(hidden_size=5, classes=4), task=NextToken.Config(per=per)),
        data=Ptb.Config(twin=True, batch=4, bptt=6),
        optimizers={"model": SGD.Config(lr=0.3)},
        steps=2,
        precision="fp64",
    )
    run = Engine(Experiment(config))
    network = run.method.model.network
    batch = run.source.load("train", run.source.order("train", seed=0, epoch=0)[0])
    before = [parameter.detach().clone() for parameter in network.parameters()]
    logits, _ = network(batch.inputs)
    loss = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="sum") / (
        4 if per == "window" else 24
    )
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    run.updater.begin(0)
    logs = run.method.step(run.feed, run.updater)
    assert logs["loss"] == pytest.approx(float(loss.detach()), rel=1e-12)
    for old, gradient, new in zip(before, gradients, network.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old - 0.3 * gradient, rtol=1e-10, atol=1e-13)
