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


def _written(x):
    cell = torch.zeros(1, device=x.device)
    cell[0] = x.abs().max()
    return cell


def _written_view(x):
    cells = torch.zeros(2, device=x.device)
    first = cells[:1]
    first.copy_(x.abs().max()[None])
    return cells[0]


CHOICES = {
    "an if on the inputs": ("__bool__", lambda net, x, h: net.b(h) if x.abs().max() < 50 else h),
    "an if on a layer": ("__bool__", lambda net, x, h: (net.b if h.mean() < 5 else net.d)(h)),
    "a number of the inputs": ("item", lambda net, x, h: net.b(h) if x.sum().item() < 50 else h),
    "a scale": ("__float__", lambda net, x, h: net.b(h) * float(x.abs().max())),
    "a list": ("tolist", lambda net, x, h: net.b(h) if x[0].tolist()[0] < 50 else h),
    "an array": ("numpy", lambda net, x, h: net.b(torch.from_numpy(h.numpy()))),
    "a comparison": ("allclose", lambda net, x, h: net.b(h) if torch.allclose(x, x * 2) else net.d(h)),
    "a count": ("__int__", lambda net, x, h: net.b(h) if int((x.abs() > 50).sum()) == 0 else h),
    "a cast": ("__int__", lambda net, x, h: net.b(h) if int(x.abs().max().long()) < 50 else h),
    "a place": ("__bool__", lambda net, x, h: (net.b if (h.argmax(1) == 0).all() else net.d)(h)),
    "a written cell": ("__bool__", lambda net, x, h: net.b(h) if _written(x) < 50 else h),
    "a view that is written": ("__bool__", lambda net, x, h: net.b(h) if _written_view(x) < 50 else h),
    "an angle": ("__bool__", lambda net, x, h: net.b(h) if torch.fft.rfft(x).abs().max() < 500 else h),
    "a mask": ("__getitem__", lambda net, x, h: net.b(h) if len(x[x.abs() > 50]) == 0 else h),
    "places": ("nonzero", lambda net, x, h: net.b(h) if len((x.abs() > 50).nonzero()) == 0 else h),
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
            return self.c(self.b(x).relu().sum(1))

    tokens = torch.randint(1, 20, (4, 6), generator=torch.Generator().manual_seed(0))
    tokens[:2, 4:] = 0
    pruned, _ = prune(Reads().double(), tokens, ratio=0.5, scope="local")
    assert pruned.b.weight.shape == (8, 8)


def test_forms_and_places_of_inputs_are_no_numbers_of_theirs():
    class Forms(_Choosing):
        def __init__(self):
            super().__init__(lambda net, x, h: net.d(net.b(h)))

        def forward(self, x):
            assert float(torch.ones_like(x)[0, 0]) == 1
            assert x.new_tensor(2.0) < 3
            assert float(torch.tensor(2.0).type_as(x)) == 2
            return super().forward(x)

    pruned, _ = prune(
        Forms().double(), torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).double(), ratio=0.5
    )
    assert len(pruned.b.weight) < 16


MASKS = {
    "of the input's type": lambda x: nn.Transformer.generate_square_subsequent_mask(5).type_as(x),
    "moved": lambda x: nn.Transformer.generate_square_subsequent_mask(5).to(x),
    "made of the input's form": lambda x: torch.triu(x.new_full((5, 5), -torch.inf), 1),
}


@pytest.mark.parametrize("name", [*MASKS, "truths that come in", "numbers that come in"])
def test_torchs_own_modules_may_look_at_a_mask(name):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
            self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

        def forward(self, x, mask=None):
            mask = MASKS[name](x) if mask is None else mask[0]
            return self.head(self.encoder(x, mask=mask).mean(1))

    torch.manual_seed(0)
    causal = nn.Transformer.generate_square_subsequent_mask(5).expand(2, -1, -1)
    x = torch.randn(2, 5, 16)
    example = x if name in MASKS else (x, causal < 0 if name.startswith("truths") else causal)
    pruned, _ = prune(Masked(), example, ratio=0.5, scope="local")
    assert pruned.encoder.layers[0].linear1.weight.shape[0] == 16
