"""A recurrent network over tokens with one answer (Elman 1990; Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.recurrent.kinds import CellKind, check_kind
from netsmith.layers.recurrent.stack import Recurrent

__all__ = ["RecurrentClassifier"]


class RecurrentClassifier(nn.Module):
    r"""Word vectors, recurrent layers of any cell, one state for the sequence, a linear layer.

    .. math:: h_t = \mathrm{cell}(e(w_t), h_{t-1}), \qquad y = V\, \mathrm{pool}(h_1, \dots, h_L) + c

    ``last`` takes the forward direction's state at the last token and the backward one's at the first. The answer does
    not depend on padding; an empty sequence is read as zeros. A ``jordan`` cell feeds its own answer back, as many
    numbers as there are classes.

    Word vectors are drawn from U(-0.25, 0.25), the cells as torch draws them.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            cell: Kind of cell.
            embedding_size: Numbers per token.
            hidden_size: Hidden units per layer and direction.
            num_layers: Layers above each other.
            bidirectional: Whether it is read from both ends.
            pooling: The ``last`` state, each unit's ``mean``, or its ``max`` over the tokens.
            dropout: Share dropped in training of word vectors, between layers and of the pooled features.
            forget_bias: What forget gates' biases start at (1 is open); None draws them.
            vocab_size: Tokens known, padding and unknown included.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        cell: CellKind = "lstm"
        embedding_size: int = Field(default=100, ge=1)
        hidden_size: int = Field(default=100, ge=1)
        num_layers: int = Field(default=1, ge=1)
        bidirectional: bool = False
        pooling: Literal["last", "mean", "max"] = "last"
        dropout: float = Field(default=0.0, ge=0, lt=1)
        forget_bias: float | None = None
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> RecurrentClassifier.Config:
            check_kind(self.cell, output_size=int(self.cell == "jordan"), forget_bias=self.forget_bias)
            return self

    def __init__(self, config: RecurrentClassifier.Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=0)
        self.recurrent = Recurrent(
            config.embedding_size,
            config.hidden_size,
            cell=config.cell,
            num_layers=config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
            output_size=int(config.num_classes) if config.cell == "jordan" else 0,
            forget_bias=config.forget_bias,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.recurrent.width, config.num_classes)
        with torch.no_grad():
            self.embedding.weight.uniform_(-0.25, 0.25)
            self.embedding.weight[0] = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits."""
        lengths = (tokens != 0).sum(1)  # (B,)
        states = self.recurrent(self.dropout(self.embedding(tokens)), lengths)  # (B, L, W), 0 at padding
        return self.head(self.dropout(self._pool(states, lengths)))

    def _pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        if self.config.pooling == "mean":
            return states.sum(1) / lengths.clamp(min=1)[:, None]
        if self.config.pooling == "max":
            outside = torch.arange(states.shape[1], device=states.device) >= lengths.clamp(min=1)[:, None]
            return states.masked_fill(outside[..., None], -torch.inf).amax(1)
        at = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        last = states.gather(1, at)[:, 0]  # (B, W)
        if not self.config.bidirectional:
            return last
        forward, _ = last.chunk(2, dim=1)
        return torch.cat([forward, states[:, 0].chunk(2, dim=1)[1]], dim=1)

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the pooled features and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
