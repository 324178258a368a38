"""Attention that divides by a root of the width it sees is cut in its width: its queries' rows make up for it."""

import copy
import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compress.judge import Masked, difference, draw, kept_of, parameters, run, same_network
from compress.probe import build, images, numbers
from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.core.errors import ProofError

TOKENS = numbers(2, 5, 6)


class Heads(nn.Module):
    """Attention in three heads of a width that nothing states; ``mix`` says how scores are scaled."""

    def __init__(self, mix, bias=True):
        super().__init__()
        self.mix = mix
        self.query, self.key, self.value = (nn.Linear(12, 24, bias=bias) for _ in range(3))
        self.out = nn.Linear(24, 12)

    def forward(self, x):
        q, k, v = (f(x).unflatten(-1, (3, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.out(self.mix(q, k, v).transpose(1, 2).flatten(2))


class Net(nn.Module):
    def __init__(self, *attentions):
        super().__init__()
        self.inp, self.attentions, self.last = nn.Linear(6, 12), nn.ModuleList(attentions), nn.Linear(12, 3)

    def forward(self, x):
        x = self.inp(x)
        for attention in self.attentions:
            x = x + attention(x)
        return self.last(x)


MIXES = {
    "scores / sqrt(width)": lambda q, k, v: (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1) @ v,
    "scores * width ** -0.5": lambda q, k, v: (q @ k.mT * k.size(-1) ** -0.5).softmax(-1) @ v,
    "the queries first": lambda q, k, v: (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1) @ v,
    "the keys first": lambda q, k, v: (q @ (k / math.sqrt(k.shape[-1])).transpose(-2, -1)).softmax(-1) @ v,
    "einsum": lambda q, k, v: torch.einsum(
        "bhij,bhjd->bhid", (torch.einsum("bhid,bhjd->bhij", q, k) / q.shape[-1] ** 0.5).softmax(-1), v
    ),
    "sdpa's own": F.scaled_dot_product_attention,
    "sdpa, given": lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=q.size(-1) ** -0.5),
}
STORED = 8**-0.5


def stored(q, k, v):
    return (q @ k.transpose(-2, -1) * STORED).softmax(-1) @ v


def proven(net, example, **named):
    """Prune, hold the cut to the judge's masked network at two batch sizes, rebuild it; return it and its log."""
    small, log = prune(net, example, **named)
    assert parameters(small) < parameters(net)
    for more in (0, 1):
        given = draw(example, more)
        got = run(copy.deepcopy(small).double().eval(), given)
        assert difference(Masked(net, kept_of(log))(*given), got) <= 1e-8
    again = SurgeryLog.from_json(json.loads(json.dumps(log.to_json())))
    assert same_network(apply_surgery(copy.deepcopy(net), again), small, given)
    return small, {f"{step.module}.{own}": cut for step in log.steps for own, cut in step.tensors.items() if cut.scaled}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mix", list(MIXES))
def test_queries_make_up_for_a_scale_that_follows_the_width(mix, bias):
    net = build(lambda: Net(Heads(MIXES[mix], bias))).double()
    small, scaled = proven(net, TOKENS.double(), ratio={"attentions.0.query": 0.5}, heads="width")
    attention = small.attentions[0]
    assert attention.query.out_features == attention.key.out_features == 12
    own = "key" if mix == "the queries first" else "query"
    assert set(scaled) == {f"attentions.0.{own}.{tensor}" for tensor in ("weight", "bias")[: 1 + bias]}
    assert {(cut.factor, len(cut.scaled)) for cut in scaled.values()} == {(0.5**0.5, 24)}


def test_a_stored_scale_stays_and_one_that_follows_beside_it_is_made_up_for():
    class Stored(Heads):
        """Another class: code that scales otherwise."""

    net = build(lambda: Net(Stored(stored), Heads(MIXES["scores / sqrt(width)"]))).double()
    _, scaled = proven(net, TOKENS.double(), ratio=0.25, scope="local", heads="width")
    assert set(scaled) == {"attentions.1.query.weight", "attentions.1.query.bias"}
    assert {cut.factor for cut in scaled.values()} == {0.75**0.5}


class One(nn.Module):
    """One head: its width goes by default, as any channels do."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Linear(6, 8),
            nn.Linear(6, 8),
            nn.Linear(6, 9),
            nn.Linear(9, 3),
        )

    def forward(self, x):
        query, key = self.query(x), self.key(x)
        return self.out((query @ key.mT / math.sqrt(key.size(-1))).softmax(-1) @ self.value(x))


class Pixels(nn.Module):
    """Attention between pixels, made by convolutions."""

    def __init__(self):
        super().__init__()
        self.theta, self.phi, self.g, self.w = (
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(3, 6, 1),
            nn.Conv2d(6, 4, 1),
        )

    def forward(self, x):
        theta, phi, g = self.theta(x).flatten(2).mT, self.phi(x).flatten(2), self.g(x).flatten(2)
        y = (theta @ phi / theta.shape[-1] ** 0.5).softmax(-1) @ g.mT
        return self.w(y.mT.unflatten(-1, x.shape[2:]))


@pytest.mark.parametrize(("make", "example", "name"), [(One, TOKENS, "query"), (Pixels, images(), "theta")])
def test_one_head_loses_width_by_default(make, example, name):
    _, scaled = proven(build(make).double(), example.double(), ratio=0.5, scope="local")
    assert set(scaled) == {f"{name}.weight", f"{name}.bias"}


def test_queries_and_keys_that_no_layer_makes_are_refused():
    class Normed(Heads):
        def forward(self, x):
            q, k, v = (f(x).unflatten(-1, (3, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
            return self.out(self.mix(q.tanh(), k.tanh(), v).transpose(1, 2).flatten(2))

    net = build(lambda: Net(Normed(MIXES["scores / sqrt(width)"])))
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ProofError, match="the original is untouched"):
        prune(net, TOKENS, ratio={"attentions.0.query": 0.5}, heads="width")
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
