"""Attention after the decoder's state: global, by three scores, with its result fed to the next step."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.attention_scores import ScoreKind, attend, make_scores
from netsmith.layers.recurrent.cell import Cell
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.recurrent.unroll import reversed_within
from netsmith.models.translation._headed import HeadedWriter

__all__ = ["Fed", "Luong"]


class Fed(NamedTuple):
    """What the decoder keeps: its states, what it looks at, and what it found there.

    Attributes:
        hidden: ``(N, num_layers, H)``.
        cells: ``(N, num_layers, H)``.
        fed: ``(N, H)``, the attentional state of the last step.
        memory: ``(N, L, H)``, the states of the encoder's last layer, in the order of the source.
        projected: ``(N, L, A)``, their part of the scores.
        inside: ``(N, L)`` bool, false at padding.
        weights: ``(N, L)``, what the last step looked at.
    """

    hidden: Tensor
    cells: Tensor
    fed: Tensor
    memory: Tensor
    projected: Tensor
    inside: Tensor
    weights: Tensor


class Luong(HeadedWriter):
    r"""Stacked LSTMs with global attention on the encoder's last layer.

    Luong, Pham, Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015,
    arXiv:1508.04025. With :math:`h_t` the decoder's last layer and :math:`\bar h_s` the encoder's:

    .. math::
        a_t(s) &= \mathrm{softmax}_s(\mathrm{score}(h_t, \bar h_s)) \qquad \text{(Eq. 7)}, \qquad
            c_t = \textstyle\sum_s a_t(s) \bar h_s \\
        \tilde h_t &= \tanh(W_c [c_t; h_t]) \qquad \text{(Eq. 5)}, \qquad
            p(y_t \mid y_{<t}, x) = \mathrm{softmax}(W_s \tilde h_t) \qquad \text{(Eq. 6)}

    With input feeding the decoder reads :math:`[E y_t; \tilde h_t]` in the next step, so that it knows where it looked
    (section 3.3); without, all places are computed at once by fused kernels. The source is read from its end, as in
    :class:`~netsmith.models.translation.seq2seq.Seq2Seq`, whose states begin the decoder's.

    Their scores: ``dot`` is :class:`~netsmith.layers.attention_scores.DotScores`, ``general`` our ``bilinear``,
    ``concat`` our ``additive``. Not here: local attention. Weights are drawn by torch's rules.

    Shapes:
        Source ``(B, L)`` int64 and text ``(B, T)`` int64 to logits ``(B, T, V)``.
    """

    class Config(ModelConfig):
        """The network's form; by default a small one. The paper's: 1000, 1000, 4 layers, dropout 0.2.

        Attributes:
            embedding_size: Numbers per word.
            hidden_size: Units of each layer of both networks.
            num_layers: Layers of both networks.
            attention: How the decoder's state is compared with the encoder's.
            feeding: Whether what was found is fed to the next step.
            reverse: Whether the source is read from its end.
            dropout: Share dropped in training.
            vocab_size: Tokens of the source.
            num_outputs: Tokens of the text.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        embedding_size: int = Field(default=256, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        num_layers: int = Field(default=2, ge=1)
        attention: ScoreKind = "bilinear"
        feeding: bool = True
        reverse: bool = True
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Luong.Config) -> None:
        super().__init__()
        size, hidden, layers = config.embedding_size, config.hidden_size, config.num_layers
        self.feeding, self.reverse = config.feeding, config.reverse
        self.source_embedding = nn.Embedding(config.vocab_size, size)
        self.encoder = Recurrent(size, hidden, num_layers=layers, dropout=config.dropout)
        self.embedding = nn.Embedding(config.num_outputs, size)
        self.decoder = Recurrent(
            size + hidden if config.feeding else size,
            hidden,
            num_layers=layers,
            dropout=config.dropout,
            fused=not config.feeding,  # what waits for the attention goes step by step
        )
        self.scores = make_scores(config.attention, hidden, hidden)
        self.combine = nn.Linear(2 * hidden, hidden, bias=False)  # W_c
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(hidden, config.num_outputs)  # W_s

    def begin(self, source: Tensor) -> Fed:
        """Return the encoder's states, the last of which the decoder begins with."""
        inside = source != 0
        lengths = inside.sum(1)
        embedded = self.dropout(self.source_embedding(source))
        outputs, states = self.encoder.carry(reversed_within(embedded, lengths) if self.reverse else embedded, lengths)
        memory = self.dropout(reversed_within(outputs, lengths) if self.reverse else outputs)
        hidden, cells = (part.transpose(0, 1) for part in states)
        projected = self.scores.project(memory)
        return Fed(
            hidden,
            cells,
            torch.zeros_like(hidden[:, 0]),
            memory,
            projected,
            inside,
            torch.zeros_like(inside, dtype=memory.dtype),
        )

    def attention(self, state: Fed) -> Tensor:
        """Return the weights of the last step."""
        return state.weights

    def landmarks(self) -> dict[str, str]:
        """Return where the vectors of the words, the encoder and the head are."""
        return {"stem": "source_embedding", "features": "encoder", "head": "head"}

    def _write(self, tokens: Tensor, state: Fed) -> tuple[Tensor, Fed]:
        """Return what the head sees at each place, ``(B, T, H)``, and the state at the end."""
        embedded = self.dropout(self.embedding(tokens))  # (B, T, E)
        if not self.feeding:
            before = tuple(part.transpose(0, 1).contiguous() for part in (state.hidden, state.cells))
            outputs, (hidden, cells) = self.decoder.carry(embedded, state=before)
            found, weights = self._look(outputs, state)
            after = state._replace(
                hidden=hidden.transpose(0, 1), cells=cells.transpose(0, 1), fed=found[:, -1], weights=weights[:, -1]
            )
            return found, after
        places = []
        first = self._cells()[0]
        words = F.linear(embedded, first.inputs.weight[:, : embedded.shape[2]], first.inputs.bias)
        for word in words.unbind(1):
            state = self._feed(word, state)
            places.append(state.fed)
        return torch.stack(places, 1), state

    def _feed(self, word: Tensor, state: Fed) -> Fed:
        """Make a step of the decoder that is fed what it found, given the word's part of it."""
        cells = self._cells()
        given = word + F.linear(state.fed, cells[0].inputs.weight[:, -state.fed.shape[1] :])
        output = state.fed
        hidden, memories = [], []
        for layer, cell in enumerate(cells):
            if layer:
                given = cell.project(self.decoder.dropout(output))
            output, (_, memory) = cell.step(given, (state.hidden[:, layer], state.cells[:, layer]))
            hidden.append(output)
            memories.append(memory)
        found, weights = self._look(output[:, None], state)
        return state._replace(
            hidden=torch.stack(hidden, 1), cells=torch.stack(memories, 1), fed=found[:, 0], weights=weights[:, 0]
        )

    def _look(self, outputs: Tensor, state: Fed) -> tuple[Tensor, Tensor]:
        """Return the attentional states ``(B, T, H)`` after dropout, and the weights ``(B, T, L)``."""
        context, weights = attend(self.scores(outputs, state.projected), state.memory, state.inside)
        return self.dropout(torch.tanh(self.combine(torch.cat([context, outputs], 2)))), weights  # Eq. 5

    def _cells(self) -> list[Cell]:
        return [layer for layer in self.decoder.passes if isinstance(layer, Cell)]
