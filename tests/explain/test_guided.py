"""Guided backpropagation and deconvolution against captum and against the rules written out by hand."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.explain.guided import deconvolution, guided_backprop
from netsmith.explain.saliency import gradient

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    captum = pytest.importorskip("captum.attr")

TARGETS = torch.tensor([2, 0, 1])
REFERENCES = [(guided_backprop, captum.GuidedBackprop), (deconvolution, captum.Deconvolution)]


class Rectified(nn.Module):
    """The same network with its rectifiers as modules, as calls, or in place; one is used twice."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.first = nn.Conv2d(2, 5, 3, padding=1)
        self.second = nn.Conv2d(5, 5, 3, padding=1)
        self.hidden = nn.Linear(5 * 16, 12)
        self.head = nn.Linear(12, 3)
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(3)) if form == "modules" else None

    def rectify(self, x, place):
        if self.relus is not None:
            return self.relus[place](x)
        if self.form == "inplace":
            return F.relu(x, inplace=True) if place else x.relu_()
        return (F.relu, torch.relu, method_relu)[place](x)

    def forward(self, x):
        x = self.rectify(self.first(x), 0)
        before = self.second(x)
        after = self.rectify(before.clone() if self.form != "inplace" else before, 1)
        x = F.max_pool2d(x + after, 2)
        return self.head(self.rectify(self.hidden(x.flatten(1)), 2))


def method_relu(x):
    return x.relu()


def build(form):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Rectified(form).double().eval()


@pytest.mark.filterwarnings("ignore")  # captum's own
@pytest.mark.parametrize(("ours", "reference"), REFERENCES)
def test_against_captum(images, ours, reference):
    modules = build("modules")
    wanted = reference(modules).attribute(images.clone(), target=TARGETS)
    assert wanted.abs().max() > 1e-4
    found = ours(modules, images, TARGETS)
    assert (found - wanted).abs().max() < 1e-14
    assert (found - gradient(modules, images, TARGETS)).abs().max() > 1e-4
    for form in ("calls", "inplace"):  # captum sees no call
        assert (ours(build(form), images, TARGETS) - wanted).abs().max() < 1e-14


def test_the_rules_by_hand():
    module = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False)).double()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, -1.0], [-1.0, -1.0]]))
        module[2].weight.copy_(torch.tensor([[1.0, -5.0, 7.0]]))
    x = torch.tensor([[1.0, 1.0]], dtype=torch.float64)  # hidden 3, 2, -2
    assert gradient(module, x).tolist() == [[1 - 15, 2 + 5]]
    assert guided_backprop(module, x).tolist() == [[1, 2]]  # the second is negative above, the third below
    assert deconvolution(module, x).tolist() == [[1 - 7, 2 - 7]]  # only what comes from above counts


def test_relu6_is_a_rectifier_that_ends():
    module = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU6(), nn.Linear(3, 1, bias=False)).double()
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0], [10.0], [-1.0]]))
        module[2].weight.fill_(1.0)
    x = torch.ones(1, 1, dtype=torch.float64)
    assert guided_backprop(module, x).item() == 1  # the second is above 6
    assert deconvolution(module, x).item() == 10
    functional = nn.Sequential(module[0], Relu6(), module[2])
    assert guided_backprop(functional, x).item() == 1


class Relu6(nn.Module):
    def forward(self, x):
        return F.relu6(x)


def test_where_no_rectifier_runs_the_methods_that_fit_are_named(images):
    module = nn.Sequential(nn.Flatten(), nn.Linear(128, 3), nn.Tanh(), nn.Hardtanh()).double()
    for method in (guided_backprop, deconvolution):
        with pytest.raises(UnsupportedError, match=r"ran none .*; saliency, smooth_grad, .* need none"):
            method(module, images, 0)


def test_after_the_block_rectifiers_are_their_own_again(images):
    module = build("calls")
    before = gradient(module, images, 1)
    with pytest.raises(UnsupportedError):
        guided_backprop(nn.Sequential(module, nn.Unflatten(1, (1, 3))), images, 1)
    assert torch.equal(gradient(module, images, 1), before)
