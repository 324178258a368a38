"""Language modeling: perplexity is exact however the text is cut, and the two units of the loss."""

import math

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs
from netsmith.tasks.next_token import NextToken, Perplexity


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(3)
    output = torch.randn(4, 7, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 5, (4, 7), generator=generator)
    target[3, 4:] = -100
    return output, target


def by_hand(output, target):
    logs = output.log_softmax(-1)
    found = [logs[b, t, target[b, t]].item() for b in range(4) for t in range(7) if target[b, t] >= 0]
    return -sum(found), len(found)


def test_perplexity_weighs_tokens_not_batches(drawn):
    output, target = drawn
    nats, tokens = by_hand(output, target)
    whole = Perplexity()
    whole.update(output, target)
    assert whole.compute() == pytest.approx(math.exp(nats / tokens), rel=1e-12)
    merged = Perplexity()
    for rows, places in ((slice(0, 1), slice(0, 7)), (slice(1, 4), slice(0, 2)), (slice(1, 4), slice(2, 7))):
        part = Perplexity()
        part.update(output[rows, places], target[rows, places])
        merged.merge(part)
    assert merged.compute() == pytest.approx(whole.compute(), rel=1e-12)


def test_bits_are_nats_over_the_logarithm_of_two(drawn):
    metrics = NextToken.Config(bits=True).build().metrics()
    for metric in metrics.values():
        metric.update(*drawn)
    assert metrics["bits"].compute() == pytest.approx(math.log2(metrics["perplexity"].compute()), rel=1e-12)
    assert list(NextToken.Config().build().metrics()) == ["perplexity"]


def test_an_impossible_token_makes_it_infinite_and_nothing_seen_nan():
    perplexity = Perplexity()
    assert math.isnan(perplexity.compute())
    perplexity.update(torch.tensor([[[0.0, -math.inf]]]), torch.tensor([[1]]))
    assert perplexity.compute() == math.inf


@pytest.mark.parametrize("per", ["token", "window"])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0, 0.0], dtype=torch.float64)])
def test_the_loss_is_a_mean_over_tokens_or_windows(drawn, per, weights):
    output, target = drawn
    loss = NextToken.Config(per=per).build().loss(output, target, weights)
    each = F.cross_entropy(output.transpose(1, 2), target, reduction="none")  # (B, T)
    given = torch.ones(4, dtype=torch.float64) if weights is None else weights
    count = (target != -100).sum(1) if per == "token" else 1
    assert float(loss.total) == pytest.approx(float((each.sum(1) * given).sum()), rel=1e-12)
    assert float(loss.weight) == pytest.approx(float((count * given).sum()), rel=1e-6)


def test_a_prediction_names_the_likeliest_tokens(drawn):
    output, _ = drawn
    (first, *_) = NextToken.Config(top=2).build().decode(output, Outputs(kind="tokens", names=tuple("abcde"), size=5))
    chances, order = output[0, -1].softmax(-1).sort(descending=True)
    assert list(first["next"]) == ["abcde"[place] for place in order[:2]]
    assert list(first["next"].values()) == pytest.approx(chances[:2].tolist())


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match=r"answers \(2, 3\) \(texts, places, tokens\)"):
        NextToken.Config().build().loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
