"""Sequence to sequence: one network reads a text into a state, another writes from it."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.recurrent.unroll import reversed_within
from netsmith.models.translation._headed import HeadedWriter

__all__ = ["Memories", "Seq2Seq"]


class Memories(NamedTuple):
    """The states of all layers: all that the decoder knows of the source.

    Attributes:
        hidden: ``(N, num_layers, H)``.
        cells: ``(N, num_layers, H)``.
    """

    hidden: Tensor
    cells: Tensor


class Seq2Seq(HeadedWriter):
    r"""Stacked LSTMs: one reads the source, the last states of all its layers are the first ones of the other.

    Sutskever, Vinyals, Le, "Sequence to sequence learning with neural networks", NIPS 2014, arXiv:1409.3215. With v the
    states after the last word read, their Eq. 1:

    .. math:: p(y_1, \ldots, y_T \mid x_1, \ldots, x_L) = \prod_t p(y_t \mid v, y_1, \ldots, y_{t-1})

    The source is read from its end to its beginning, so that its first words stand near the first to be written (their
    section 3.3: perplexity 5.8 to 4.7).

    Differences: words and the outputs of layers have dropout; weights are drawn by torch's rules.

    Shapes:
        Source ``(B, L)`` int64 and text ``(B, T)`` int64 to logits ``(B, T, V)``.
    """

    class Config(ModelConfig):
        """The network's form; by default a small one. The paper's: 1000, 1000, 4 layers, no dropout.

        Attributes:
            embedding_size: Numbers per word.
            hidden_size: Units of each layer of both networks.
            num_layers: Layers of both networks.
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
        reverse: bool = True
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Seq2Seq.Config) -> None:
        super().__init__()
        size, hidden, layers = config.embedding_size, config.hidden_size, config.num_layers
        self.reverse = config.reverse
        self.source_embedding = nn.Embedding(config.vocab_size, size)
        self.encoder = Recurrent(size, hidden, num_layers=layers, dropout=config.dropout)
        self.embedding = nn.Embedding(config.num_outputs, size)
        self.decoder = Recurrent(size, hidden, num_layers=layers, dropout=config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(hidden, config.num_outputs)

    def begin(self, source: Tensor) -> Memories:
        """Return the states after the whole source."""
        lengths = (source != 0).sum(1)
        embedded = self.dropout(self.source_embedding(source))
        read = reversed_within(embedded, lengths) if self.reverse else embedded
        outputs, (hidden, cells) = self.encoder.carry(read, lengths)
        # The same numbers as hidden[-1]; the exporter loses a packed run whose outputs nothing takes.
        last = outputs.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, outputs.shape[2]))[:, 0]
        return Memories(torch.cat([hidden[:-1], last[None]]).transpose(0, 1), cells.transpose(0, 1))

    def landmarks(self) -> dict[str, str]:
        """Return where the vectors of the words, the encoder and the head are."""
        return {"stem": "source_embedding", "features": "encoder", "head": "head"}

    def _write(self, tokens: Tensor, state: Memories) -> tuple[Tensor, Memories]:
        """Return what the head sees at each place, ``(B, T, H)``, and the states at the end."""
        embedded = self.dropout(self.embedding(tokens))
        outputs, after = self.decoder.carry(embedded, state=tuple(part.transpose(0, 1).contiguous() for part in state))
        return self.dropout(outputs), Memories(*(part.transpose(0, 1) for part in after))
