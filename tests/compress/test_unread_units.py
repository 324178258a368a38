"""Units that are not zero where nothing makes them, behind a sigmoid: the masked original does not read them."""

import copy
import json

import pytest
import torch
from torch import nn

from compress.judge import difference, draw, kept_of, parameters, run, same_network
from compress.probe import build, images, integers, numbers
from netsmith.compress.proof import mask_units
from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import UnsupportedError
from netsmith.models.language.rnn_lm import RnnLm


def by_zeros(net, log):
    """A copy in float64 in which every weight to or from what was cut is zero."""
    net = copy.deepcopy(net).double().eval()
    held = dict(net.named_parameters()) | dict(net.named_buffers())
    with torch.no_grad():
        for name, axes in kept_of(log).items():
            for axis, positions in axes.items():
                gone = torch.ones(held[name].shape[axis], dtype=torch.bool)
                gone[list(positions)] = False
                held[name].index_fill_(axis, gone.nonzero()[:, 0], 0.0)
    return net


class Step(nn.Module):
    """Elman's network step by step: sigmoid units that read themselves."""

    def __init__(self):
        super().__init__()
        self.size = 8
        self.inp, self.back, self.out = nn.Linear(6, 8), nn.Linear(8, 8, bias=False), nn.Linear(8, 3)

    def forward(self, x):
        state = torch.zeros(x.shape[0], self.size, dtype=x.dtype, device=x.device)
        for now in x.unbind(1):
            state = torch.sigmoid(self.inp(now) + self.back(state))
        return self.out(state)


class Words(nn.Module):
    """The language model, whose recurrence is one kernel; its first state is 0.1."""

    def __init__(self):
        super().__init__()
        self.model = RnnLm.Config(hidden_size=8, vocab_size=17).build()

    def forward(self, tokens):
        return self.model(tokens)[0]


class Heads(nn.Module):
    """A gate beside units that are read: half of the sigmoid's readers are products, which stay zero."""

    def __init__(self):
        super().__init__()
        self.gate, self.value, self.out, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x):
        gate = self.gate(x).sigmoid()
        return self.out(gate) + self.last(gate * self.value(x))


TABLE = numbers(4, 6)
NETS = {
    "linear": (
        lambda: nn.Sequential(nn.Linear(6, 12), nn.Sigmoid(), nn.Linear(12, 8), nn.Softplus(), nn.Linear(8, 3)),
        TABLE,
    ),
    "no bias": (lambda: nn.Sequential(nn.Linear(6, 12), nn.Sigmoid(), nn.Linear(12, 3, bias=False)), TABLE),
    "in a row": (
        lambda: nn.Sequential(nn.Linear(6, 12), nn.LogSigmoid(), nn.Dropout(), nn.ELU(), nn.Linear(12, 3)),
        TABLE,
    ),
    "images": (
        lambda: nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.Sigmoid(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 12, 3, padding=1, groups=2), nn.BatchNorm2d(12), nn.Sigmoid()),
            *(nn.ConvTranspose2d(12, 8, 2, 2), nn.Sigmoid(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(32, 3)),
        ),
        images(),
    ),
    "steps": (Step, numbers(2, 5, 6)),
    "language model": (Words, integers(17, 2, 6)),
    "gates": (Heads, TABLE),
}


@pytest.mark.parametrize("name", list(NETS))
def test_a_unit_behind_a_sigmoid_is_gone_with_what_reads_it(name):
    make, example = NETS[name]
    net = build(make)
    small, log = prune(net, example, ratio=0.5, scope="local")
    assert parameters(small) < 0.75 * parameters(net)
    assert log.proof[0]["error"] <= 1e-12
    expected = by_zeros(net, log)
    for batch in (2, 5):
        given = draw(example, 1, batch)
        got = run(copy.deepcopy(small).double().eval(), given)
        assert difference(run(expected, given), got) <= 1e-12
        assert difference(run(net.double().eval(), given), got) > 1e-3
    again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
    rebuilt = apply_surgery(build(make), again)
    rebuilt.load_state_dict(small.state_dict())
    assert same_network(rebuilt, small, given)


def test_units_that_are_zero_when_masked_are_still_read_in_the_masked_original():
    """There the proof is the stronger one: that they are zero is not made so, but found."""
    net = build(lambda: nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 3)))
    graph = trace(net, numbers(4, 6))
    assert {(slot.tensor, slot.axis) for slot in graph.slots if slot.bare} == {("4.weight", 1)}
    units = {int(slot.units[0]) for slot in graph.slots if slot.makes}
    masked = mask_units(net, graph, units)
    assert masked[2].weight[1:, 0].abs().min() > 0
    assert (masked[4].weight[:, 0] == 0).all()
    assert (masked[0].weight[0] == 0).all()


class Sum(nn.Module):
    """A sum over the units: it reads each, and no weight of it can be masked."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, x):
        x = self.first(x).sigmoid()
        return self.last(x) + x.sum(1, keepdim=True)


def test_a_sum_without_weights_still_holds_what_is_not_zero():
    with pytest.raises(UnsupportedError, match="no channel of this network can be cut"):
        prune(build(Sum), TABLE, ratio=0.5)
