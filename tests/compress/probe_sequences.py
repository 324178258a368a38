"""Probes that recur, mix vectors, or pass messages over a graph."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from compress.probe import Probes, integers, numbers

PROBES = Probes()
SERIES, LONG = numbers(3, 6, 4), numbers(3, 9, 4)
WORDS, MORE = integers(17, 3, 6), integers(17, 3, 11)
NODES = numbers(6, 5)


# -- recurrent layers -------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """A recurrent layer over time, then a linear one at each step."""

    def __init__(self, kind, **named):
        super().__init__()
        self.inp = nn.Linear(4, 8)
        self.rnn = kind(8, 12, **named)
        width = (named.get("proj_size") or 12) * (2 if named.get("bidirectional") else 1)
        self.hidden, self.out = nn.Linear(width, 10), nn.Linear(10, 3)

    def forward(self, x):
        x = self.inp(x)
        y, _ = self.rnn(x) if self.rnn.batch_first else self.rnn(x.transpose(0, 1))
        y = F.relu(self.hidden(y if self.rnn.batch_first else y.transpose(0, 1)))
        return self.out(y)


for _name, _kind, _layer, _named in (
    ("rnn_tanh", "RNN", nn.RNN, {"batch_first": True}),
    ("rnn_relu", "RNN", nn.RNN, {"nonlinearity": "relu", "num_layers": 2}),
    ("lstm", "LSTM", nn.LSTM, {"batch_first": True}),
    ("lstm_no_bias", "LSTM", nn.LSTM, {"bias": False}),
    ("lstm_stacked", "LSTM stacked", nn.LSTM, {"batch_first": True, "num_layers": 3, "dropout": 0.1}),
    ("lstm_bidirectional", "LSTM bidirectional", nn.LSTM, {"batch_first": True, "bidirectional": True}),
    ("lstm_both", "LSTM stacked, bidirectional", nn.LSTM, {"num_layers": 2, "bidirectional": True}),
    ("lstm_projected", "LSTM projected", nn.LSTM, {"batch_first": True, "proj_size": 6}),
    (
        "lstm_projected_both",
        "LSTM projected, stacked, bidirectional",
        nn.LSTM,
        {"batch_first": True, "proj_size": 6, "num_layers": 2, "bidirectional": True},
    ),
    ("gru", "GRU", nn.GRU, {"batch_first": True}),
    ("gru_both", "GRU stacked, bidirectional", nn.GRU, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
):
    PROBES.add(_name, _kind, SERIES, cuts="inp rnn hidden", longer=LONG)(
        lambda layer=_layer, named=_named: Recurrent(layer, **named)
    )


@PROBES.add("lstm_zeros", "LSTM with h0", WORDS, cuts="embed lstm fc", longer=MORE)
class LstmZeros(nn.Module):
    """The tutorial's classifier: states of zeros sized by the module's own numbers, the last step's output."""

    def __init__(self):
        super().__init__()
        self.hidden_size, self.num_layers = 12, 2
        self.embed, self.lstm = nn.Embedding(17, 8), nn.LSTM(8, 12, 2, batch_first=True)
        self.fc, self.out = nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, x):
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size).to(x.device)
        y, _ = self.lstm(self.embed(x), (h0, c0))
        return self.out(F.relu(self.fc(y[:, -1, :])))


@PROBES.add("gru_zeros", "GRU with h0", SERIES, cuts="gru fc", longer=LONG)
class GruZeros(nn.Module):
    """The same with the layer's own numbers, two directions, and the last hidden states."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 10, num_layers=2, batch_first=True, bidirectional=True)
        self.fc, self.out = nn.Linear(20, 8), nn.Linear(8, 4)

    def forward(self, x):
        h0 = x.new_zeros(2 * self.gru.num_layers, len(x), self.gru.hidden_size)
        _, h = self.gru(x, h0)
        return self.out(F.relu(self.fc(torch.cat([h[-2], h[-1]], dim=1))))


@PROBES.add("lstm_last", "LSTM last hidden state", WORDS, cuts="embed lstm fc", longer=MORE)
class LstmLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(17, 8, padding_idx=0), nn.LSTM(8, 12, num_layers=2, batch_first=True)
        self.fc, self.out = nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, x):
        _, (h, _) = self.lstm(self.embed(x))
        return self.out(torch.tanh(self.fc(h[-1])))


@PROBES.add("gru_squeeze", "GRU last hidden state", SERIES, cuts="gru", longer=LONG)
class GruSqueeze(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.out = nn.GRU(4, 10, batch_first=True), nn.Linear(10, 3)

    def forward(self, x):
        _, h = self.gru(x)
        return self.out(h.squeeze(0))


@PROBES.add(
    "seq2seq",
    "LSTM with h0",
    (WORDS, integers(13, 3, 5)),
    cuts="encoder decoder source",
    longer=(MORE, integers(13, 3, 8)),
)
class Seq2Seq(nn.Module):
    """The encoder's state starts the decoder."""

    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(17, 8), nn.Embedding(13, 6)
        self.encoder, self.decoder = nn.LSTM(8, 12, batch_first=True), nn.LSTM(6, 12, batch_first=True)
        self.out = nn.Linear(12, 13)

    def forward(self, x, y):
        _, state = self.encoder(self.source(x))
        y, _ = self.decoder(self.target(y), state)
        return self.out(y)


@PROBES.add("crnn", "GRU bidirectional", numbers(2, 1, 8, 12), cuts="conv norm gru", longer=numbers(2, 1, 8, 16))
class Crnn(nn.Module):
    """Convolutions, then the columns of the image are the steps."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.gru, self.out = nn.GRU(6 * 4, 8, bidirectional=True, batch_first=True), nn.Linear(16, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        x = x.permute(0, 3, 1, 2).flatten(2)  # (B, W, C * H)
        return self.out(self.gru(x)[0])


@PROBES.add("lstm_attention", "LSTM bidirectional", WORDS, cuts="embed lstm score", longer=MORE)
class LstmAttention(nn.Module):
    """Attention over the steps of a bidirectional LSTM."""

    def __init__(self):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(17, 8), nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.score, self.one, self.out = nn.Linear(12, 10), nn.Linear(10, 1, bias=False), nn.Linear(12, 4)

    def forward(self, x):
        y, _ = self.lstm(self.embed(x))
        weight = torch.softmax(self.one(torch.tanh(self.score(y))), dim=1)
        return self.out((weight * y).sum(dim=1))


@PROBES.add("lstm_cell", "LSTM cell", SERIES, cuts="inp cell", longer=LONG)
class LstmCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = 12
        self.inp, self.cell, self.out = nn.Linear(4, 8), nn.LSTMCell(8, 12), nn.Linear(12, 3)

    def forward(self, x):
        h = torch.zeros(x.size(0), self.hidden, device=x.device, dtype=x.dtype)
        c = torch.zeros(x.size(0), self.hidden, device=x.device, dtype=x.dtype)
        steps = []
        for t in range(x.size(1)):
            h, c = self.cell(F.relu(self.inp(x[:, t])), (h, c))
            steps.append(self.out(h))
        return torch.stack(steps, dim=1)


@PROBES.add("gru_cell", "GRU cell", SERIES, cuts="first second", longer=LONG)
class GruCell(nn.Module):
    """Two cells above each other; the state's size is asked of the cell."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = nn.GRUCell(4, 10), nn.GRUCell(10, 12), nn.Linear(12, 3)

    def forward(self, x):
        a, b = x.new_zeros(len(x), self.first.hidden_size), x.new_zeros(len(x), self.second.hidden_size)
        for step in x.unbind(1):
            a = self.first(step, a)
            b = self.second(a, b)
        return self.out(b)


@PROBES.add("rnn_cell", "RNN cell", SERIES, cuts="cell", longer=LONG)
class RnnCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.RNNCell(4, 10), nn.Linear(10, 3)

    def forward(self, x):
        h, outputs = None, []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t, :], h)
            outputs.append(h)
        return self.out(torch.stack(outputs, 1))


@PROBES.add("sliced_weight", "linear by slices", SERIES, cuts="inp joint again", longer=LONG)
class SlicedWeight(nn.Module):
    """A cell that applies the columns of one weight where their numbers come from, the words' for all steps at once."""

    def __init__(self):
        super().__init__()
        self.inp, self.joint, self.again = nn.Linear(4, 6), nn.Linear(6 + 10, 10), nn.Linear(10, 8)
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        words = F.relu(self.inp(x))
        weight, size = self.joint.weight, words.shape[-1]
        given = F.linear(words, weight[:, :size], self.joint.bias)
        h, found = torch.zeros_like(given[:, 0]), []
        for step in given.unbind(1):
            h = torch.tanh(step + F.linear(h, weight[:, size:]))
            found.append(h)
        return self.out(F.relu(self.again(torch.stack(found, 1))))


@PROBES.add("packed_rows", "linear by slices", SERIES, cuts="inp both", longer=LONG)
class PackedRows(nn.Module):
    """Two layers in one weight, rows taken by a size that is asked of it."""

    def __init__(self):
        super().__init__()
        self.inp, self.both, self.out = nn.Linear(4, 6), nn.Linear(6, 16), nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.inp(x))
        weight, bias, half = self.both.weight, self.both.bias, len(self.both.weight) // 2
        return self.out(F.linear(x, weight[:half], bias[:half]) * torch.sigmoid(F.linear(x, weight[half:])))


# -- words and vectors ------------------------------------------------------------------------------------------------


@PROBES.add("bag", "embedding", WORDS, cuts="embed fc", longer=MORE)
class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.fc, self.out = nn.Embedding(17, 12), nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, x):
        return self.out(F.relu(self.fc(self.embed(x).mean(dim=1))))


@PROBES.add("tied", "tied embedding", WORDS, cuts="embed lstm", longer=MORE)
class Tied(nn.Module):
    """A language model whose decoder is its embedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(17, 10), nn.LSTM(10, 16, batch_first=True)
        self.proj, self.decoder = nn.Linear(16, 10), nn.Linear(10, 17)
        self.decoder.weight = self.embed.weight

    def forward(self, x):
        return self.decoder(self.proj(self.lstm(self.embed(x))[0]))


@PROBES.add("tied_functional", "tied embedding", WORDS, cuts="wte up down", longer=MORE)
class TiedFunctional(nn.Module):
    """The same weight read by a function; the residual stream is the embedding's width."""

    def __init__(self):
        super().__init__()
        self.wte, self.norm, self.final = nn.Embedding(17, 12), nn.LayerNorm(12), nn.LayerNorm(12)
        self.up, self.down = nn.Linear(12, 24), nn.Linear(24, 12)

    def forward(self, x):
        x = self.wte(x)
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return F.linear(self.final(x), self.wte.weight)


@PROBES.add("text_cnn", "text CNN", WORDS, cuts="embed convs.0 convs.2", longer=MORE)
class TextCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(17, 10), nn.Linear(24, 3)
        self.convs = nn.ModuleList(nn.Conv1d(10, 8, k, padding=1) for k in (2, 3, 4))

    def forward(self, x):
        x = self.embed(x).transpose(1, 2)
        pooled = []
        for conv in self.convs:
            y = F.relu(conv(x))
            pooled.append(F.max_pool1d(y, y.size(2)).squeeze(2))
        return self.out(torch.cat(pooled, dim=1))


@PROBES.add("kim_cnn", "text CNN", WORDS, cuts="embed convs.0 convs.1")
class KimCNN(nn.Module):
    """The same with two-dimensional convolutions as wide as the embedding."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(17, 8), nn.Linear(20, 3)
        self.convs = nn.ModuleList(nn.Conv2d(1, 10, (k, 1)) for k in (2, 3))
        self.mix = nn.Linear(8, 6)

    def forward(self, x):
        x = self.mix(self.embed(x)).unsqueeze(1)  # (B, 1, T, 6)
        x = [F.relu(conv(x)).mean(-1) for conv in self.convs]
        return self.out(torch.cat([y.max(dim=2)[0] for y in x], 1))


@PROBES.add("mlp", "linear", numbers(4, 6), cuts="1 2 4")
def mlp():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(6, 16),
        nn.BatchNorm1d(16),
        nn.Tanh(),
        nn.Linear(16, 12),
        nn.SELU(),
        nn.AlphaDropout(0.1),
        nn.Linear(12, 2),
    )


@PROBES.add("highway", "highway layer", numbers(4, 6), cuts="inp plain.0 gate.0 plain.1")
class Highway(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp, self.out = nn.Linear(6, 12), nn.Linear(12, 3)
        self.plain = nn.ModuleList(nn.Linear(12, 12) for _ in range(2))
        self.gate = nn.ModuleList(nn.Linear(12, 12) for _ in range(2))

    def forward(self, x):
        x = self.inp(x)
        for plain, gating in zip(self.plain, self.gate, strict=True):
            h, gate = F.relu(plain(x)), torch.sigmoid(gating(x))
            x = gate * h + (1 - gate) * x
        return self.out(x)


@PROBES.add("mixer", "MLP-mixer", numbers(2, 3, 8, 8), cuts="patch blocks.0.channel1 blocks.1.norm1")
class Mixer(nn.Module):
    class Block(nn.Module):
        def __init__(self, dim, tokens):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.token1, self.token2 = nn.Linear(tokens, 8), nn.Linear(8, tokens)
            self.channel1, self.channel2 = nn.Linear(dim, 24), nn.Linear(24, dim)

        def forward(self, x):
            y = self.norm1(x).transpose(1, 2)  # (B, C, N)
            x = x + self.token2(F.gelu(self.token1(y))).transpose(1, 2)
            return x + self.channel2(F.gelu(self.channel1(self.norm2(x))))

    def __init__(self):
        super().__init__()
        self.patch, self.norm, self.head = nn.Conv2d(3, 12, 4, 4), nn.LayerNorm(12), nn.Linear(12, 5)
        self.blocks = nn.ModuleList(self.Block(12, 4) for _ in range(2))

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(dim=1))


@PROBES.add("gmlp", "GLU", numbers(2, 5, 6), cuts="inp up")
class GatedMLP(nn.Module):
    """gMLP's spatial gating unit: a convolution whose channels are the tokens gates one half of the channels."""

    def __init__(self):
        super().__init__()
        self.inp, self.up, self.norm, self.spatial = (
            nn.Linear(6, 8),
            nn.Linear(8, 24),
            nn.LayerNorm(12),
            nn.Conv1d(5, 5, 1),
        )
        self.down, self.out = nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.inp(x)
        u, v = F.gelu(self.up(x)).chunk(2, dim=-1)
        x = x + self.down(u * self.spatial(self.norm(v)))
        return self.out(x)


# -- graphs -----------------------------------------------------------------------------------------------------------


def ring(n):
    a = torch.eye(n) + torch.eye(n).roll(1, 0) + torch.eye(n).roll(-1, 0)
    return a / a.sum(1, keepdim=True)


@PROBES.add("gcn", "graph neighbour sum", NODES, cuts="lin1 lin2", one_batch=True)
class Gcn(nn.Module):
    """Nodes of one graph, its adjacency a buffer."""

    def __init__(self):
        super().__init__()
        self.lin1, self.lin2, self.out = nn.Linear(5, 12, bias=False), nn.Linear(12, 8), nn.Linear(8, 3)
        self.register_buffer("adjacency", ring(6))

    def forward(self, x):
        x = F.relu(self.adjacency @ self.lin1(x))
        x = F.relu(self.adjacency @ self.lin2(x))
        return self.out(x)


@PROBES.add(
    "gcn_batch",
    "graph neighbour sum",
    (numbers(3, 6, 5), numbers(3, 6, 6)),
    cuts="w1 b1 lin",
    longer=(numbers(3, 9, 5), numbers(3, 9, 9)),
)
class GcnBatch(nn.Module):
    """Many graphs with their adjacencies as an input, an embedding of the nodes that is read out as a sum."""

    def __init__(self):
        super().__init__()
        self.embed, self.w1, self.lin = nn.Linear(5, 8), nn.Linear(8, 12, bias=False), nn.Linear(12, 10)
        self.b1, self.out = nn.ParameterList([nn.Parameter(torch.zeros(12))]), nn.Linear(10, 2)

    def forward(self, x, adjacency):
        x = torch.relu(torch.matmul(adjacency, self.w1(self.embed(x))) + self.b1[0])
        x = torch.relu(self.lin(torch.bmm(adjacency, x)))
        return self.out(x.sum(dim=1))


@PROBES.add("gcn_kipf", "graph neighbour sum", (NODES, ring(6)), cuts="first second", one_batch=True)
class GcnKipf(nn.Module):
    """Kipf's own layer: a raw weight, torch.mm twice."""

    class Layer(nn.Module):
        def __init__(self, i, o):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(i, o) / i**0.5), nn.Parameter(torch.zeros(o))

        def forward(self, x, adjacency):
            return torch.mm(adjacency, torch.mm(x, self.weight)) + self.bias

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = self.Layer(5, 12), self.Layer(12, 8), self.Layer(8, 3)

    def forward(self, x, adjacency):
        x = F.dropout(F.relu(self.first(x, adjacency)), 0.5, training=self.training)
        x = F.relu(self.second(x, adjacency))
        return F.log_softmax(self.third(x, adjacency), dim=1)


@PROBES.add("sage_index_add", "graph neighbour sum", NODES, cuts="inp own other last")
class SageIndexAdd(nn.Module):
    """Neighbour sums by index_select and index_add_ along the nodes."""

    def __init__(self):
        super().__init__()
        self.inp, self.own, self.other, self.last = (
            nn.Linear(5, 10),
            nn.Linear(10, 12),
            nn.Linear(10, 12),
            nn.Linear(12, 8),
        )
        self.out = nn.Linear(8, 3)
        self.register_buffer("source", torch.tensor([0, 1, 2, 3, 4, 5, 0, 2]))
        self.register_buffer("target", torch.tensor([1, 2, 3, 4, 5, 0, 3, 5]))

    def forward(self, x):
        x = self.inp(x)
        sums = torch.zeros_like(x).index_add_(0, self.target, x.index_select(0, self.source))
        x = F.relu(self.own(x) + self.other(sums))
        sums = x.new_zeros(x.shape).index_add(0, self.target, x[self.source])
        return self.out(F.relu(self.last(x + sums)))


@PROBES.add("sage_batch", "graph neighbour sum", numbers(2, 6, 5), cuts="own other", longer=numbers(2, 9, 5))
class SageBatch(nn.Module):
    """The same for many graphs of one form, and a mean over neighbours."""

    def __init__(self):
        super().__init__()
        self.own, self.other, self.out = nn.Linear(5, 12), nn.Linear(5, 12), nn.Linear(24, 3)
        self.register_buffer("source", torch.tensor([0, 1, 2, 3, 4, 5, 0, 2]))
        self.register_buffer("target", torch.tensor([1, 2, 3, 4, 5, 0, 3, 5]))

    def forward(self, x):
        h = F.relu(self.own(x))
        near = self.other(x).index_select(1, self.source)
        degree = torch.ones(x.size(1), device=x.device, dtype=x.dtype).index_add(0, self.target, x.new_ones(8))
        mean = torch.zeros_like(h).index_add(1, self.target, near) / degree.view(1, -1, 1)
        return self.out(torch.cat([h, mean], dim=-1).mean(1))


@PROBES.add("sage_table", "graph neighbour sum", (NODES, integers(6, 6, 3)), cuts="inp own other")
class SageTable(nn.Module):
    """A table of neighbours, one row for each node."""

    def __init__(self):
        super().__init__()
        self.inp, self.own, self.other, self.out = nn.Linear(5, 8), nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 3)

    def forward(self, x, neighbours):
        x = torch.tanh(self.inp(x))
        near = x[neighbours].mean(dim=1)  # (N, K, C) -> (N, C)
        return self.out(F.elu(self.own(x) + self.other(near)))


@PROBES.add(
    "gin",
    "graph neighbour sum",
    (numbers(2, 6, 5), numbers(2, 6, 6)),
    cuts="embed nets.0.0 nets.1.2",
    longer=(numbers(2, 7, 5), numbers(2, 7, 7)),
)
class Gin(nn.Module):
    """(1 + eps) times a node plus the sum of its neighbours, through a small MLP; a residual around it."""

    def __init__(self):
        super().__init__()
        self.embed, self.eps, self.out = nn.Linear(5, 8), nn.Parameter(torch.zeros(2)), nn.Linear(8, 3)
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)) for _ in range(2))

    def forward(self, x, adjacency):
        x = self.embed(x)
        for eps, net in zip(self.eps, self.nets, strict=True):
            x = x + net((1 + eps) * x + adjacency @ x)
        return self.out(x.sum(1))


@PROBES.add("message_passing", "graph neighbour sum", NODES, cuts="message update out")
class MessagePassing(nn.Module):
    """Messages of both ends of an edge, summed at the target by scatter_add, taken in by a GRU cell."""

    def __init__(self):
        super().__init__()
        self.inp, self.message, self.update = nn.Linear(5, 8), nn.Linear(16, 10), nn.GRUCell(10, 8)
        self.out = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        self.register_buffer("edges", torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]]))

    def forward(self, x):
        x = self.inp(x)
        source, target = self.edges
        sent = F.relu(self.message(torch.cat([x[source], x[target]], dim=-1)))
        summed = x.new_zeros(len(x), sent.size(-1)).scatter_add(0, target.unsqueeze(-1).expand_as(sent), sent)
        return self.out(self.update(summed, x))
