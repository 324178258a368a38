"""Probes that attend: the layers of PyTorch, and attention as people write it."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from compress.probe import Probes, images, integers, numbers

PROBES = Probes()
TOKENS, LONG = numbers(2, 5, 6), numbers(2, 8, 6)
WORDS, MORE = integers(17, 2, 6), integers(17, 2, 8)


class Around(nn.Module):
    """A residual block of attention between an embedding of the tokens and a classifier."""

    def __init__(self, attention, dim=16):
        super().__init__()
        self.inp, self.norm, self.attn = nn.Linear(6, dim), nn.LayerNorm(dim), attention
        self.fc, self.out = nn.Linear(dim, 12), nn.Linear(12, 4)

    def forward(self, x):
        x = self.inp(x)
        x = x + self.attn(self.norm(x))
        return self.out(F.relu(self.fc(x.mean(1))))


# -- PyTorch's layers -------------------------------------------------------------------------------------------------


class Self(nn.Module):
    def __init__(self, dim, heads, **named):
        super().__init__()
        self.mha = nn.MultiheadAttention(dim, heads, **named)

    def forward(self, x):
        if self.mha.batch_first:
            return self.mha(x, x, x, need_weights=False)[0]
        x = x.transpose(0, 1)
        return self.mha(x, x, x)[0].transpose(0, 1)


@PROBES.add("mha_self", "nn.MultiheadAttention", TOKENS, cuts="inp attn.mha fc", longer=LONG)
def mha_self():
    return Around(Self(16, 4, batch_first=True))


@PROBES.add("mha_time_first", "nn.MultiheadAttention", TOKENS, cuts="inp attn.mha fc", longer=LONG)
def mha_time_first():
    return Around(Self(16, 4, bias=False))


@PROBES.add("mha_bias_kv", "nn.MultiheadAttention", TOKENS, cuts="attn.mha", longer=LONG)
def mha_bias_kv():
    return Around(Self(16, 4, add_bias_kv=True, batch_first=True))


@PROBES.add(
    "mha_masked",
    "nn.MultiheadAttention",
    (TOKENS, torch.tensor([[False] * 5, [False] * 3 + [True] * 2])),
    cuts="inp mha",
)
class Masked(nn.Module):
    """A padding mask; the first token is never hidden."""

    def __init__(self):
        super().__init__()
        self.inp, self.mha, self.out = (
            nn.Linear(6, 12),
            nn.MultiheadAttention(12, 3, batch_first=True),
            nn.Linear(12, 4),
        )

    def forward(self, x, hidden):
        x = self.inp(x)
        hidden = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, 1:]], dim=1)
        y, _ = self.mha(x, x, x, key_padding_mask=hidden)
        return self.out((x + y)[:, 0])


@PROBES.add(
    "mha_cross",
    "nn.MultiheadAttention cross",
    (TOKENS, numbers(2, 7, 9)),
    cuts="inp memory mha",
    longer=(LONG, numbers(2, 3, 9)),
)
class Cross(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.memory, self.mha = (
            nn.Linear(6, 16),
            nn.Linear(9, 16),
            nn.MultiheadAttention(16, 4, batch_first=True),
        )
        self.norm, self.out = nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x, memory):
        x, memory = self.inp(x), self.memory(memory)
        return self.out(self.norm(x + self.mha(x, memory, memory)[0]))


@PROBES.add(
    "mha_kdim_vdim",
    "nn.MultiheadAttention cross, kdim, vdim",
    (TOKENS, numbers(2, 7, 9)),
    cuts="inp keys values mha",
    longer=(LONG, numbers(2, 3, 9)),
)
class KdimVdim(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.keys, self.values = nn.Linear(6, 16), nn.Linear(9, 10), nn.Linear(9, 12)
        self.mha, self.out = nn.MultiheadAttention(16, 4, kdim=10, vdim=12, batch_first=True), nn.Linear(16, 4)

    def forward(self, x, memory):
        x = self.inp(x)
        return self.out(x + self.mha(x, F.relu(self.keys(memory)), F.relu(self.values(memory)), need_weights=False)[0])


class Encoder(nn.Module):
    """A text classifier on PyTorch's encoder."""

    def __init__(self, layers, **named):
        super().__init__()
        self.embed, self.position = nn.Embedding(17, 16), nn.Parameter(torch.randn(1, 10, 16) * 0.1)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **named)
        self.encoder = layer if layers == 0 else nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        x = self.embed(x) + self.position[:, : x.size(1)]
        return self.out(self.encoder(x).mean(dim=1))


@PROBES.add(
    "encoder_post",
    "nn.TransformerEncoderLayer",
    WORDS,
    cuts="embed encoder.self_attn encoder.linear1 encoder.norm1",
    longer=MORE,
)
def encoder_post():
    return Encoder(0)


class Sines(nn.Module):
    """Sines as positions, in a buffer, a mask of floats beside them."""

    def __init__(self):
        super().__init__()
        place, wave = torch.arange(12.0)[:, None], torch.exp(-torch.arange(0, 16, 2) * 0.5)
        self.embed = nn.Embedding(17, 16)
        self.register_buffer("sines", torch.stack([(place * wave).sin(), (place * wave).cos()], dim=-1).flatten(1))
        self.register_buffer("hidden", torch.full((12, 12), -1e9).triu(1), persistent=False)
        self.query, self.key, self.value = (nn.Linear(16, 16) for _ in range(3))
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        length = x.size(1)
        x = self.embed(x) * 4.0 + self.sines[:length]
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 4.0 + self.hidden[:length, :length]
        return self.out(x + scores.softmax(-1) @ self.value(x))


@PROBES.add(
    "position_buffer", "sines as positions and a mask, in buffers", WORDS, cuts="embed query value", longer=MORE
)
def position_buffer():
    return Sines()


@PROBES.add(
    "encoder_pre",
    "nn.TransformerEncoderLayer norm_first",
    WORDS,
    cuts="embed encoder.self_attn encoder.linear1 encoder.norm2",
    longer=MORE,
)
def encoder_pre():
    return Encoder(0, norm_first=True, activation="gelu")


@PROBES.add(
    "encoder_stack",
    "nn.TransformerEncoderLayer",
    WORDS,
    cuts="embed encoder.layers.0.self_attn encoder.layers.1.linear1",
    longer=MORE,
)
def encoder_stack():
    return Encoder(2, dropout=0.0)


@PROBES.add(
    "decoder_layer",
    "nn.MultiheadAttention cross",
    (TOKENS, numbers(2, 7, 6)),
    cuts="inp decoder.self_attn decoder.multihead_attn decoder.linear1",
    longer=(LONG, TOKENS),
)
class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.memory, self.out = nn.Linear(6, 16), nn.Linear(6, 16), nn.Linear(16, 4)
        self.decoder = nn.TransformerDecoderLayer(16, 4, 24, batch_first=True)

    def forward(self, x, memory):
        return self.out(self.decoder(self.inp(x), self.memory(memory)))


# -- attention as people write it -------------------------------------------------------------------------------------


@PROBES.add("hand_separate", "attention by hand", TOKENS, cuts="inp norm attn.q attn.v attn.o", longer=LONG)
def hand_separate():
    class Attention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.h, self.d = heads, dim // heads
            self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

        def forward(self, x):
            b, n, _ = x.shape
            q = self.q(x).view(b, n, self.h, self.d).transpose(1, 2)
            k = self.k(x).view(b, n, self.h, self.d).transpose(1, 2)
            v = self.v(x).view(b, n, self.h, self.d).transpose(1, 2)
            score = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(self.d)
            y = torch.matmul(F.softmax(score, dim=-1), v)
            return self.o(y.transpose(1, 2).contiguous().view(b, n, self.h * self.d))

    return Around(Attention(16, 4))


@PROBES.add("hand_timm", "attention by hand, fused", TOKENS, cuts="inp norm attn.qkv attn.proj", longer=LONG)
def hand_timm():
    class Attention(nn.Module):
        def __init__(self, dim, num_heads):
            super().__init__()
            self.num_heads, self.head_dim = num_heads, dim // num_heads
            self.scale = self.head_dim**-0.5
            self.qkv, self.proj = nn.Linear(dim, dim * 3, bias=False), nn.Linear(dim, dim)

        def forward(self, x):
            b, n, _ = x.shape
            qkv = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
            q, k, v = qkv.unbind(0)
            attn = ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1)
            x = (attn @ v).transpose(1, 2).reshape(b, n, self.num_heads * self.head_dim)
            return self.proj(x)

    return Around(Attention(16, 4))


@PROBES.add("hand_vit_timm", "attention by hand, fused", TOKENS, cuts="attn.qkv attn.proj", longer=LONG)
def hand_vit_timm():
    """The older timm: the heads' width is what the input's width divides into, so width and heads go together."""

    class Attention(nn.Module):
        def __init__(self, dim, num_heads):
            super().__init__()
            self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
            self.qkv, self.proj = nn.Linear(dim, dim * 3), nn.Linear(dim, dim)

        def forward(self, x):
            B, N, C = x.shape
            qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, C // self.num_heads).permute(2, 0, 3, 1, 4)
            q, k, v = qkv[0], qkv[1], qkv[2]
            attn = (q @ k.transpose(-2, -1)) * self.scale
            attn = attn.softmax(dim=-1)
            return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))

    return Around(Attention(16, 4))


@PROBES.add(
    "hand_sdpa", "attention by hand, sdpa", TOKENS, cuts="inp norm attn.to_q attn.to_kv attn.to_out", longer=LONG
)
def hand_sdpa():
    class Attention(nn.Module):
        def __init__(self, dim, heads, head_dim):
            super().__init__()
            self.heads, self.head_dim = heads, head_dim
            self.to_q, self.to_kv = nn.Linear(dim, heads * head_dim, bias=False), nn.Linear(dim, 2 * heads * head_dim)
            self.to_out = nn.Linear(heads * head_dim, dim)

        def forward(self, x):
            b, n, _ = x.shape
            k, v = self.to_kv(x).chunk(2, dim=-1)
            q, k, v = (t.reshape(b, n, self.heads, -1).transpose(1, 2) for t in (self.to_q(x), k, v))
            y = F.scaled_dot_product_attention(q, k, v)
            return self.to_out(y.transpose(1, 2).reshape(b, n, -1))

    return Around(Attention(16, 4, 6))


@PROBES.add("hand_einsum", "attention by hand, einsum", TOKENS, cuts="attn.to_qkv attn.to_out", longer=LONG)
def hand_einsum():
    class Attention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.scale = heads, (dim // heads) ** -0.5
            self.to_qkv, self.to_out = nn.Linear(dim, dim * 3, bias=False), nn.Linear(dim, dim)

        def forward(self, x):
            q, k, v = (t.unflatten(-1, (self.heads, -1)).permute(0, 2, 1, 3) for t in self.to_qkv(x).chunk(3, dim=-1))
            attn = (torch.einsum("bhid,bhjd->bhij", q, k) * self.scale).softmax(dim=-1)
            return self.to_out(torch.einsum("bhij,bhjd->bhid", attn, v).permute(0, 2, 1, 3).flatten(2))

    return Around(Attention(16, 4))


@PROBES.add("hand_unflatten", "attention by hand, masked", WORDS, cuts="attn.value attn.out", longer=MORE)
class HandUnflatten(nn.Module):
    """Heads by unflatten from the end, as many as half their width; padding is seen by no word and not counted."""

    class Attention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.scale = heads, (dim // heads) ** -0.5
            self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

        def forward(self, x, hidden):
            q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
            attn = (q @ k.transpose(-2, -1) * self.scale).masked_fill(hidden[:, None, None], -1e30).softmax(-1)
            return self.out((attn @ v).transpose(1, 2).flatten(2))

    def __init__(self):
        super().__init__()
        self.embed, self.attn, self.out = nn.Embedding(17, 32, padding_idx=0), self.Attention(32, 4), nn.Linear(32, 4)

    def forward(self, x):
        hidden = x == 0
        words = self.embed(x)
        words = words + self.attn(words, hidden)
        valid = (~hidden)[..., None].to(words.dtype)
        return self.out((words * valid).sum(1) / valid.sum(1).clamp(min=1))


@PROBES.add("single_head", "attention by hand, width", TOKENS, cuts="inp query key value out", longer=LONG)
class SingleHead(nn.Module):
    """One head and a stored scale: the width of the queries and keys, and of the values, can go."""

    def __init__(self):
        super().__init__()
        self.inp, self.query, self.key, self.value = (
            nn.Linear(6, 12),
            nn.Linear(12, 8),
            nn.Linear(12, 8),
            nn.Linear(12, 10),
        )
        self.scale, self.out, self.last = 8**-0.5, nn.Linear(10, 12), nn.Linear(12, 3)

    def forward(self, x):
        x = self.inp(x)
        score = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2) * self.scale, dim=-1)
        return self.last(x + self.out(score @ self.value(x)))


@PROBES.add("non_local", "attention by hand, width", images(), cuts="stem theta phi g w", longer=images(2, 3, 12, 8))
class NonLocal(nn.Module):
    """Attention between the pixels, without a scale."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.theta, self.phi, self.g, self.w = (
            nn.Conv2d(12, 6, 1),
            nn.Conv2d(12, 6, 1),
            nn.Conv2d(12, 6, 1),
            nn.Conv2d(6, 12, 1),
        )
        self.out = nn.Linear(12, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        b, _, h, w = x.shape
        theta, phi, g = self.theta(x).flatten(2).transpose(1, 2), self.phi(x).flatten(2), self.g(x).flatten(2)
        y = torch.softmax(theta @ phi, dim=-1) @ g.transpose(1, 2)  # (B, HW, 6)
        y = y.transpose(1, 2).reshape(b, -1, h, w)
        return self.out((x + self.w(y)).mean((2, 3)))


@PROBES.add(
    "gpt",
    "attention by hand, fused; tied embedding",
    WORDS,
    cuts="wte wpe blocks.0.ln1 blocks.0.c_attn blocks.1.fc blocks.1.c_proj",
    longer=MORE,
)
class Gpt(nn.Module):
    """nanoGPT: fused qkv split by a stored width, a mask buffer, tied weights."""

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.n_head, self.n_embd = heads, width
            self.ln1, self.c_attn, self.c_proj = (
                nn.LayerNorm(width),
                nn.Linear(width, 3 * width),
                nn.Linear(width, width),
            )
            self.ln2, self.fc, self.proj = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
            self.register_buffer("mask", torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8))

        def attend(self, x):
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
            k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
            att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            att = att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
            y = F.softmax(att, dim=-1) @ v
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

        def forward(self, x):
            x = x + self.attend(self.ln1(x))
            return x + self.proj(F.gelu(self.fc(self.ln2(x))))

    def __init__(self):
        super().__init__()
        self.wte, self.wpe, self.ln_f = nn.Embedding(17, 16), nn.Embedding(8, 16), nn.LayerNorm(16)
        self.blocks, self.lm_head = nn.ModuleList(self.Block(16, 4) for _ in range(2)), nn.Linear(16, 17, bias=False)
        self.wte.weight = self.lm_head.weight

    def forward(self, idx):
        pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device)
        x = self.wte(idx) + self.wpe(pos)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))


@PROBES.add(
    "llama",
    "RMSNorm, attention by hand, SwiGLU",
    WORDS,
    cuts="embed layers.0.norm1 layers.0.wq layers.0.wo layers.1.gate layers.1.down norm",
    longer=MORE,
)
class Llama(nn.Module):
    """RMSNorm, rotary positions within heads, SwiGLU."""

    class Layer(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.width = heads, dim // heads
            self.norm1, self.norm2 = nn.RMSNorm(dim), nn.RMSNorm(dim, eps=1e-6)
            self.wq, self.wo = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
            self.wk, self.wv = (nn.Linear(dim, dim, bias=False) for _ in range(2))
            self.gate, self.up, self.down = (
                nn.Linear(dim, 24, bias=False),
                nn.Linear(dim, 24, bias=False),
                nn.Linear(24, dim),
            )

        def turn(self, x):
            half = self.width // 2
            angle = torch.arange(x.shape[1], device=x.device)[:, None] * 0.1 ** torch.arange(half, device=x.device)
            cos, sin = angle.cos()[:, None].to(x.dtype), angle.sin()[:, None].to(x.dtype)  # (T, 1, half)
            a, b = x.chunk(2, dim=-1)
            return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)

        def forward(self, x):
            b, t, _ = x.shape
            y = self.norm1(x)
            q = self.turn(self.wq(y).view(b, t, self.heads, self.width)).transpose(1, 2)
            k = self.turn(self.wk(y).view(b, t, self.heads, self.width)).transpose(1, 2)
            v = self.wv(y).view(b, t, self.heads, self.width).transpose(1, 2)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.wo(y.transpose(1, 2).reshape(b, t, self.heads * self.width))
            y = self.norm2(x)
            return x + self.down(F.silu(self.gate(y)) * self.up(y))

    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.out = nn.Embedding(17, 16), nn.RMSNorm(16), nn.Linear(16, 17, bias=False)
        self.layers = nn.ModuleList(self.Layer(16, 4) for _ in range(2))

    def forward(self, x):
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x))


@PROBES.add("rms_by_hand", "RMSNorm", TOKENS, cuts="up down", longer=LONG)
class RmsByHand(nn.Module):
    """The normalization written out; the mean over channels holds the stream, the hidden layer can go."""

    def __init__(self):
        super().__init__()
        self.inp, self.scale, self.out = nn.Linear(6, 12), nn.Parameter(torch.ones(12)), nn.Linear(12, 4)
        self.up, self.down = nn.Linear(12, 32), nn.Linear(16, 12)

    def forward(self, x):
        x = self.inp(x)
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale
        value, gate = self.up(y).chunk(2, dim=-1)
        return self.out(x + self.down(value * F.gelu(gate)))


@PROBES.add("rms_norm", "RMSNorm", TOKENS, cuts="inp norm up", longer=LONG)
class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.norm, self.up, self.out = nn.Linear(6, 12), nn.RMSNorm(12), nn.Linear(12, 10), nn.Linear(10, 4)

    def forward(self, x):
        return self.out(torch.tanh(self.up(self.norm(self.inp(x)))))


@PROBES.add("layer_norm", "LayerNorm last axis", TOKENS, cuts="0 1 3", longer=LONG)
def layer_norm():
    return nn.Sequential(
        nn.Linear(6, 12),
        nn.LayerNorm(12),
        nn.SiLU(),
        nn.Linear(12, 10),
        nn.LayerNorm(10, elementwise_affine=False),
        nn.GELU(),
        nn.Linear(10, 3),
    )


@PROBES.add(
    "vit", "attention by hand, sdpa", images(), cuts="patch blocks.0.norm1 blocks.0.attn.mha blocks.1.mlp.0 norm"
)
class Vit(nn.Module):
    """A vision transformer with a class token and learned positions."""

    class Block(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.norm1, self.attn, self.norm2 = nn.LayerNorm(dim), Self(dim, heads, batch_first=True), nn.LayerNorm(dim)
            self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * dim, dim))
            self.scale1, self.scale2 = nn.Parameter(1e-4 * torch.ones(dim)), nn.Parameter(1e-4 * torch.ones(dim))

        def forward(self, x):
            x = x + self.scale1 * self.attn(self.norm1(x))
            return x + self.scale2 * self.mlp(self.norm2(x))

    def __init__(self):
        super().__init__()
        self.patch, self.norm, self.head = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16), nn.Linear(16, 5)
        self.cls, self.position = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.randn(1, 5, 16) * 0.1)
        self.blocks = nn.Sequential(*(self.Block(16, 4) for _ in range(2)))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


@PROBES.add("perceiver", "attention by hand, sdpa", TOKENS, cuts="inp q kv out", longer=LONG)
class Perceiver(nn.Module):
    """Learned queries read the tokens: cross attention whose queries are a parameter."""

    def __init__(self):
        super().__init__()
        self.heads, self.latent = 4, nn.Parameter(torch.randn(3, 8))
        self.inp, self.q, self.kv, self.out = nn.Linear(6, 12), nn.Linear(8, 16), nn.Linear(12, 32), nn.Linear(16, 8)
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        b = x.shape[0]
        q = self.q(self.latent).expand(b, -1, -1)
        k, v = self.kv(F.gelu(self.inp(x))).chunk(2, dim=-1)
        q, k, v = (t.reshape(b, t.shape[1], self.heads, t.shape[2] // self.heads).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.last(F.relu(self.out(y)).mean(1))
