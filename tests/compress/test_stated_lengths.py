"""Lengths that are numbers in the code do not follow a cut: what they count stays, the rest is cut."""

import pytest
import torch
from torch import nn

from compress.judge import draw, judge
from compress.probe import build
from netsmith.compress.prune import kept_by_code, prune, prune_iteratively
from netsmith.compress.surgery import apply_surgery
from netsmith.core.errors import ProofError

Z = torch.randn(2, 10, generator=torch.Generator().manual_seed(0))
IMAGE = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(1))


class View(nn.Module):
    """Writes its lengths down."""

    def __init__(self, shape, inner, last):
        super().__init__()
        self.shape, self.first, self.inner, self.last = shape, nn.Conv2d(3, 16, 3, padding=1), inner, last

    def forward(self, x):
        return self.last(self.inner(self.first(x).relu().view(self.shape)).relu())


def generator():
    return nn.Sequential(
        nn.Linear(10, 128),
        nn.ReLU(),
        nn.Unflatten(1, (32, 2, 2)),
        nn.ConvTranspose2d(32, 16, 4, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, 1),
    )


def images():
    return View((-1, 16, 36), nn.Conv1d(16, 12, 1), nn.Conv1d(12, 2, 1))


def rows():
    return View((-1, 576), nn.Linear(576, 12), nn.Linear(12, 2))


@pytest.mark.parametrize(
    ("make", "x", "whole", "cut"),
    [(generator, Z, "0", "3"), (images, IMAGE, "first", "inner"), (rows, IMAGE, "first", "inner")],
)
def test_what_a_number_in_the_code_counts_stays_and_the_rest_is_cut(make, x, whole, cut):
    net = build(make)
    verdict = judge(net, x, [draw(x, 1), draw(x, 2, 5)])
    assert (verdict.outcome, verdict.reason) == ("right", "")
    small, log = prune(net, x, ratio=0.5, scope="local")
    assert small.get_submodule(whole).weight.shape == net.get_submodule(whole).weight.shape
    assert small.get_submodule(cut).bias.shape[0] == net.get_submodule(cut).bias.shape[0] // 2
    assert log.proof[0].get("stated") == (None if make is generator else [""])


def test_where_nothing_else_is_to_be_cut_it_is_refused():
    with pytest.raises(ProofError, match="does not run"):
        prune(build(images), IMAGE, ratio={"first": 0.5})


class Literal(nn.Module):
    """Its code states the width of the first layer."""

    def __init__(self):
        super().__init__()
        self.first, self.wide, self.last = nn.Linear(4, 8), nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x):
        return self.last(self.wide(self.first(x).relu().view(-1, 8)).relu())


@pytest.mark.parametrize("rounds", [1, 2, 4, 8])
def test_rounds_go_on_past_what_the_code_states(rounds):
    torch.manual_seed(0)
    net, x = Literal(), torch.randn(2, 4)
    small, log = prune_iteratively(net, x, ratio=0.5, rounds=rounds, fine_tune=lambda *_: None)
    assert small.first.out_features == 8
    assert small.wide.out_features < 16
    assert "the network" in kept_by_code(log)
    again = apply_surgery(Literal(), log)
    again.load_state_dict(small.state_dict())
    assert torch.equal(again(x), small(x))
