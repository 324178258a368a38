"""Scores of attention: against loops, nn.Linear put together, and torch's own attention."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.layers.attention_scores import attend, make_scores


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    return queries, torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)


@torch.no_grad()
def test_each_score_is_its_formula(drawn):
    queries, keys = drawn
    made = {kind: make_scores(kind, 4, 4, size=6).double() for kind in ("additive", "dot", "scaled_dot", "bilinear")}
    found = {kind: scores(queries, scores.project(keys)) for kind, scores in made.items()}
    concat = nn.Linear(8, 6, bias=False).double()  # Luong's one matrix on [q; k]
    concat.weight.copy_(torch.cat([made["additive"].query.weight, made["additive"].key.weight], 1))
    for b in range(2):
        for t in range(3):
            for i in range(5):
                q, k = queries[b, t], keys[b, i]
                wanted = {
                    "additive": made["additive"].out(torch.tanh(concat(torch.cat([q, k]))))[0],
                    "dot": (q * k).sum(),
                    "scaled_dot": (q * k).sum() / 2,
                    "bilinear": q @ made["bilinear"].key.weight @ k,
                }
                for kind, value in wanted.items():
                    assert found[kind][b, t, i].item() == pytest.approx(value.item(), rel=1e-12)


@torch.no_grad()
def test_what_is_looked_at_is_torchs_attention_and_weights_sum_to_one(drawn):
    queries, keys = drawn
    inside = torch.tensor([[True, True, True, False, False], [True] * 5])
    scores = make_scores("scaled_dot", 4, 4)
    seen, weights = attend(scores(queries, scores.project(keys)), 2 * keys, inside)
    wanted = F.scaled_dot_product_attention(queries, keys, 2 * keys, attn_mask=inside[:, None])
    torch.testing.assert_close(seen, wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 3).double(), rtol=1e-12, atol=0)
    assert not weights[0, :, 3:].any()


@torch.no_grad()
@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("dot", [[1.9366, 6.6831, 1.5951], [2.0, 7.9640, 0.0540], [1.9997, 7.7599, 0.3584]]),
        ("scaled_dot", [[1.8639, 6.3194, 1.7042], [1.9991, 7.8141, 0.2735], [1.9926, 7.4796, 0.7359]]),
    ],
)
def test_the_worked_example(kind, wanted):
    x = torch.tensor([[1.0, 0, 1, 0], [0, 2, 0, 2], [1, 1, 1, 1]])
    query = torch.tensor([[1.0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1]])
    key = torch.tensor([[0.0, 0, 1], [1, 1, 0], [0, 1, 0], [1, 1, 0]])
    value = torch.tensor([[0.0, 2, 0], [0, 3, 0], [1, 0, 3], [1, 1, 0]])
    scores = make_scores(kind, 3, 3)((x @ query)[None], (x @ key)[None])
    plain = scores * math.sqrt(3) if kind == "scaled_dot" else scores
    torch.testing.assert_close(plain[0], torch.tensor([[2.0, 4, 4], [4, 16, 12], [4, 12, 10]]))
    seen, _ = attend(scores, (x @ value)[None], torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(seen[0], torch.tensor(wanted), rtol=0, atol=6e-5)


def test_names_and_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="queries and keys of one size, got 4 and 5"):
        make_scores("dot", 4, 5)
    with pytest.raises(ConfigError, match="attention 'hard'"):
        make_scores("hard", 4, 4)  # type: ignore[arg-type]
