import copy
import functools
import math
from collections import Counter

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.compress.choice import choose_units, structures
from netsmith.compress.criteria import score_units
from netsmith.compress.prune import prune, prune_iteratively
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import UnsupportedError

IMAGE = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def conv(i, o, k=3, **named):
    return nn.Conv2d(i, o, k, padding=k // 2, **named)


class Residual(nn.Module):
    """Two blocks that are built alike, a wider third, and a stem tied to all by the sums."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = conv(3, 10), nn.BatchNorm2d(10)
        self.a = nn.ModuleList([conv(10, 8), conv(10, 8), conv(10, 12)])
        self.b = nn.ModuleList([conv(8, 10), conv(8, 10), conv(12, 10)])
        self.head = nn.Linear(10, 5)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        for a, b in zip(self.a, self.b, strict=True):
            x = F.relu(b(a(x).relu()) + x)
        return self.head(x.mean((2, 3)))


def build(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def mlp():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


def by_hand(*weights):
    """FPGM over tied layers with plain loops."""
    totals = [0.0] * len(weights[0])
    for weight in weights:
        rows = weight.detach().double().flatten(1).tolist()
        for i, one in enumerate(rows):
            totals[i] += sum(math.dist(one, other) for other in rows)
    return totals


def test_geometric_median_sums_distances_over_all_tied_layers():
    net = build(Residual)
    graph = trace(net, IMAGE)
    scores = score_units(net, graph, criterion="geometric_median")
    stem, first = graph.families[0], graph.families[1]
    assert [stem.name, first.name] == ["stem", "a.0"]
    expected = by_hand(net.stem.weight, *(b.weight for b in net.b))
    assert [scores[u] for u in stem.units] == pytest.approx(expected, rel=1e-9)
    assert [scores[u] for u in first.units] == pytest.approx(by_hand(net.a[0].weight), rel=1e-9)


def test_geometric_median_cuts_what_others_stand_in_for_not_what_is_small():
    net = build(mlp)
    with torch.no_grad():  # the last filter is the smallest, but far from the five that crowd around (5, 5, 5, 5)
        net[0].weight[:] = 5 + torch.tensor([0.0, 0.1, -0.1, 0.4, -0.4, -4.9])[:, None]
    _, log = prune(net, torch.zeros(1, 4), ratio=0.5, criterion="geometric_median")
    assert log.steps[0].tensors["weight"].kept[0] == (3, 4, 5)
    _, log = prune(net, torch.zeros(1, 4), ratio=0.5, criterion="l2")
    assert 5 not in log.steps[0].tensors["weight"].kept[0]
    many = build(
        lambda: nn.Sequential(nn.Linear(7, 1500), nn.ReLU(), nn.Linear(1500, 2)).double()
    )  # more than are held
    with torch.no_grad():
        many[0].weight.add_(1e6)
    graph = trace(many, torch.zeros(1, 7, dtype=torch.float64))
    scores = score_units(many, graph, criterion="geometric_median")
    rows = many[0].weight.detach()
    for unit, row in list(zip(graph.families[0].units, rows, strict=True))[::300]:
        assert scores[unit] == pytest.approx(float((rows - row).square().sum(1).sqrt().sum()), rel=1e-8)


def test_an_isomorphic_ranking_compares_what_is_built_alike():
    net = build(Residual)
    graph = trace(net, IMAGE)
    stem, one, two, wide = structures(net, graph, graph.families)
    assert one == two
    assert len({stem, one, wide}) == 3
    # filter norms: the second block is 100 times the first, the wide one is smaller than both
    scores = score_units(net, graph, criterion="l2")
    names = [family.name for family in graph.families]
    assert names == ["stem", "a.0", "a.1", "a.2"]
    for family, factor in zip(graph.families, (1, 1, 100, 0.01), strict=True):
        scores |= {unit: (10 + place) * factor for place, unit in enumerate(family.units)}
    units = choose_units(net, graph, scores, ratio=0.25, scope="isomorphic")
    lost = {family.name: len(units & set(family.units)) for family in graph.families}
    # a quarter of 10 (2.5 rounds to the even 2), of 8 + 8 together (all from the weaker block), of 12
    assert lost == {"stem": 2, "a.0": 4, "a.1": 0, "a.2": 3}
    assert all(set(f.units[: lost[f.name]]) <= units for f in graph.families)
    # a global ranking of the same raw scores would take all ten it may from the wide one first
    raw = choose_units(net, graph, scores, ratio=0.25, scope="global", relative=False)
    assert len(raw & set(graph.families[3].units)) == 10
    small, log = prune(net, IMAGE, ratio=0.5, scope="isomorphic", least=0.0)
    assert log.proof[0]["error"] <= 1e-12
    assert (small.stem.out_channels, small.a[2].out_channels) == (5, 6)
    assert small.a[0].out_channels + small.a[1].out_channels == 8
    with pytest.raises(UnsupportedError, match="local or isomorphic"):
        prune(net, IMAGE, ratio=0.5, scope="blockwise")


def channels(net):
    return {name: m.out_channels for name, m in net.named_modules() if isinstance(m, nn.Conv2d)}


def shaken(calls, seed=0):
    def fine_tune(module, log):
        generator = torch.Generator().manual_seed(seed + len(calls))
        calls.append(len(log.steps))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)

    return fine_tune


@pytest.mark.parametrize("scope", ["local", "global", "isomorphic"])
@pytest.mark.parametrize("schedule", ["linear", "geometric"])
def test_rounds_end_where_one_cut_would(scope, schedule):
    net, calls = build(Residual), []
    before = copy.deepcopy(net.state_dict())
    small, log = prune_iteratively(
        net, IMAGE, ratio=0.6, rounds=4, fine_tune=shaken(calls), schedule=schedule, scope=scope
    )
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    families = trace(net, IMAGE).families
    kept = sum(channels(small)[f.name] for f in families)
    whole = sum(len(f.units) for f in families)
    assert abs(kept - 0.4 * whole) <= (1 if scope == "global" else len(families))
    once, _ = prune(net, IMAGE, ratio=0.6, scope=scope)
    assert kept == sum(channels(once)[f.name] for f in families)
    if scope == "local":
        assert channels(small) == channels(once)
        assert all(abs(channels(small)[f.name] - 0.4 * len(f.units)) <= 0.5 for f in families)
    assert len(calls) == 3
    assert sum(calls) < len(log.steps)  # each heard of its own round only
    assert len(log.proof) == 4
    assert all(proof["error"] <= 1e-12 for proof in log.proof)
    # the joined log rebuilds the result in the original's class
    again = apply_surgery(build(Residual), SurgeryLog.from_json(log.to_json()))
    again.load_state_dict(small.state_dict())
    assert torch.equal(again.eval()(IMAGE), copy.deepcopy(small).eval()(IMAGE))


def test_the_schedules_by_their_numbers():
    net = build(lambda: nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2)))
    x = torch.zeros(1, 4)
    for schedule, expected in (("linear", [52, 40, 28, 16]), ("geometric", [45, 32, 23, 16])):
        left, note = [], lambda module, _, left: left.append(module[0].out_features)
        tune = functools.partial(note, left=left)
        small, _ = prune_iteratively(net, x, ratio=0.75, rounds=4, schedule=schedule, fine_tune=tune)
        assert [*left, small[0].out_features] == expected
    # without fine-tuning the scores of one layer stay what they are, so rounds choose what one cut does
    small, log = prune_iteratively(net, x, ratio=0.75, rounds=5, fine_tune=lambda *_: None)
    once, _ = prune(net, x, ratio=0.75)
    assert torch.equal(small[0].weight, once[0].weight)
    assert torch.equal(log.cut("0.weight", net[0].weight.detach()), once[0].weight)


def test_each_round_judges_the_weights_that_fine_tuning_left():
    net = build(mlp)
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None]

    def turned(module, _):
        with torch.no_grad():
            module[0].weight[:] = 10 - module[0].weight

    _, log = prune_iteratively(net, torch.zeros(1, 4), ratio=2 / 6, rounds=2, fine_tune=turned)
    # the first goes, then the last, which has become the smallest
    assert log.cut("0.weight", net[0].weight.detach())[:, 0].tolist() == [2, 3, 4, 5]


def test_rounds_with_a_ratio_per_module_gradients_and_rounding():
    net, asked = build(Residual), []

    def gradients(module):
        asked.append(channels(module)["a.0"])
        answer = module(IMAGE).square().sum()
        named = dict(module.named_parameters())
        return dict(zip(named, torch.autograd.grad(answer, list(named.values())), strict=True))

    small, _ = prune_iteratively(
        net,
        IMAGE,
        ratio={"a.0": 0.5, "stem": 0.2},
        rounds=3,
        fine_tune=shaken([]),
        criterion="taylor",
        gradients=gradients,
    )
    assert Counter(channels(small).values()) == Counter([8] * 4 + [4, 8, 12])
    assert asked == [8, 7, 5]
    calls = []
    small, _ = prune_iteratively(net, IMAGE, ratio=0.5, rounds=5, fine_tune=shaken(calls), round_to=4, scope="local")
    assert channels(small) == {"stem": 8, "a.0": 4, "a.1": 4, "a.2": 8, "b.0": 8, "b.1": 8, "b.2": 8}
    assert len(calls) < 4  # a round that cuts nothing is passed over
    for named, value in (("rounds", {"rounds": 0}), ("schedule", {"rounds": 2, "schedule": "cubic"})):
        with pytest.raises(UnsupportedError, match=named):
            prune_iteratively(net, IMAGE, ratio=0.5, fine_tune=shaken([]), **value)
    with pytest.raises(UnsupportedError, match=r"ratios in \[0, 1\)"):
        prune_iteratively(net, IMAGE, ratio=1.0, rounds=2, fine_tune=shaken([]))
