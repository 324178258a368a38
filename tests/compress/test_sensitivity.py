import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress.proof import mask_units
from netsmith.compress.prune import prune
from netsmith.compress.sensitivity import Sensitivity, sensitivity
from netsmith.compress.trace import trace
from netsmith.core.errors import UnsupportedError
from netsmith.report.figures import Curve, line_chart

INPUTS = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))


class Pair(nn.Module):
    """One module that holds two layers, and a third as its child."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Parameter(torch.randn(8, 6)), nn.Parameter(torch.randn(12, 8))
        self.child = nn.Linear(12, 4)

    def forward(self, x):
        return self.child(F.linear(F.linear(x, self.one).relu(), self.two).relu())


def build(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def mlp():
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 8), nn.ReLU(), nn.Linear(8, 2))


def closeness(net):
    """Minus the squared distance to the whole network's answers."""
    whole = build(mlp)

    def measure(masked):
        with torch.no_grad():
            return -float((masked(INPUTS) - whole(INPUTS)).square().mean())

    return measure


def test_each_point_is_what_the_cut_network_measures():
    net, calls = build(mlp), []
    measure = closeness(net)

    def counted(masked):
        calls.append(1)
        return measure(masked)

    found = sensitivity(net, INPUTS, counted, ratios=(0.1, 0.25, 0.5, 0.55, 0.8))
    assert found.baseline == 0
    assert set(found.curves) == {"0", "2"}
    for name, values in found.curves.items():
        for ratio, value in zip(found.ratios, values, strict=True):
            small, _ = prune(net, INPUTS, ratio={name: ratio})
            assert value == pytest.approx(measure(small), rel=1e-5, abs=1e-12)
    # 0: 1 2 5 6 8 of 10; 2: 1 2 4 4 6 of 8 (the third and fourth mask the same); and the whole network
    assert len(calls) == 1 + 5 + 4
    assert found.curves["2"][2] == found.curves["2"][3]
    # the first unit to go, by hand
    first = net[0]
    norms = first.weight.detach().norm(dim=1)
    with torch.no_grad():
        net[2].weight[:, int(norms.argmin())] = 0
    assert found.curves["0"][0] == pytest.approx(measure(net), rel=1e-5)


def test_what_each_family_bears():
    found = Sensitivity(
        0.9, "l2", (0.1, 0.5, 0.9), {"a": (0.9, 0.88, 0.1), "b": (0.7, 0.9, 0.9), "c": (0.91, 0.9, 0.9)}
    )
    assert found.bears(0.02) == {"a": 0.5, "b": 0.0, "c": 0.9}  # b falls at once: that it recovers is luck
    assert found.bears(0.0) == {"a": 0.1, "b": 0.0, "c": 0.9}
    assert found.bears(0.2) == {"a": 0.5, "b": 0.9, "c": 0.9}
    assert Sensitivity(0.9, "l2", (0.5,), {"a": (math.nan,)}).bears(0.5) == {"a": 0.0}
    with pytest.raises(UnsupportedError, match=r"got -0\.1"):
        found.bears(-0.1)
    net = build(mlp)
    curves = sensitivity(net, INPUTS, closeness(net), ratios=(0.25, 0.5))
    drop = -min(curves.curves["0"][0], curves.curves["2"][0])
    small, _ = prune(net, INPUTS, ratio=curves.bears(drop))
    assert small[0].out_features <= 8
    assert small[2].out_features <= 6


def test_the_curves_as_json_and_as_a_chart():
    found = Sensitivity(0.9, "l1", (0.1, 0.5), {"a": (0.9, 0.8), "b": (0.7, math.nan), "c": (0.6, 0.5)})
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["curves"] == {"a": [0.9, 0.8], "b": [0.7, None], "c": [0.6, 0.5]}
    assert (value["ratios"], value["baseline"], value["criterion"]) == ([0.1, 0.5], 0.9, "l1")
    lines = found.series(most=2)
    assert [name for name, _, _ in lines] == ["b", "c"]  # the most sensitive first
    assert lines[1] == ("c", (0.0, 0.1, 0.5), (0.9, 0.6, 0.5))
    chart = line_chart([Curve(*line) for line in found.series()], title="sensitivity", x_label="part masked")
    assert chart.count("<polyline") == 3


def test_families_that_no_name_tells_apart_share_a_curve():
    net = build(lambda: nn.Sequential(nn.Linear(6, 6), Pair(), nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 2)))
    graph = trace(net, INPUTS)
    assert [family.name for family in graph.families] == ["0", "1", "1", "1.child", "2"]
    seen = []

    def measure(masked):
        weights = masked[0].weight, masked[1].one, masked[1].two, masked[1].child.weight, masked[2].weight
        seen.append([int((weight.abs().sum(1) == 0).sum()) for weight in weights])
        return -float(sum(seen[-1]))

    found = sensitivity(net, INPUTS, measure, ratios=(0.5,), criterion="random", generator=torch.Generator())
    assert found.curves == {"0": (-3.0,), "1": (-12.0,), "1.child": (-12.0,), "2": (-5.0,)}
    assert seen == [[0, 0, 0, 0, 0], [3, 0, 0, 0, 0], [0, 4, 6, 2, 0], [0, 0, 0, 0, 5]]
    small, _ = prune(net, INPUTS, ratio=found.bears(12.0))
    assert [tuple(p.shape) for p in small[1].parameters()] == [(4, 3), (6, 4), (2, 6), (2,)]
    small, _ = prune(net, INPUTS, ratio=found.bears(4.0))
    assert [tuple(p.shape) for p in small[1].parameters()] == [(8, 3), (12, 8), (4, 12), (4,)]


@pytest.mark.parametrize("ratios", [(), (0.5, 0.1), (0.1, 0.1), (0.0, 0.5), (0.5, 1.0)])
def test_bad_ratios_are_refused(ratios):
    net = build(mlp)
    with pytest.raises(UnsupportedError, match=r"increasing ratios in \(0, 1\)"):
        sensitivity(net, INPUTS, closeness(net), ratios=ratios)


def test_nothing_to_mask_is_said():
    with pytest.raises(UnsupportedError, match="no channel"):
        sensitivity(nn.Linear(6, 2), INPUTS, lambda net: 0.0)


def test_a_mask_changes_no_mode_and_not_the_original():
    net = build(mlp).eval()
    before = [p.clone() for p in net.parameters()]
    found = sensitivity(net, INPUTS, lambda m: float(not m.training), ratios=(0.5,))
    assert found.curves == {"0": (1.0,), "2": (1.0,)}
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
    assert mask_units(net, trace(net, INPUTS), set()) is not net
