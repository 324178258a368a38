"""GNMT: deep stacks of LSTMs with residual connections, joined by attention at the decoder's bottom layer."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.attention_scores import AdditiveScores, attend
from netsmith.layers.recurrent.lstm import LSTMCell
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.models.translation._headed import HeadedWriter

__all__ = ["Gnmt", "Stacked"]

_PLAIN = 2  # layers below the residual connections, which "start from the layer third from the bottom" (figure 1)


class Stacked(NamedTuple):
    """What the decoder keeps: the states of its layers, and what it looks at.

    Attributes:
        hidden: ``(N, num_layers, H)``, m of each layer.
        cells: ``(N, num_layers, H)``, c of each layer.
        memory: ``(N, L, H)``, the outputs of the encoder's top layer.
        projected: ``(N, L, A)``, their part of the scores.
        inside: ``(N, L)`` bool, false at padding.
        weights: ``(N, L)``, what the last step looked at.
    """

    hidden: Tensor
    cells: Tensor
    memory: Tensor
    projected: Tensor
    inside: Tensor
    weights: Tensor


class Gnmt(HeadedWriter):
    r"""Google's neural machine translation: as many LSTM layers as will learn, since each adds to what is below it.

    Wu et al., "Google's neural machine translation system: bridging the gap between human and machine translation",
    2016, arXiv:1609.08144. Layer i of both stacks is, from the third on,

    .. math::
        c^i_t, m^i_t = \mathrm{LSTM}_i(c^i_{t-1}, m^i_{t-1}, x^{i-1}_t), \qquad x^i_t = m^i_t + x^{i-1}_t
            \qquad \text{(Eq. 6)}

    and below it without the sum (Eq. 5). The encoder's bottom layer reads in both directions (section 3.2). The decoder
    looks at the encoder's top layer by the output of its own bottom layer at the step before, through a network of one
    hidden layer (Eq. 4), and every layer of it reads what was found there beside its input:

    .. math:: a_t = \sum_s \mathrm{softmax}_s(v^\top \tanh(W m^1_{t-1} + U x_s)) \, x_s

    So the layers above the bottom one wait for nothing but it, which the paper uses to spread them over devices; here
    they run over a whole text at once by fused kernels. With source and target of one vocabulary, a mark ``<2xx>`` in
    front of the source and pairs of several languages it is the multilingual network of Johnson et al. (2017,
    arXiv:1611.04558): :mod:`netsmith.data.multi30k_multilingual`.

    Differences: the sum leaves out what attention found, which stands beside the input; the decoder begins with zeros,
    of which the paper says nothing; dropout is on the inputs of layers, not on what the sum carries on; no quantized
    inference (its section 6), no reinforcement learning (its Eq. 9). Its search, with the length and coverage penalty
    of Eq. 14, is :class:`~netsmith.layers.writing.Writing`.

    Shapes:
        Source ``(B, L)`` int64 and text ``(B, T)`` int64 to logits ``(B, T, V)``.

    Raises:
        ConfigError: ``share_embeddings`` with vocabularies of two sizes.
    """

    class Config(ModelConfig):
        """The network's form; by default a small one. The paper's: 1024, 1024, 8 layers, dropout 0.2.

        Attributes:
            embedding_size: Numbers per token.
            hidden_size: Units of each layer, and of each direction of the encoder's bottom layer.
            num_layers: Layers of the encoder, and of the decoder.
            attention_size: Hidden units of the attention; 0 for as many as a layer has.
            share_embeddings: Whether source and target have one table of tokens: for one vocabulary on both sides.
            init_range: Weights are drawn evenly from -r to r; 0 for torch's rules.
            dropout: Share dropped in training.
            vocab_size: Tokens of the source.
            num_outputs: Tokens of the text.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size", "attention_size")
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        embedding_size: int = Field(default=256, ge=1)
        hidden_size: int = Field(default=256, ge=1)
        num_layers: int = Field(default=3, ge=2)
        attention_size: int = Field(default=0, ge=0)
        share_embeddings: bool = False
        init_range: float = Field(default=0.04, ge=0)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Gnmt.Config) -> None:
        super().__init__()
        size, hidden, layers = config.embedding_size, config.hidden_size, config.num_layers
        if config.share_embeddings and config.vocab_size != config.num_outputs:
            raise ConfigError(
                f"share_embeddings needs one vocabulary for both sides, got {config.vocab_size} and "
                f"{config.num_outputs} tokens; set data.shared=true, or leave it out"
            )
        self.embedding = nn.Embedding(config.num_outputs, size)
        self.source_embedding = None if config.share_embeddings else nn.Embedding(config.vocab_size, size)
        self.bottom = Recurrent(size, hidden, bidirectional=True)
        self.encoder = nn.ModuleList(Recurrent(hidden if i else 2 * hidden, hidden) for i in range(layers - 1))
        self.scores = AdditiveScores(hidden, hidden, size=config.attention_size or hidden)
        self.first = LSTMCell(size + hidden, hidden)
        self.decoder = nn.ModuleList(Recurrent(2 * hidden, hidden) for _ in range(layers - 1))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(hidden, config.num_outputs)
        if config.init_range:
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.uniform_(-config.init_range, config.init_range)

    def begin(self, source: Tensor) -> Stacked:
        """Return what the encoder's top layer says of the source, and zeros for the decoder."""
        inside = source != 0
        lengths = inside.sum(1)
        table = self.embedding if self.source_embedding is None else self.source_embedding
        x = self.bottom(self.dropout(table(source)), lengths)  # (B, L, 2 H)
        for above, layer in enumerate(self.encoder, 1):
            output = layer(self.dropout(x), lengths)
            x = output + x if above >= _PLAIN else output  # Eq. 6
        memory = self.dropout(x)
        zeros = torch.zeros_like(memory[:, :1]).repeat(1, 1 + len(self.decoder), 1)  # of a graph, any number of texts
        return Stacked(
            zeros, zeros, memory, self.scores.project(memory), inside, torch.zeros_like(inside, dtype=memory.dtype)
        )

    def attention(self, state: Stacked) -> Tensor:
        """Return the weights of the last step."""
        return state.weights

    def landmarks(self) -> dict[str, str]:
        """Return where the vectors of the source's tokens, the encoder's top and the head are."""
        stem = "embedding" if self.source_embedding is None else "source_embedding"
        return {"stem": stem, "features": f"encoder.{len(self.encoder) - 1}", "head": "head"}

    def _write(self, tokens: Tensor, state: Stacked) -> tuple[Tensor, Stacked]:
        """Return what the head sees at each place, ``(B, T, H)``, and the state at the end."""
        x, contexts, low, cell, weights = self._bottom(self.dropout(self.embedding(tokens)), state)
        hidden, cells = [low], [cell]
        for above, layer in enumerate(self.decoder, 1):
            before = tuple(part[:, above][None].contiguous() for part in (state.hidden, state.cells))
            output, after = layer.carry(torch.cat([self.dropout(x), contexts], 2), state=before)
            x = output + x if above >= _PLAIN else output  # Eq. 6
            for kept, part in zip((hidden, cells), after, strict=True):
                kept.append(part[0])
        state = state._replace(hidden=torch.stack(hidden, 1), cells=torch.stack(cells, 1), weights=weights)
        return self.dropout(x), state

    def _bottom(self, embedded: Tensor, state: Stacked) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return of the bottom layer its outputs and what it looked at, ``(B, T, H)``; its state and the weights."""
        inputs = self.first.inputs
        from_words = F.linear(embedded, inputs.weight[:, : embedded.shape[2]], inputs.bias)
        from_source = inputs.weight[:, embedded.shape[2] :]
        hidden, cell, weights = state.hidden[:, 0], state.cells[:, 0], state.weights
        outputs, contexts = [], []
        for word in from_words.unbind(1):
            found, seen = attend(self.scores(hidden[:, None], state.projected), state.memory, state.inside)  # Eq. 4
            context, weights = found[:, 0], seen[:, 0]
            hidden, (_, cell) = self.first.step(word + F.linear(context, from_source), (hidden, cell))
            outputs.append(hidden)
            contexts.append(context)
        return torch.stack(outputs, 1), torch.stack(contexts, 1), hidden, cell, weights
