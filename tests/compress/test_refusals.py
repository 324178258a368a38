"""What surgery cannot do it says in one line, and names the place and the cause."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.utils.prune
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
        (lambda h: h + h.sigmoid().sum(1, keepdim=True), "those of torch.Tensor.sum in Called"),  # sigmoid(0) = 1/2
        (lambda h: h.softmax(1), "those of torch.Tensor.softmax in Called"),
    ],
)
def test_what_holds_all_channels_is_named(between, named):
    with pytest.raises(UnsupportedError, match=f"no channel of this network can be cut.*; the first .* {named}"):
        prune(Called(between), X, ratio=0.5)


def test_nothing_is_named_where_nothing_but_the_output_holds_channels():
    with pytest.raises(UnsupportedError, match=r"protected or mixed$"):
        prune(nn.Linear(12, 2), X, ratio=0.5)
    with pytest.raises(UnsupportedError, match=r"protected or mixed$"):
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


def lines(middle):
    return nn.Sequential(nn.Linear(12, 8), middle, nn.Linear(8, 2))


def pruned(layer):
    torch.nn.utils.prune.l1_unstructured(layer, "weight", 0.5)
    return layer


class Cached(nn.Linear):
    def forward(self, x):
        self.seen = super().forward(x)
        return self.seen


class Mapped(nn.Linear):
    def forward(self, x):
        return torch.vmap(super().forward)(x)


def called(net):
    net(X)
    return net


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: lines(torch.jit.script(nn.Linear(8, 8))), r"1 \(RecursiveScriptModule\) is compiled"),
        (lambda: torch.jit.trace(lines(nn.ReLU()), X), r"the network \(TopLevelTracedModule\) is compiled"),
        (lambda: lines(nn.LazyLinear(8)), r"1 \(LazyLinear\) has no shapes yet"),
        (lambda: lines(nn.LazyBatchNorm1d()), r"1 \(LazyBatchNorm1d\) has no shapes yet"),
        (lambda: lines(pruned(nn.Linear(8, 8))), r"1 \(Linear\) keeps a tensor that is computed.*utils\.prune"),
        (lambda: called(lines(Cached(8, 8))), r"1 \(Cached\) keeps a tensor that is computed.*detach"),
        (lambda: lines(Mapped(8, 8)), r"cannot pass torch\.vmap .* in 1;"),
    ],
)
def test_a_module_that_cannot_be_looked_into_is_named(make, named):
    with pytest.raises(UnsupportedError, match=named) as refusal:
        prune(make(), X, ratio=0.5)
    assert "\n" not in str(refusal.value)


class Masked(nn.Module):
    """A mask made by vmap out of numbers alone is no obstacle."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(12, 8), nn.Linear(8, 2)

    def forward(self, x):
        mask = torch.vmap(lambda place: place % 2 == 0)(torch.arange(len(x)))
        return self.last(self.first(x).relu() * mask[:, None])


def test_a_constant_made_by_vmap_is_no_obstacle():
    small, _ = prune(Masked(), X, ratio=0.5)
    assert small.first.out_features == 4


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_the_old_weight_norm_is_refused_and_can_be_made_permanent():
    net = lines(torch.nn.utils.weight_norm(nn.Linear(8, 8)))
    with pytest.raises(UnsupportedError, match=r"1 \(Linear\) keeps a tensor that is computed.*weight_norm"):
        prune(net, X, ratio=0.5)
    torch.nn.utils.remove_weight_norm(net[1])
    small, _ = prune(net, X, ratio=0.5, scope="local")
    assert small[1].weight.shape == (4, 4)


@pytest.mark.parametrize(
    ("example", "named"),
    [(torch.randn(2, 5), "at 0: mat1 and mat2 shapes cannot be multiplied"), ([X], "at 0: linear.*not list")],
)
def test_an_example_that_the_network_does_not_take_is_refused(example, named):
    with pytest.raises(UnsupportedError, match=f"on its example {named}"):
        prune(lines(nn.ReLU()), example, ratio=0.5)
