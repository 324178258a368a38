import copy

import pytest
import torch
from torch import nn

from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.methods._features import check_layers, run_with_features


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.again = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.unused = nn.Linear(4, 4)
        self.loud = nn.ReLU(inplace=True)
        self.many = nn.LSTM(4, 2)

    def forward(self, x):
        x = self.act(self.first(x))
        x = self.act(self.loud(self.norm(self.again(x))))
        return self.many(x)[0]


def hooks(network):
    return [name for name, module in network.named_modules() if module._forward_hooks]


def test_they_are_what_the_layers_answer_with_their_gradients():
    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.Linear(4, 2))), torch.randn(5, 3)
    output, found = run_with_features(network, x, ["1.0", "0"], whose="student")
    assert torch.equal(output, network(x))
    assert torch.equal(found["0"], network[0](x))
    assert torch.equal(found["1.0"], network[1][0](network[0](x)))
    (slope,) = torch.autograd.grad(found["1.0"].sum(), network[0].weight)
    (want,) = torch.autograd.grad(network[0](x).tanh().sum(), network[0].weight)
    assert torch.equal(slope, want)


def test_no_hook_stays_in_the_network_its_copies_or_after_a_failure():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    before = set(network.__dict__)
    copied = copy.deepcopy(network)
    for one in (network, copied):
        _, found = run_with_features(one, torch.ones(1, 3), ["0"], whose="student")
        assert torch.equal(found["0"], one[0](torch.ones(1, 3)))
        assert hooks(one) == []
    with pytest.raises(RuntimeError):
        run_with_features(network, torch.ones(1, 9), ["0"], whose="student")
    run_with_features(network, torch.ones(1, 3), ["0"], whose="student", whole=False)
    assert hooks(network) == hooks(copy.deepcopy(network)) == []
    assert set(network.__dict__) == before


def test_a_pass_that_is_left_early_runs_nothing_behind():
    network = Net()
    output, found = run_with_features(network, torch.randn(4, 3), ["again", "first"], whose="student", whole=False)
    assert output is None
    assert set(found) == {"again", "first"}
    assert network.norm.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("act", "'act' runs twice"),
        ("unused", "'unused' did not run"),
        ("norm", "'norm' answers is overwritten in place"),
        ("many", "'many' answers with a tuple"),
    ],
)
def test_layers_that_cannot_be_read_are_refused(name, text):
    network = Net()
    with pytest.raises(ConfigError, match=text):
        run_with_features(network, torch.randn(4, 3), [name], whose="student")
    assert hooks(network) == []


def test_unknown_names_and_compiled_networks_are_refused():
    with pytest.raises(UnknownNameError, match=r"no layer of the teacher \(Net\) named 'agian'; did you mean 'again'"):
        check_layers(Net(), ["first", "agian"], whose="teacher")
    network = nn.Linear(3, 4)
    network.compile(backend="eager")
    with pytest.raises(UnsupportedError, match="compile=True"):
        run_with_features(network, torch.ones(1, 3), [""], whose="student")
