"""Random networks from the whole list of operations: a stem, some blocks, a change of form now and then, and a head.

Blocks are what people write (a residual block, a gated unit, an encoder layer) with random parts in them, so that the
pieces of the list meet in ways that no probe has.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from compress.probe import build

__all__ = ["random_graph"]

_ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.LeakyReLU, nn.Hardswish, nn.ELU, nn.Mish)
_HIDDEN = (8, 12, 16, 24)  # all of them a multiple of 4: heads, groups and halves


class Nhwc(nn.Module):
    """A layer for channels last, used on an image of channels first."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _act(r: random.Random) -> nn.Module:
    return r.choice(_ACTIVATIONS)()


def _norm2d(r: random.Random, c: int) -> nn.Module:
    return r.choice(
        (
            lambda: nn.BatchNorm2d(c),
            lambda: nn.BatchNorm2d(c),
            lambda: nn.GroupNorm(r.choice([g for g in (1, 2, 4) if c % g == 0]), c),
            lambda: nn.InstanceNorm2d(c, affine=r.random() < 0.5),
            lambda: Nhwc(nn.LayerNorm(c)),
            nn.Identity,
        )
    )()


def _norm(r: random.Random, c: int) -> nn.Module:
    return r.choice((lambda: nn.LayerNorm(c), lambda: nn.LayerNorm(c), lambda: nn.RMSNorm(c)))()


def _conv(r: random.Random, i: int, o: int, k: int = 3) -> nn.Module:
    groups = r.choice([g for g in (1, 1, 1, 2, 4) if i % g == 0 and o % g == 0])
    return nn.Conv2d(i, o, k, padding=k // 2, groups=groups, bias=r.random() < 0.5)


# -- blocks of images: (B, C, H, W) -> (B, C', H, W) ------------------------------------------------------------------


class Plain(nn.Sequential):
    def __init__(self, r, i, o):
        super().__init__(_conv(r, i, o, r.choice((1, 3))), _norm2d(r, o), _act(r))


class Residual(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        mid = r.choice(_HIDDEN)
        self.body = nn.Sequential(Plain(r, i, mid), _conv(r, mid, o), _norm2d(r, o))
        self.short = nn.Conv2d(i, o, 1) if i != o else nn.Identity()
        self.act = _act(r)

    def forward(self, x):
        return self.act(self.body(x) + self.short(x))


class Dense(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        growth, steps = r.choice((4, 8)), r.choice((1, 2, 3))
        self.layers = nn.ModuleList(Plain(r, i + growth * step, growth) for step in range(steps))
        self.last = nn.Conv2d(i + growth * steps, o, 1)

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return self.last(torch.cat(found, 1))


class Branches(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        part = o // 4
        self.a, self.b, self.c = (
            Plain(r, i, 2 * part),
            nn.Sequential(Plain(r, i, 8), Plain(r, 8, part)),
            Plain(r, i, part),
        )

    def forward(self, x):
        return torch.cat((self.a(x), self.b(x), self.c(F.max_pool2d(x, 3, 1, 1))), dim=1)


class Gate(nn.Module):
    """A gated convolution: by chunk, by split, or by GLU."""

    def __init__(self, r, i, o):
        super().__init__()
        self.conv, self.form, self.width = (
            nn.Conv2d(i, 2 * o, 3, padding=1),
            r.choice(("chunk", "split", "sizes", "glu")),
            o,
        )

    def forward(self, x):
        x = self.conv(x)
        if self.form == "glu":
            return F.glu(x, dim=1)
        if self.form == "chunk":
            a, b = x.chunk(2, dim=1)
        elif self.form == "split":
            a, b = x.split(self.width, dim=1)
        else:
            a, b = torch.split(x, [self.width, self.width], dim=1)
        return torch.tanh(a) * torch.sigmoid(b)


class Squeeze(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.conv, self.down, self.up, self.act = (
            Plain(r, i, o),
            nn.Linear(o, 8),
            nn.Linear(8, o),
            r.choice((nn.ReLU, nn.SiLU))(),
        )

    def forward(self, x):
        x = self.conv(x)
        gate = torch.sigmoid(self.up(self.act(self.down(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Shuffled(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.groups = r.choice((2, 4))
        self.a, self.b = (
            nn.Conv2d(i, o, 1, groups=self.groups),
            nn.Conv2d(o, o, 3, padding=1, groups=r.choice((self.groups, o))),
        )
        self.norm = _norm2d(r, o)

    def forward(self, x):
        x = F.relu(self.a(x))
        b, c, h, w = x.shape
        x = x.view(b, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(b, c, h, w)
        return self.norm(self.b(x))


class Inverted(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        mid, twice, self.add = r.choice(_HIDDEN), r.choice((1, 2)), i == o
        self.body = nn.Sequential(
            nn.Conv2d(i, mid, 1),
            nn.BatchNorm2d(mid),
            nn.ReLU6(),
            nn.Conv2d(mid, mid * twice, 3, padding=1, groups=mid),
            nn.BatchNorm2d(mid * twice),
            nn.Hardswish(),
            nn.Conv2d(mid * twice, o, 1),
        )

    def forward(self, x):
        y = self.body(x)
        return x + y if self.add else y


class ConvNext(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.first = nn.Conv2d(i, o, 1) if i != o else nn.Identity()
        self.deep, self.norm = nn.Conv2d(o, o, 5, padding=2, groups=o), _norm(r, o)
        self.up, self.down, self.scale = nn.Linear(o, 2 * o), nn.Linear(2 * o, o), nn.Parameter(torch.ones(o))

    def forward(self, x):
        x = self.first(x)
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)


class UpDown(nn.Module):
    """Down and up again, with a skip: a small U-Net; up by transposed convolution, pixel-shuffle or resizing."""

    def __init__(self, r, i, o):
        super().__init__()
        self.enter, self.down, self.leave = Plain(r, i, 8), Plain(r, 8, 16), Plain(r, 16, o)
        self.up = r.choice(
            (
                lambda: nn.ConvTranspose2d(16, 8, 2, 2),
                lambda: nn.ConvTranspose2d(16, 8, 2, 2, groups=r.choice((2, 4))),
                lambda: nn.Sequential(nn.Conv2d(16, 32, 1), nn.PixelShuffle(2)),
                lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 8, 3, padding=1)),
            )
        )()

    def forward(self, x):
        x = self.enter(x)
        return self.leave(torch.cat([x, self.up(self.down(F.avg_pool2d(x, 2)))], dim=1))


class Unshuffle(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.a, self.b, self.c = Plain(r, i, 4), Plain(r, 16, 4 * o), r.choice((nn.PReLU(o), nn.Identity()))

    def forward(self, x):
        return self.c(F.pixel_shuffle(self.b(F.pixel_unshuffle(self.a(x), 2)), 2))


class PixelAttention(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.first, self.attend = nn.Conv2d(i, o, 1), Attention(r, o)

    def forward(self, x):
        x = self.first(x)
        b, c, h, w = x.shape
        y = self.attend(x.flatten(2).transpose(1, 2))
        return x + y.transpose(1, 2).reshape(b, c, h, w)


_IMAGE = (
    Plain,
    Plain,
    Residual,
    Residual,
    Dense,
    Branches,
    Gate,
    Squeeze,
    Shuffled,
    Inverted,
    ConvNext,
    UpDown,
    Unshuffle,
    PixelAttention,
)


# -- blocks of tokens: (B, N, C) -> (B, N, C'); N is 16 ----------------------------------------------------------------


class Attention(nn.Module):
    """Attention as PyTorch, timm, or one's own hand writes it."""

    def __init__(self, r, dim):
        super().__init__()
        self.form, self.heads, self.width = (
            r.choice(("mha", "fused", "separate", "sdpa")),
            r.choice((2, 4)),
            r.choice((2, 4, 6)),
        )
        inner = self.heads * self.width
        self.scale, bias = self.width**-0.5, r.random() < 0.5
        if self.form == "mha":
            self.mha = nn.MultiheadAttention(dim, self.heads, batch_first=True, bias=bias)
        elif self.form == "fused":
            self.qkv = nn.Linear(dim, 3 * inner, bias=bias)
        else:
            self.q, self.k, self.v = (nn.Linear(dim, inner, bias=bias) for _ in range(3))
        if self.form != "mha":
            self.proj = nn.Linear(inner, dim)

    def forward(self, x):
        if self.form == "mha":
            return self.mha(x, x, x, need_weights=False)[0]
        b, n, _ = x.shape
        if self.form == "fused":
            q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, self.width).permute(2, 0, 3, 1, 4).unbind(0)
        else:
            q, k, v = (f(x).view(b, n, self.heads, self.width).transpose(1, 2) for f in (self.q, self.k, self.v))
        if self.form == "sdpa":
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = ((q * self.scale) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        return self.proj(y.transpose(1, 2).reshape(b, n, -1))


class Feed(nn.Module):
    def __init__(self, r, dim):
        super().__init__()
        self.form, mid, self.act = r.choice(("mlp", "swiglu", "geglu", "highway")), r.choice(_HIDDEN), _act(r)
        if self.form == "highway":
            mid = dim
        self.up = nn.Linear(dim, 2 * mid if self.form == "geglu" else mid)
        self.gate = nn.Linear(dim, mid) if self.form in ("swiglu", "highway") else None
        self.down = nn.Linear(mid, dim)

    def forward(self, x):
        if self.form == "mlp":
            return self.down(self.act(self.up(x)))
        if self.form == "swiglu":
            return self.down(F.silu(self.gate(x)) * self.up(x))
        if self.form == "geglu":
            a, b = self.up(x).chunk(2, dim=-1)
            return self.down(a * F.gelu(b))
        gate = torch.sigmoid(self.gate(x))
        return self.down(gate * torch.tanh(self.up(x)) + (1 - gate) * x)


class Encoder(nn.Module):
    """Attention and a feed-forward layer around a residual stream, the norm before or after."""

    def __init__(self, r, i, o):
        super().__init__()
        self.first, self.before = nn.Linear(i, o) if i != o else nn.Identity(), r.random() < 0.6
        self.attend, self.feed, self.norm1, self.norm2 = Attention(r, o), Feed(r, o), _norm(r, o), _norm(r, o)

    def forward(self, x):
        x = self.first(x)
        if self.before:
            x = x + self.attend(self.norm1(x))
            return x + self.feed(self.norm2(x))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.feed(x))


class TorchEncoder(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.first = nn.Linear(i, o)
        self.layer = nn.TransformerEncoderLayer(o, r.choice((2, 4)), 16, batch_first=True, norm_first=r.random() < 0.5)

    def forward(self, x):
        return self.layer(self.first(x))


class Mixer(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.first, self.norm1, self.norm2 = nn.Linear(i, o), _norm(r, o), _norm(r, o)
        self.tokens, self.channels = nn.Sequential(nn.Linear(16, 12), _act(r), nn.Linear(12, 16)), Feed(r, o)

    def forward(self, x):
        x = self.first(x)
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Line(nn.Module):
    """Convolution along the tokens."""

    def __init__(self, r, i, o):
        super().__init__()
        self.a, self.norm = nn.Conv1d(i, 2 * o, 3, padding=1), r.choice((nn.BatchNorm1d(2 * o), nn.GroupNorm(2, 2 * o)))
        self.gated = r.random() < 0.5
        self.b = nn.Conv1d(o if self.gated else 2 * o, o, 1)

    def forward(self, x):
        x = self.norm(self.a(x.transpose(1, 2)))
        x = F.glu(x, 1) if self.gated else F.relu(x)
        return self.b(x).transpose(1, 2)


class Dense1d(nn.Sequential):
    def __init__(self, r, i, o):
        norm = r.choice(
            (lambda: nn.LayerNorm(o), lambda: nn.LayerNorm(o, elementwise_affine=False), lambda: nn.RMSNorm(o))
        )
        super().__init__(nn.Linear(i, o), norm(), _act(r), nn.Dropout(0.1))


class Recurrent(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        kind, both, layers = r.choice((nn.RNN, nn.LSTM, nn.LSTM, nn.GRU)), r.random() < 0.5, r.choice((1, 1, 2))
        named: dict[str, Any] = {"num_layers": layers, "bidirectional": both, "batch_first": r.random() < 0.7}
        size = o // 2 if both else o
        if kind is nn.LSTM and r.random() < 0.3:
            named |= {"proj_size": size}
            size += 6
        if kind is nn.RNN:
            named |= {"nonlinearity": r.choice(("tanh", "relu"))}
        self.rnn, self.start = kind(i, size, **named), r.random() < 0.3 and kind is nn.GRU
        self.residual = i == o and r.random() < 0.5

    def forward(self, x):
        y = x if self.rnn.batch_first else x.transpose(0, 1)
        state = None
        if self.start:
            count = self.rnn.num_layers * (2 if self.rnn.bidirectional else 1)
            state = x.new_zeros(count, x.size(0), self.rnn.hidden_size)
        y, _ = self.rnn(y, state)
        y = y if self.rnn.batch_first else y.transpose(0, 1)
        return x + y if self.residual else y


class Cell(nn.Module):
    def __init__(self, r, i, o):
        super().__init__()
        self.cell, self.size = r.choice((nn.GRUCell, nn.LSTMCell, nn.RNNCell))(i, o), o

    def forward(self, x):
        h = x.new_zeros(x.size(0), self.size)
        long, steps = isinstance(self.cell, nn.LSTMCell), []
        c = torch.zeros_like(h)
        for t in range(x.size(1)):
            if long:
                h, c = self.cell(x[:, t], (h, c))
            else:
                h = self.cell(x[:, t], h)
            steps.append(h)
        return torch.stack(steps, dim=1)


class Graph(nn.Module):
    """Sums over neighbours: by an adjacency, or edge by edge."""

    def __init__(self, r, i, o):
        super().__init__()
        self.own, self.other, self.form, self.act = (
            nn.Linear(i, o),
            nn.Linear(i, o, bias=False),
            r.choice(("matrix", "edges")),
            _act(r),
        )
        source, target = torch.arange(16), torch.tensor([r.randrange(16) for _ in range(16)])
        adjacency = torch.zeros(16, 16)
        adjacency[target, source] = 0.5
        self.register_buffer("adjacency", adjacency)
        self.register_buffer("source", source)
        self.register_buffer("target", target)

    def forward(self, x):
        y = self.other(x)
        if self.form == "matrix":
            near = self.adjacency @ y
        else:
            near = torch.zeros_like(y).index_add_(1, self.target, y.index_select(1, self.source))
        return self.act(self.own(x) + near)


_TOKENS = (Encoder, Encoder, TorchEncoder, Mixer, Line, Dense1d, Recurrent, Recurrent, Cell, Graph)


# -- whole networks ---------------------------------------------------------------------------------------------------


class Composed(nn.Module):
    """Blocks of images, then (perhaps) blocks of tokens, then a head."""

    def __init__(self, r: random.Random, form: str) -> None:
        super().__init__()
        self.form, self.pool = form, r.choice(("mean", "max", "last", "flatten", "sum"))
        self.images, self.tokens = nn.ModuleList(), nn.ModuleList()
        c, self.embed, self.position = 6, None, None
        if form == "words":
            c = r.choice(_HIDDEN)
            self.embed = nn.Embedding(19, c)
            self.position = nn.Parameter(torch.randn(1, 16, c) * 0.1) if r.random() < 0.5 else None
        if form in ("image", "both"):
            c = r.choice(_HIDDEN)
            self.stem = nn.Conv2d(3, c, 3, padding=1)
            for _ in range(r.randint(1, 3)):
                o = r.choice(_HIDDEN)
                self.images.append(r.choice(_IMAGE)(r, c, o))
                c = o
        if form != "image":
            for _ in range(r.randint(1, 3)):
                o = r.choice(_HIDDEN)
                self.tokens.append(r.choice(_TOKENS)(r, c, o))
                c = o
        self.tied = form == "words" and r.random() < 0.2
        if self.tied:
            self.proj = nn.Linear(c, self.embed.embedding_dim)
            self.head = nn.Linear(self.embed.embedding_dim, 19, bias=False)
            self.head.weight = self.embed.weight
        else:
            self.hidden, self.act = nn.Linear(c * 16 if self.pool == "flatten" else c, 8), _act(r)
            self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.embed is not None:
            x = self.embed(x)
            x = x if self.position is None else x + self.position
        if self.form in ("image", "both"):
            x = self.stem(x)
            for block in self.images:
                x = block(x)
            x = F.avg_pool2d(x, 2)  # 8 -> 4: 16 tokens
            if self.form == "image" and self.pool == "flatten":
                return self.head(self.act(self.hidden(torch.flatten(x, 1))))
            x = x.flatten(2).transpose(1, 2)
        for block in self.tokens:
            x = block(x)
        if self.tied:
            return self.head(self.proj(x))
        pools: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "mean": lambda y: y.mean(1),
            "max": lambda y: y.max(dim=1)[0],
            "last": lambda y: y[:, -1],
            "sum": lambda y: y.sum(dim=1),
            "flatten": lambda y: y.flatten(1),
        }
        return self.head(self.act(self.hidden(pools[self.pool](x))))


def random_graph(seed: int) -> tuple[nn.Module, torch.Tensor]:
    """Return a random network and an example for it, the same for the same seed.

    Args:
        seed: Decides everything, the weights too.
    """
    r = random.Random(seed)
    form = r.choice(("image", "image", "both", "tokens", "words"))
    generator = torch.Generator().manual_seed(seed)
    if form == "words":
        example = torch.randint(0, 19, (2, 16), generator=generator)
        example.view(-1)[0] = 18
    else:
        example = torch.randn((2, 16, 6) if form == "tokens" else (2, 3, 8, 8), generator=generator)
    return build(lambda: Composed(r, form), seed), example
