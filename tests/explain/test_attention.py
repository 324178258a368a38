"""Attention maps against weights computed by hand, whatever computes them; rollout against its recursion."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain.attention import attention_maps, attention_rollout, conv_attention_maps
from netsmith.layers.conv_attention import ConvAttention
from netsmith.models.text.transformer_encoder import TransformerEncoder


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().double().eval()


def words(batch=2, length=5, size=8):
    return torch.randn(batch, length, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(query, key, heads, mask=None):
    """Loops over heads: softmax(q k / sqrt d)."""
    size = query.shape[-1] // heads
    found = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(size)
        found.append((scores if mask is None else scores.masked_fill(mask, -torch.inf)).softmax(-1))
    return torch.stack(found, 1)


class Fused(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)
        self.causal = causal

    def forward(self, x):
        query, key = (part(x).unflatten(-1, (2, 4)).transpose(1, 2) for part in (self.query, self.key))
        return F.scaled_dot_product_attention(query, key, key, is_causal=self.causal).sum(1)


@pytest.mark.parametrize("causal", [False, True])
def test_what_the_fused_kernel_hides(causal):
    module, x = seeded(lambda: Fused(causal)), words()
    before = module(x)
    found = attention_maps(module, x)
    assert list(found) == [""]
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    wanted = by_hand(module.query(x), module.key(x), 2, mask)
    assert (found[""] - wanted).abs().max() < 1e-15
    key = module.key(x).unflatten(-1, (2, 4)).transpose(1, 2)
    assert ((found[""] @ key).sum(1) - before).abs().max() < 1e-14  # they are the weights that were applied


class Multi(nn.Module):
    def __init__(self, need):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.need = need
        self.got = None

    def forward(self, x):
        for _ in range(2):
            x, self.got = self.attention(x, x, x, need_weights=self.need)
        return x


@pytest.mark.parametrize("need", [False, True])
def test_multihead_attention(need):
    module, x = seeded(lambda: Multi(need)), words()
    before = module(x)
    modes, fast = [part.training for part in module.modules()], torch.backends.mha.get_fastpath_enabled()
    found = attention_maps(module, x)
    assert list(found) == ["attention", "attention#2"]
    query, key, _ = F.linear(x, module.attention.in_proj_weight, module.attention.in_proj_bias).chunk(3, -1)
    assert (found["attention"] - by_hand(query, key, 2)).abs().max() < 1e-15
    assert (module.got is not None) == need  # what the module sees of the weights is as it asked
    if need:
        assert (module.got - found["attention#2"].mean(1)).abs().max() < 1e-15
    assert torch.equal(module(x), before)
    assert torch.backends.mha.get_fastpath_enabled() == fast
    assert [part.training for part in module.modules()] == modes
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


class Hides(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mask = torch.zeros(5, 5, dtype=torch.bool)

    def forward(self, x):
        return torch.nan_to_num(self.attention(x, x, x, attn_mask=self.mask)[0])


def test_a_place_that_may_look_nowhere_has_a_row_of_zeros():
    module, x = seeded(Hides), words()
    plain = attention_maps(module, x)["attention"]
    module.mask[1] = True
    found = attention_maps(module, x)["attention"]
    assert (found[:, :, 1] == 0).all()
    others = [0, 2, 3, 4]
    assert torch.equal(found[:, :, others], plain[:, :, others])
    rolled = attention_rollout([found])
    assert torch.equal(rolled[:, 1], torch.eye(5, dtype=x.dtype)[1].expand(2, -1))  # it holds itself alone
    assert (rolled.sum(2) - 1).abs().max() < 1e-15


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_torch_transformer_encoder_with_padding():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module, x = seeded(lambda: nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)), words()
    for parameter in module.parameters():
        parameter.requires_grad_(False)  # the fast path of torch would now be taken
    found = attention_maps(module, x)
    assert list(found) == ["layers.0.self_attn", "layers.1.self_attn"]
    part = module.layers[0].self_attn
    query, key, _ = F.linear(x, part.in_proj_weight, part.in_proj_bias).chunk(3, -1)
    assert (found["layers.0.self_attn"] - by_hand(query, key, 2)).abs().max() < 1e-15


def encoder():
    config = TransformerEncoder.Config(
        size=8, num_layers=2, num_heads=2, feedforward_size=12, vocab_size=11, max_length=6, num_classes=3
    )
    return seeded(config.build)


def test_the_encoder_of_texts_and_rollout_by_hand():
    module = encoder()
    tokens = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 2, 1, 0, 0, 0]])
    found = attention_maps(module, tokens)
    assert list(found) == ["layers.0.attention", "layers.1.attention"]
    states = module.embedding(tokens) * module.scale + module.positions
    layer = module.layers[0]
    states = layer.attention_norm(states)
    padding = (tokens == 0)[:, None]
    wanted = by_hand(layer.attention.query(states), layer.attention.key(states), 2, padding)
    assert (found["layers.0.attention"] - wanted).abs().max() < 1e-15
    assert (found["layers.1.attention"][1, :, :, 3:] == 0).all()  # no word sees padding
    rolled = attention_rollout(found)
    first, second = (one.mean(1) for one in found.values())
    for row in range(2):
        a = torch.zeros(6, 6, dtype=torch.float64)
        for i in range(6):
            for j in range(6):
                for k in range(6):
                    a[i, j] += 0.25 * (second[row, i, k] + (i == k)) * (first[row, k, j] + (k == j))
        assert (rolled[row] - a).abs().max() < 1e-15
    assert (rolled.sum(2) - 1).abs().max() < 1e-14
    assert (attention_rollout(list(found.values()), residual=0.0) - second @ first).abs().max() < 1e-15


def test_convolution_as_attention():
    convolution = nn.Conv2d(2, 3, 3, padding=1).double()
    module = nn.Sequential(ConvAttention.from_convolution(convolution))
    found = conv_attention_maps(module, size=(4, 5))
    assert list(found) == ["0"]
    assert found["0"].shape == (9, 4, 5, 6, 7)
    for head in range(9):  # each head looks at one place of the kernel
        down, right = divmod(head, 3)
        assert found["0"][head, 2, 3, 2 + down, 3 + right] > 1 - 1e-12


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnsupportedError, match="Linear runs no attention that can be seen"):
        attention_maps(nn.Linear(8, 2).double(), words())
    with pytest.raises(UnsupportedError, match="no ConvAttention layer"):
        conv_attention_maps(nn.Linear(8, 2), size=(2, 2))
    maps = torch.full((1, 2, 3, 4), 0.25)
    with pytest.raises(UserError, match=r"maps are \(1, 2, 3, 4\); expected self-attention"):
        attention_rollout([maps])
    with pytest.raises(UserError, match="maps are none"):
        attention_rollout({})
    with pytest.raises(UserError, match="residual is 1"):
        attention_rollout([torch.full((1, 2, 3, 3), 1 / 3)], residual=1.0)
