"""The order of narrowing, and the edges of a staircase."""

import json
import math

import pytest
import torch
from torch import nn

from netsmith.compress.choice import without_emptied
from netsmith.compress.criteria import score_units
from netsmith.compress.prune import prune
from netsmith.compress.trace import trace
from netsmith.compress.widths import Width, lowest_units, narrowing, widths_of
from netsmith.core.errors import UnsupportedError
from netsmith.measure.staircase import Staircase, measure_staircase


def test_the_cheapest_loss_per_millisecond_goes_first():
    tables = {
        "a": [Width(8, 0.1, 9.0), Width(4, 0.6, 8.0)],
        "b": [Width(8, 0.1, 8.0), Width(4, 0.2, 6.0)],
        "useless": [Width(8, 0.0, 10.5)],
    }
    base = Width(0, 0.0, 10.0)
    # b to 4 costs 0.05 a millisecond (as much as b to 8: 0.1 for 2), a to 8 costs 0.1, then a to 4 costs 0.5
    path = narrowing(tables, base)
    assert path.pop() == {"a": 4, "b": 4, "useless": 8}
    assert path[-1] == {"a": 4, "b": 4}
    assert [dict(step) for step in path if step.get("a") != 4][-1] == {"a": 8, "b": 4}
    assert all("useless" not in step for step in path)
    costs = [sum(10 - next(r.cost for r in tables[n] if r.keep == k) for n, k in step.items()) for step in path]
    assert costs == sorted(costs)
    with pytest.raises(UnsupportedError, match="saves nothing"):
        narrowing({"useless": tables["useless"]}, base)


def test_widths_end_steps():
    assert widths_of(40, (4, 8, 16, 32, 48)) == (32, 16, 8, 4)
    assert widths_of(100, (4, 8, 16, 32, 96)) == (96, 32, 16)  # a tenth stays at least
    assert widths_of(6, (8, 16)) == (4, 3, 1)  # narrower than the first step: quarters
    assert widths_of(1, (4,)) == ()


def test_layers_wider_than_the_last_step_need_not_fall_to_it():
    steps = (8, 16, 32, 64, 96, 128)
    assert widths_of(256, steps) == (224, 192, 160, 128, 96, 64, 32)
    assert widths_of(1300, steps) == (1120, 960, 800, 640, 480, 320, 160)
    assert widths_of(160, (*steps[:-1], 120, 128)) == (136, 128, 120, 96, 64, 32, 16)
    assert widths_of(100, (16,)) == (80, 64, 48, 32, 16)


def test_the_edges_of_a_staircase():
    stairs = Staircase((4, 8, 12, 16, 20), (1.0, 2.0, 2.01, 1.99, 3.0), "k")
    assert stairs.steps() == (4, 16, 20)
    assert stairs.steps(slack=0.0) == (4, 16, 20)
    assert stairs.steps(slack=0.6) == (4, 20)


def test_a_staircase_is_measured_once(tmp_path):
    first = measure_staircase("this machine", side=7, counts=(4, 64), cache=tmp_path)
    assert first.latencies[0] < first.latencies[1]
    (file,) = tmp_path.iterdir()
    again = measure_staircase("this machine", side=7, counts=(4, 64), cache=tmp_path)
    assert again == first
    assert measure_staircase("another", side=7, counts=(4, 64), cache=tmp_path).key != first.key
    file.write_text(json.dumps({"key": first.key}))  # damaged: measured again
    assert all(
        math.isfinite(value)
        for value in measure_staircase("this machine", side=7, counts=(4, 64), cache=tmp_path).latencies
    )


class Joined(nn.Module):
    """Two layers in one family: one holds all the low scores."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.sum = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(3, 8)
        self.head = nn.Linear(8, 2)
        with torch.no_grad():
            self.a.weight.mul_(1e-3)
            self.sum.weight[:4] *= 1e-3

    def forward(self, x):
        return self.head(torch.cat([self.a(x), self.b(x)], dim=1) + self.sum(x))


def test_no_layer_is_emptied():
    net, x = Joined(), torch.randn(2, 3)
    graph = trace(net, x)
    (family,) = graph.families
    scores = score_units(net, graph)
    units = lowest_units(graph, scores, {family.name: 4})
    assert len(units) == 3
    assert without_emptied(graph, scores, units) == units
    small, log = prune(net, x, ratio=0.5, scope="local")
    assert (small.a.out_features, small.b.out_features) == (1, 4)
    assert log.proof[0]["error"] <= 1e-12
