"""What a proof must not let pass: answers that are not numbers, and differences that hide behind a large one."""

import copy

import pytest
import torch
from torch import nn

from netsmith.compress.choice import choose_units
from netsmith.compress.criteria import score_units
from netsmith.compress.proof import Proof
from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery, plan_surgery
from netsmith.compress.trace import trace
from netsmith.core.errors import ProofError

LARGE = 4_000_000


class Words(nn.Module):
    """An embedding whose first row is padding, of zeros."""

    def __init__(self, tokens=lambda x: x, bias=False):
        super().__init__()
        self.embedding, self.tokens = nn.Embedding(20, 16, padding_idx=0), tokens
        self.wide, self.last = nn.Linear(16, 32, bias=bias), nn.Linear(32, 5, bias=bias)

    def forward(self, x, *_):
        return self.last(self.wide(self.embedding(self.tokens(x))).relu()).mean(1)


PADDING = torch.zeros(2, 7, dtype=torch.long)


@pytest.mark.parametrize(
    "example", [PADDING, PADDING + 3, PADDING + 19, PADDING[:, :1], PADDING[:1], (PADDING, PADDING + 7)]
)
@pytest.mark.parametrize("tokens", [lambda x: x, lambda x: x.int() % 20, lambda x: (x + 1).clamp(max=19)])
@pytest.mark.parametrize("bias", [False, True])
def test_an_example_of_one_token_hides_no_wrong_cut(example, tokens, bias):
    net = Words(tokens, bias).eval()
    graph = trace(net, example)
    units = choose_units(net, graph, score_units(net, graph), ratio=0.5, scope="local")
    cut = apply_surgery(copy.deepcopy(net), plan_surgery(net, graph, units))
    proof = Proof(net, graph, units, example)
    assert proof.check(cut)["error"] <= 1e-12
    for name in ("embedding.weight", "wide.weight", "last.weight"):
        wrong = copy.deepcopy(cut)
        with torch.no_grad():
            wrong.get_parameter(name)[1:].normal_()
        with pytest.raises(ProofError, match="differ by"):
            proof.check(wrong)


def test_what_answers_the_same_to_all_inputs_proves_nothing():
    net = Words(lambda x: x.clamp(0, 0), bias=True)
    with pytest.raises(ProofError, match=r"answers the same to all inputs tried.*the example's numbers are all alike"):
        prune(net, PADDING, ratio=0.5)
    net = Words()
    nn.init.zeros_(net.last.weight)
    with pytest.raises(ProofError, match=r"answers the same to all inputs tried.*a layer of zeros"):
        prune(net, PADDING, ratio=0.5)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    nn.init.constant_(net[0].bias, -100)
    with pytest.raises(ProofError, match=r"answers the same to all inputs tried.*units that are all dead"):
        prune(net, torch.randn(1, 4), ratio=0.5)


def test_a_choice_may_be_the_same_for_all_inputs():
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    nn.init.zeros_(net[2].weight)
    assert prune(Chosen(net), torch.randn(2, 4), ratio=0.5)[1].proof[0]["error"] == 0


class Chosen(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x).argmax(1)


def test_a_lone_unit_that_is_dead_by_chance_is_proven_on_more_inputs():
    figures = []
    for seed in range(40):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        figures.append(prune(net, torch.randn(1, 4), ratio=0.9, scope="local")[1].proof[0])
    assert max(len(one["shapes"]) for one in figures) > 2 == min(len(one["shapes"]) for one in figures)


def test_an_answer_for_one_example_that_takes_no_other_batch_tells():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.last(self.first(x.view(1, 4)).relu())

    assert prune(One(), torch.randn(1, 4), ratio=0.5)[1].proof[0]["error"] <= 1e-12


class Scaled(nn.Module):
    """Answers scaled by what the code reads off its own width."""

    def __init__(self, scale, ballast=0, hidden=8):
        super().__init__()
        self.first, self.last, self.scale = nn.Linear(4, hidden), nn.Linear(hidden, 3), scale
        self.ballast = nn.Parameter(torch.zeros(ballast))

    def forward(self, x):
        h = self.first(x).relu()
        return self.scale(self.last(h), h.shape[-1])


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (lambda y, width: y * (torch.tensor(width - 5.0) ** 0.5), "differ by inf"),  # NaN once it is cut
        (lambda y, width: y * width / torch.zeros(1) * 0, "NaN alone"),
        (lambda y, width: torch.cat([y * width, torch.full_like(y[:, :1], 1e9)], 1), "differ by"),  # a masked logit
        (lambda y, width: torch.cat([y * width, torch.full_like(y[:, :1], float("-inf"))], 1), "differ by"),
        (lambda y, width: torch.cat([y, y[:, :1] * 1e-8 * width], 1), "differ by"),  # a column that is small
    ],
)
@pytest.mark.parametrize("ballast", [0, LARGE])
def test_a_wrong_cut_does_not_hide(scale, message, ballast):
    with pytest.raises(ProofError, match=message):
        prune(Scaled(scale, ballast), torch.randn(2, 4), ratio=0.5)


def test_a_large_network_is_compared_as_found_and_in_float64_where_that_tells_nothing():
    figures = [
        prune(Scaled(scale, LARGE, hidden=999), torch.randn(2, 4), ratio=0.5)[1].proof[0]
        for scale in (lambda y, _: y, lambda y, _: (y * 1e5).sin())  # the noise of single precision, made large
    ]
    assert [one["precision"] for one in figures] == ["as found", "float64"]
    assert 0 < figures[0]["error"] <= 1e-5
    assert figures[1]["error"] <= 1e-8


def test_large_and_infinite_columns_are_no_obstacle():
    def scale(y, width):
        return torch.cat([y, torch.full_like(y[:, :1], 1e9), torch.full_like(y[:, :1], float("-inf"))], 1)

    _, log = prune(Scaled(scale), torch.randn(2, 4), ratio=0.5)
    assert log.proof[0]["error"] <= 1e-12


class Loop(nn.Module):
    """A normalization that is called once for each position of the input."""

    def __init__(self):
        super().__init__()
        self.inp, self.norm, self.out = nn.Linear(3, 8), nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, x):
        h = x.new_zeros(len(x), 8 if self.inp.out_features == 8 else self.inp.out_features)
        for step in range(x.shape[1]):
            h = self.norm(h + self.inp(x[:, step]))
        return self.out(h)


def test_a_normalization_in_a_loop_is_cut():
    _, log = prune(Loop(), torch.randn(2, 5, 3), ratio=0.5)
    assert log.proof[0]["shapes"] == [[2, 5, 3], [3, 5, 3]]  # of another length it is another trace
    assert log.proof[0]["error"] <= 1e-12


class Parts(nn.Module):
    """Widths that the code states: one part could lose all it has."""

    def __init__(self):
        super().__init__()
        self.a_dim, self.b_dim = 2, 6
        self.up, self.a, self.b = nn.Linear(4, 8), nn.Linear(2, 3), nn.Linear(6, 3)
        with torch.no_grad():
            self.up.weight[:2] *= 1e-3

    def forward(self, x):
        a, b = self.up(x).split([self.a_dim, self.b_dim], dim=1)
        return self.a(a) + self.b(b)


def test_no_stated_width_becomes_zero():
    small, log = prune(Parts(), torch.randn(2, 4), ratio=0.5)
    assert (small.a_dim, small.b_dim) == (1, 4)
    assert SurgeryLog.from_json(log.to_json()).to_json() == log.to_json()


def test_the_rounding_of_half_precision_hides_nothing():
    net = Scaled(lambda y, width: y * (1 + width * 2e-5), LARGE).bfloat16()
    with pytest.raises(ProofError, match=r"differ by 8\.0e-05"):
        prune(net, torch.randn(2, 4, dtype=torch.bfloat16), ratio=0.5)


class Later(nn.Module):
    """Right at the example's form; at other lengths NaN, or wrong."""

    def __init__(self, behind):
        super().__init__()
        self.first, self.last, self.behind = nn.Conv1d(4, 8, 1), nn.Conv1d(8, 3, 1), behind

    def forward(self, x):
        h = self.first(x).relu()
        return self.behind(self.last(h), h.shape[1], x)


@pytest.mark.parametrize(
    "behind",
    [
        # half as long it is NaN, so that another batch alone must be tried; there it is wrong
        lambda y, width, x: y[:, :, 4:].mean(2) * (1 if len(x) == 2 else width),
        lambda y, width, x: y.mean(2) * (1 if x.shape[2] <= 8 else width),  # wrong for what is longer
    ],
)
def test_a_cut_that_is_wrong_for_other_inputs_is_refused(behind):
    with pytest.raises(ProofError, match="differ by"):
        prune(Later(behind), torch.randn(2, 4, 8), ratio=0.5)
