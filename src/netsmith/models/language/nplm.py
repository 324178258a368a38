"""The neural probabilistic language model (Bengio, Ducharme, Vincent & Jauvin 2003): word vectors, a window, a net."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["Nplm"]

SIZES = {
    "nplm_brown": {"order": 5, "embedding_size": 30, "hidden_size": 100, "direct": True},
}


class Nplm(nn.Module):
    r"""Predict a token from the vectors of the n - 1 before it: where neural language models and word vectors begin.

    Bengio, Ducharme, Vincent, Jauvin, "A neural probabilistic language model", JMLR 3, 2003, Eq. 1:

    .. math:: y = b + W x + U \tanh(d + H x), \qquad x = (C(w_{t-1}), \ldots, C(w_{t-n+1}))

    and the softmax of y. C are the word vectors (m numbers each), h the hidden units; W, the direct connections, may be
    left out, and so may the hidden units. With V words there are :math:`V (1 + n m + h) + h (1 + (n - 1) m)` weights
    with direct connections; with those of Brown, V = 16,383, n = 5, h = 100, m = 30, 4,124,233.

    The window reaches over the ends of lines; before a text stands the mark that ends one (or padding).

    Shapes:
        Tokens ``(B, T)`` int64 and a state ``(B, n - 2)``, the tokens before, to logits ``(B, T, V)`` and the state at
        the end.
    """

    class Config(ModelConfig):
        """The network's form; ``nplm_brown`` is the largest of table 1.

        Attributes:
            order: n: the token and the n - 1 before it that it is predicted from.
            embedding_size: m, numbers per token.
            hidden_size: h, hidden units; 0 leaves them out.
            direct: Connections from the word vectors to the outputs (W).
            vocab_size: Tokens known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")

        order: int = Field(default=5, ge=2, le=64)
        embedding_size: int = Field(default=30, ge=1)
        hidden_size: int = Field(default=100, ge=0)
        direct: bool = False
        vocab_size: int | Auto = AUTO

    def __init__(self, config: Nplm.Config) -> None:
        super().__init__()
        if not (config.hidden_size or config.direct):
            raise ConfigError("hidden_size=0 and direct=false leave nothing between words and outputs; set one of them")
        self.before = config.order - 1
        window = self.before * config.embedding_size
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size)  # C
        self.hidden = nn.Linear(window, config.hidden_size) if config.hidden_size else None  # H, d
        self.head = nn.Linear(config.hidden_size or window, config.vocab_size)  # U, b; without hidden units W, b
        both = config.hidden_size and config.direct
        self.direct = nn.Linear(window, config.vocab_size, bias=False) if both else None  # W

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits and the last tokens."""
        if state is None:
            state = tokens.new_zeros(tokens.shape[0], self.before - 1)
        whole = torch.cat([state, tokens], dim=1)  # (B, n - 2 + T)
        vectors = self.embedding(whole)  # (B, n - 2 + T, m)
        length = tokens.shape[1]
        # The nearest word first, as in the paper's x.
        x = torch.cat([vectors[:, at : at + length] for at in range(self.before - 1, -1, -1)], dim=2)  # (B, T, (n-1) m)
        y = self.head(x if self.hidden is None else self.hidden(x).tanh())  # Eq. 1
        return (y if self.direct is None else y + self.direct(x)), whole[:, length:]

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors and the outputs are."""
        return {"stem": "embedding", "head": "head"}
