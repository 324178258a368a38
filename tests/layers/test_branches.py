import torch
from torch import nn

from netsmith.layers.branches import Branches, conv_unit, stacked


def test_branches_lie_behind_each_other_in_order():
    x = torch.tensor([[1.0, -2.0]])
    shared = nn.ReLU()
    both = Branches({"b": nn.Identity(), "a": shared, "c": shared})
    assert [name for name, _ in both.named_children()] == ["b", "a"]  # as torch lists a module that has two names
    assert both(x).tolist() == [[1, -2, 1, 0, 1, 0]]


def test_a_unit_has_a_bias_or_a_normalization():
    plain, normed = conv_unit(2, 3, (1, 7), batch_norm=False), conv_unit(2, 3, (7, 1))
    assert [name for name, _ in plain.named_parameters()] == ["conv.weight", "conv.bias"]
    assert [name for name, _ in normed.named_parameters()] == ["conv.weight", "norm.weight", "norm.bias"]
    assert normed.norm.eps == 1e-3
    x = torch.randn(2, 2, 9, 8)
    assert plain(x).shape == normed(x).shape == (2, 3, 9, 8)
    assert conv_unit(2, 3, 3, stride=2, padded=False)(x).shape == (2, 3, 4, 3)
    assert conv_unit(2, 3, 3, stride=2)(x).shape == (2, 3, 5, 4)
    assert float(plain(x).detach().min()) == float(normed(x).detach().min()) == 0


def test_modules_are_stacked_row_by_row():
    layers, width = stacked(lambda width, row: (nn.Linear(width, row), row), 3, [4, 2])
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(3, 4), (4, 2)]
    assert width == 2
    assert stacked(lambda width, row: (nn.Identity(), row), 3, [])[1] == 3
