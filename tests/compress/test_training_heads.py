"""What a network does in training mode alone must still run after a cut."""

import copy

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import ProofError

IMAGE = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Headed(nn.Module):
    """A head that runs in training alone, or a normalization and dropout, which do no harm."""

    def __init__(self, head):
        super().__init__()
        self.stem, self.norm, self.body = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)
        self.last, self.aux, self.drop = nn.Linear(8, 2), nn.Linear(8, 2) if head else None, nn.Dropout(0.5)

    def forward(self, x):
        h = self.norm(self.stem(x)).relu()
        y = self.last(self.drop(self.body(h).relu().mean((2, 3))))
        return (y, self.aux(h.mean((2, 3)))) if self.training and self.aux is not None else y


@pytest.mark.parametrize("batch", [1, 2])
def test_a_cut_that_a_head_of_training_cannot_follow_is_refused(batch):
    net = Headed(head=True)
    with pytest.raises(ProofError, match=r"the cut network does not run in training mode: .* \(at aux \(Linear\)\)"):
        prune(net, IMAGE[:batch], ratio=0.5, scope="local")
    small, _ = prune(net, IMAGE[:batch], ratio=0.5, scope="local", protect=["stem"])
    assert (small.stem.out_channels, small.body.out_channels) == (8, 4)
    small.train()(IMAGE)


def test_training_mode_is_tried_without_leaving_a_trace():
    net = Headed(head=False)
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    small, _ = prune(net, IMAGE, ratio=0.5, scope="local")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(small.norm.running_var, torch.ones(4))
    assert int(small.norm.num_batches_tracked) == 0
    small.train()(IMAGE)


class Untrainable(nn.Module):
    """Wants targets in training."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x, target=None):
        y = self.last(self.first(x).relu())
        return (y - target).square().mean() if self.training else y


def test_a_network_that_wants_more_in_training_is_cut_as_before():
    small, log = prune(Untrainable(), torch.randn(2, 4), ratio=0.5)
    assert small.first.out_features == 4
    assert log.proof[0]["error"] <= 1e-12


class Frozen(nn.Module):
    """Stays in evaluation mode, and says nothing when it is told to train."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def train(self, mode=True):
        super().train(False)

    def forward(self, x):
        return self.last(self.first(x).relu())


def test_a_module_whose_modes_return_nothing_is_cut():
    small, _ = prune(Frozen(), torch.randn(2, 4), ratio=0.5)
    assert small.first.out_features == 4
