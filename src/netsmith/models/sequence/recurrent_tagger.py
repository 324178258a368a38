"""A recurrent network that answers at every token (Elman 1990)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.recurrent.kinds import CellKind, check_kind
from netsmith.layers.recurrent.stack import Recurrent

__all__ = ["RecurrentTagger"]


class RecurrentTagger(nn.Module):
    r"""Token vectors, recurrent layers of any cell, a linear layer on every state.

    .. math:: h_t = \mathrm{cell}(e(w_t), h_{t-1}), \qquad y_t = V h_t + c

    Answers do not depend on padding. A ``jordan`` cell feeds back as many numbers as there are classes.

    Token vectors are drawn from U(-0.25, 0.25), the cells as torch draws them.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, L, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            cell: Kind of cell.
            embedding_size: Numbers per token.
            hidden_size: Hidden units per layer and direction.
            num_layers: Layers above each other.
            bidirectional: Whether it is read from both ends.
            dropout: Share dropped in training of token vectors, between layers and of the last states.
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
        dropout: float = Field(default=0.0, ge=0, lt=1)
        forget_bias: float | None = None
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> RecurrentTagger.Config:
            check_kind(self.cell, output_size=int(self.cell == "jordan"), forget_bias=self.forget_bias)
            return self

    def __init__(self, config: RecurrentTagger.Config) -> None:
        super().__init__()
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
        """Return the logits of every place."""
        states = self.recurrent(self.dropout(self.embedding(tokens)), (tokens != 0).sum(1))  # (B, L, W)
        return self.head(self.dropout(states))

    def landmarks(self) -> dict[str, str]:
        """Return where the token vectors, the last states and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
