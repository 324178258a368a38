"""Translation with attention: a bidirectional encoder, and a decoder that looks where it needs to."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.attention_scores import ScoreKind, attend, make_scores
from netsmith.layers.recurrent.gru import GRUCell
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.writing import Writer

__all__ = ["Bahdanau", "Looking"]


class Looking(NamedTuple):
    """What the decoder keeps: its state, and what it looks at.

    Attributes:
        hidden: ``(N, H)``, the state s.
        memory: ``(N, L, 2 H)``, the annotations h; of a model without attention one vector for all, ``(N, 1, 2 H)``.
        projected: ``(N, L, A)``, their part of the scores.
        inside: ``(N, L)`` bool, false at padding.
        weights: ``(N, L)``, what the last step looked at.
    """

    hidden: Tensor
    memory: Tensor
    projected: Tensor
    inside: Tensor
    weights: Tensor


class Bahdanau(Writer):
    r"""The network that learned to align and translate together (RNNsearch).

    Bahdanau, Cho, Bengio, "Neural machine translation by jointly learning to align and translate", 2015,
    arXiv:1409.0473. With :math:`h_j = [\overrightarrow{h}_j; \overleftarrow{h}_j]` the states of a GRU in both
    directions over the source:

    .. math::
        s_0 &= \tanh(W_s \overleftarrow{h}_1), \qquad e_{ij} = a(s_{i-1}, h_j), \qquad
            \alpha_{ij} = \mathrm{softmax}_j(e_{ij}) \\
        c_i &= \textstyle\sum_j \alpha_{ij} h_j, \qquad s_i = \mathrm{GRU}([E y_{i-1}; c_i], s_{i-1}) \\
        t_i &= \mathrm{maxout}_2(U_o s_i + V_o E y_{i-1} + C_o c_i + b), \qquad
            p(y_i \mid y_{<i}, x) = \mathrm{softmax}(W_o t_i + b_o)

    Without attention (``attention="none"``) the decoder sees of the source, at each step, the last states of both
    directions alone: their RNNencdec, the network of Cho et al. (2014, arXiv:1406.1078), here with the same encoder.

    Differences: :math:`t_i` takes the state :math:`s_i` of their Eq. 4, where their appendix has :math:`s_{i-1}`;
    weights are drawn by torch's rules; dropout, of which they have none, is on the vectors of words, the annotations
    and :math:`t_i`. With ``reset="after"`` the GRU is torch's form, for which it has a fused kernel.

    Shapes:
        Source ``(B, L)`` int64 and text ``(B, T)`` int64 to logits ``(B, T, V)``.
    """

    class Config(ModelConfig):
        """The network's form; by default a small one. The paper's: 620, 1000, 1000, 500, no dropout.

        Attributes:
            embedding_size: Numbers per word.
            hidden_size: Units of the decoder, and of each direction of the encoder.
            attention: How the decoder's state is compared with the annotations; ``none`` for no attention.
            attention_size: Hidden units of additive scores; 0 for as many as the decoder has.
            readout_size: Units of the maxout layer, l.
            reset: Where the GRU resets: ``before`` the product as in the paper, or ``after``.
            dropout: Share dropped in training.
            vocab_size: Tokens of the source.
            num_outputs: Tokens of the text.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size", "attention_size", "readout_size")

        embedding_size: int = Field(default=256, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        attention: ScoreKind | Literal["none"] = "additive"
        attention_size: int = Field(default=0, ge=0)
        readout_size: int = Field(default=256, ge=1)
        reset: Literal["before", "after"] = "after"
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Bahdanau.Config) -> None:
        super().__init__()
        size, hidden = config.embedding_size, config.hidden_size
        cell: Literal["gru", "gru_reset_before"] = "gru" if config.reset == "after" else "gru_reset_before"
        self.source_embedding = nn.Embedding(config.vocab_size, size)
        self.encoder = Recurrent(size, hidden, cell=cell, bidirectional=True)
        self.start = nn.Linear(hidden, hidden)  # W_s
        self.scores = (
            None
            if config.attention == "none"
            else make_scores(config.attention, hidden, 2 * hidden, size=config.attention_size)
        )
        self.embedding = nn.Embedding(config.num_outputs, size)  # E
        self.decoder = GRUCell(size + 2 * hidden, hidden, reset=config.reset)
        self.readout = nn.Linear(hidden + size + 2 * hidden, 2 * config.readout_size)  # U_o, V_o, C_o
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.readout_size, config.num_outputs)  # W_o

    def begin(self, source: Tensor) -> Looking:
        """Return the annotations of a source, and the state before a text."""
        inside = source != 0
        lengths = inside.sum(1)
        states = self.encoder(self.dropout(self.source_embedding(source)), lengths)  # (B, L, 2 H)
        forward, backward = states.chunk(2, 2)
        hidden = torch.tanh(self.start(backward[:, 0]))
        if self.scores is None:
            last = forward.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, forward.shape[2]))  # (B, 1, H)
            memory = self.dropout(torch.cat([last, backward[:, :1]], 2))
            inside = inside[:, :1]
            projected = memory
        else:
            memory = self.dropout(states)
            projected = self.scores.project(memory)
        return Looking(hidden, memory, projected, inside, torch.zeros_like(inside, dtype=memory.dtype))

    def step(self, tokens: Tensor, state: Looking) -> tuple[Tensor, Looking]:
        """Return the logits of what follows the tokens, and the state after them."""
        embedded = self.dropout(self.embedding(tokens))  # (N, E)
        context, after = self._look(self._from_word(embedded), state)
        return self._logits(after.hidden, embedded, context), after

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after each token; what does not wait for the state is computed for all at once."""
        return self._logits(*self._read(source, written))

    def packed(self, source: Tensor, written: Tensor, inside: Tensor) -> Tensor:
        """Return the logits ``(M, V)`` of the places inside alone."""
        return self._logits(*(part[inside] for part in self._read(source, written)))

    def attention(self, state: Looking) -> Tensor | None:
        """Return the weights of the last step, alpha; None of the model without attention."""
        return None if self.scores is None else state.weights

    def attends(self) -> bool:
        """Return whether the model has attention."""
        return self.scores is not None

    def landmarks(self) -> dict[str, str]:
        """Return where the vectors of the words, the annotations and the head are."""
        return {"stem": "source_embedding", "features": "encoder", "head": "head"}

    def _read(self, source: Tensor, written: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return of each place of the texts the state, the vector of the word and what was looked at: ``(B, T, .)``."""
        state = self.begin(source)
        embedded = self.dropout(self.embedding(written))  # (B, T, E)
        hidden, contexts = [], []
        for from_word in self._from_word(embedded).unbind(1):
            context, state = self._look(from_word, state)
            hidden.append(state.hidden)
            contexts.append(context)
        return torch.stack(hidden, 1), embedded, torch.stack(contexts, 1)

    def _from_word(self, embedded: Tensor) -> Tensor:
        """Return the word's part of what comes into the GRU's gates, and their bias."""
        inputs = self.decoder.inputs
        return F.linear(embedded, inputs.weight[:, : embedded.shape[-1]], inputs.bias)

    def _look(self, from_word: Tensor, state: Looking) -> tuple[Tensor, Looking]:
        """Make a step: look at the source by the state before it, then go on."""
        if self.scores is None:
            context, weights = state.memory[:, 0], state.weights
        else:
            found, seen = attend(self.scores(state.hidden[:, None], state.projected), state.memory, state.inside)
            context, weights = found[:, 0], seen[:, 0]
        from_source = F.linear(context, self.decoder.inputs.weight[:, -context.shape[1] :])
        hidden, _ = self.decoder.step(from_word + from_source, (state.hidden,))
        return context, state._replace(hidden=hidden, weights=weights)

    def _logits(self, hidden: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        pieces = self.readout(torch.cat([hidden, embedded, context], -1))  # (..., 2 l)
        return self.head(self.dropout(torch.maximum(*pieces.chunk(2, -1))))  # maxout of two pieces
