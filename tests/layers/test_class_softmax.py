"""The factored softmax: a distribution, the plain softmax where there is one class, and the same loss without all."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.layers.class_softmax import ClassSoftmax, equal_shares


def built(sizes):
    torch.manual_seed(0)
    return ClassSoftmax(6, sizes).double(), torch.randn(40, 6, dtype=torch.float64)


@pytest.mark.parametrize("sizes", [[1, 2, 3, 5], [11], [1] * 11])
def test_probabilities_sum_to_one_and_are_the_products(sizes):
    layer, states = built(sizes)
    found = layer(states)
    torch.testing.assert_close(found.exp().sum(1), torch.ones(40, dtype=torch.float64), rtol=1e-12, atol=0)
    classes, tokens = layer.of_class(states).softmax(1), layer.of_token(states)
    edges = [0, *itertools.accumulate(sizes)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        wanted = classes[:, number, None] * tokens[:, start:stop].softmax(1)
        torch.testing.assert_close(found[:, start:stop].exp(), wanted, rtol=1e-12, atol=0)


def test_one_class_is_the_plain_softmax():
    layer, states = built([11])
    torch.testing.assert_close(layer(states), layer.of_token(states).log_softmax(1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("sizes", [[1, 2, 3, 5], [11]])
def test_the_loss_of_single_tokens_and_its_gradient_are_those_of_all(sizes):
    layer, states = built(sizes)
    tokens = torch.randint(0, 11, (40,), generator=torch.Generator().manual_seed(1))
    ours, theirs = layer.nats(states, tokens), F.nll_loss(layer(states), tokens, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    parameters = list(layer.parameters())
    for a, b in zip(
        torch.autograd.grad(ours.sum(), parameters), torch.autograd.grad(theirs.sum(), parameters), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("tokens", "classes"), [(10_001, 100), (31, 5), (7, 7), (5, 1), (12, 11)])
def test_shares_are_all_of_the_tokens_and_nearly_equal(tokens, classes):
    sizes = equal_shares(tokens, classes)
    assert (len(sizes), sum(sizes), min(sizes) >= 1) == (classes, tokens, True)
    if tokens > 10 * classes:
        weights = (1 / torch.arange(1, tokens + 1, dtype=torch.float64)).split(sizes)
        many = [float(part.sum()) for part in weights if len(part) > 20]
        assert max(many) < 1.25 * min(many)


def test_more_classes_than_tokens_are_refused():
    with pytest.raises(ConfigError, match="classes=4: expected 1 to 3"):
        equal_shares(3, 4)
