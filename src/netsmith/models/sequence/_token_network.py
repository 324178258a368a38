"""What recurrent networks over tokens share: token vectors, recurrent layers of any cell, a linear layer."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.recurrent.kinds import CellKind, check_kind
from netsmith.layers.recurrent.stack import Recurrent

__all__ = ["TokenFields", "TokenNetwork"]


class TokenFields(ModelConfig):
    """The fields of every such network.

    Attributes:
        cell: Kind of cell.
        embedding_size: Numbers per token.
        hidden_size: Hidden units per layer and direction.
        num_layers: Layers above each other.
        bidirectional: Whether it is read from both ends.
        dropout: Share dropped in training of token vectors, between layers and of what the linear layer sees.
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
    def _check(self) -> Self:
        check_kind(self.cell, output_size=int(self.cell == "jordan"), forget_bias=self.forget_bias)
        return self


class TokenNetwork(nn.Module):
    """Abstract: a subclass says which of the states the linear layer ``head`` answers from.

    Token vectors are drawn from U(-0.25, 0.25), the cells as torch draws them.
    """

    def __init__(self, config: TokenFields) -> None:
        super().__init__()
        self.embedding = nn.Embedding(int(config.vocab_size), config.embedding_size, padding_idx=0)
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
        self.head = nn.Linear(self.recurrent.width, int(config.num_classes))
        with torch.no_grad():
            self.embedding.weight.uniform_(-0.25, 0.25)
            self.embedding.weight[0] = 0

    def landmarks(self) -> dict[str, str]:
        """Return where the token vectors, what the head sees and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
