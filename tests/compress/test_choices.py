"""Code that reads numbers computed from its inputs: refused by surgery, since it sees one way of a choice only."""

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import UnsupportedError
from netsmith.layers.decided import decided


class _Choosing(nn.Module):
    """Three linear layers; the middle one is passed by, exchanged or scaled as a function of numbers says."""

    def __init__(self, way):
        super().__init__()
        self.a, self.b, self.c, self.d = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3), nn.Linear(16, 16)
        self.way = way

    def forward(self, x):
        return self.c(self.way(self, x, self.a(x).relu()))


CHOICES = {
    "an if on the inputs": ("__bool__", lambda net, x, h: net.b(h) if x.abs().max() < 50 else h),
    "an if on a layer": ("__bool__", lambda net, x, h: (net.b if h.mean() < 5 else net.d)(h)),
    "a number of the inputs": ("item", lambda net, x, h: net.b(h) if x.sum().item() < 50 else h),
    "a scale": ("__float__", lambda net, x, h: net.b(h) * float(x.abs().max())),
    "a list": ("tolist", lambda net, x, h: net.b(h) if x[0].tolist()[0] < 50 else h),
    "an array": ("numpy", lambda net, x, h: net.b(torch.from_numpy(h.numpy()))),
    "a comparison": ("allclose", lambda net, x, h: net.b(h) if torch.allclose(x, x * 2) else net.d(h)),
    "a loop": ("__bool__", lambda net, x, h: next(g for g in (net.b(h), net.d(h)) if g.abs().sum() >= 0)),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_by_numbers_is_refused_by_name(name):
    function, way = CHOICES[name]
    module, example = _Choosing(way), torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(UnsupportedError, match=rf"cannot follow torch\.(Tensor\.)?{function} in _Choosing: code reads"):
        prune(module, example, ratio=0.5, scope="local")
    assert [tuple(layer.weight.shape) for layer in module.children()] == [(16, 8), (16, 16), (3, 16), (16, 16)]


def test_a_choice_that_is_declared_harmless_is_passed():
    def checked(net, x, h):
        if decided(x.isnan().any()):
            raise ValueError("not finite")
        return net.d(net.b(h))

    module, example = (
        _Choosing(checked).double(),
        torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).double(),
    )
    pruned, _ = prune(module, example, ratio=0.5, scope="local")
    assert pruned.b.weight.shape == (8, 8)
    with pytest.raises(ValueError, match="not finite"):
        pruned(example * torch.nan)


def test_lengths_masks_shapes_and_weights_may_be_read():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.b, self.c = nn.Embedding(20, 16), nn.Linear(16, 16), nn.Linear(16, 3)
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, tokens):
            mask = tokens > 0
            longest = int(mask.sum(1).max())
            share = float(mask.float().mean())
            x = self.embedding(tokens[:, :longest]) * float(self.scale.detach())
            if not mask.all() and share < 1:
                x = x * mask[:, :longest, None]
            answers = self.c(self.b(x).relu().sum(1))
            return answers if max(answers.argmax(1).tolist()) < 3 else None  # whole numbers again

    tokens = torch.randint(1, 20, (4, 6), generator=torch.Generator().manual_seed(0))
    tokens[:2, 4:] = 0
    pruned, _ = prune(Reads().double(), tokens, ratio=0.5, scope="local")
    assert pruned.b.weight.shape == (8, 8)
