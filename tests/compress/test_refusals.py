"""What surgery cannot do it says in one line, and names the place and the cause."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError

X = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))


def test_what_goes_from_an_attention_is_one_of_two():
    with pytest.raises(UnsupportedError, match="heads must be whole or width, got 'x'"):
        prune(nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 2)), X, ratio=0.5, heads="x")


class Called(nn.Module):
    """Two layers with an operation between and one behind them."""

    def __init__(self, between=torch.relu, behind=lambda y: y):
        super().__init__()
        self.first, self.last, self.between, self.behind = nn.Linear(12, 8), nn.Linear(8, 2), between, behind

    def forward(self, x):
        return self.behind(self.last(self.between(self.first(x))))


@pytest.mark.parametrize(
    ("between", "named"),
    [
        (lambda h: h / h.std(1, keepdim=True), "those of torch.Tensor.std in Called"),
        (torch.sigmoid, "those of torch.nn.functional.linear in last"),  # of a channel that is zero it is not
        (lambda h: h.softmax(1), "those of torch.Tensor.softmax in Called"),
    ],
)
def test_what_holds_all_channels_is_named(between, named):
    with pytest.raises(UnsupportedError, match=f"no channel of this network can be cut.*; the first .* {named}"):
        prune(Called(between), X, ratio=0.5)


def test_nothing_is_named_where_nothing_but_the_output_holds_channels():
    with pytest.raises(UnsupportedError, match="protected or mixed$"):
        prune(nn.Linear(12, 2), X, ratio=0.5)
    with pytest.raises(UnsupportedError, match="protected or mixed$"):
        prune(Called(), X, ratio=0.5, protect=["first"])


@dataclass
class Output:
    logits: torch.Tensor


@pytest.mark.parametrize("behind", [Output, lambda y: (y, Output(y))])
def test_an_output_whose_tensors_are_not_found_is_refused(behind):
    with pytest.raises(UnsupportedError, match="no tensors are found in the Output"):
        prune(Called(behind=behind), X, ratio=0.5)


def test_a_network_that_returns_nothing_is_refused():
    with pytest.raises(UnsupportedError, match="no tensors are found in the NoneType"):
        prune(Called(behind=lambda _: None), X, ratio=0.5)
