"""An LSTM language model with dropout between its layers only (Zaremba, Sutskever & Vinyals 2014)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["LstmLm"]

SIZES = {
    "lstm_lm_small": {"hidden_size": 200, "dropout": 0.0, "bound": 0.1},
    "lstm_lm_medium": {"hidden_size": 650, "dropout": 0.5, "bound": 0.05},
    "lstm_lm_large": {"hidden_size": 1500, "dropout": 0.65, "bound": 0.04},
}


class LstmLm(nn.Module):
    r"""Predict the next token from all before it: the strong and simple recurrent baseline, of words or characters.

    Zaremba, Sutskever, Vinyals, "Recurrent neural network regularization", 2014, arXiv:1409.2329. With
    :math:`h_t^0` the vector of token t, D dropout, and L layers:

    .. math::
        i, f, o &= \sigma(W_{i,f,o}\, D(h_t^{l-1}) + U_{i,f,o}\, h_{t-1}^l + b_{i,f,o}) \\
        g &= \tanh(W_g\, D(h_t^{l-1}) + U_g\, h_{t-1}^l + b_g) \\
        c_t^l &= f \odot c_{t-1}^l + i \odot g, \qquad h_t^l = o \odot \tanh(c_t^l) \\
        p(w_{t+1}) &= \mathrm{softmax}(V\, D(h_t^L) + b)

    Dropout is on the vertical connections alone, so that the memory along the text stays whole (their Eq. 5 and figure
    2). All weights and biases are drawn from U(-bound, bound). torch's fused LSTM, which has two biases per gate, as
    their code has.

    Shapes:
        Tokens ``(B, T)`` int64 and a state, to logits ``(B, T, V)`` and the state at the end: ``(h, c)``, each
        ``(B, num_layers, hidden_size)``; None is the state of zeros.
    """

    class Config(ModelConfig):
        """The network's form; ``lstm_lm_small``, ``lstm_lm_medium`` and ``lstm_lm_large`` are the paper's.

        Attributes:
            hidden_size: Hidden units per layer, and numbers per token.
            num_layers: Layers above each other.
            dropout: Share dropped in training of what goes into a layer, and into the softmax.
            bound: The largest first weight.
            vocab_size: Tokens known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        hidden_size: int = Field(default=200, ge=1)
        num_layers: int = Field(default=2, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        bound: float = Field(default=0.1, gt=0)
        vocab_size: int | Auto = AUTO

    def __init__(self, config: LstmLm.Config) -> None:
        super().__init__()
        size, layers = config.hidden_size, config.num_layers
        self.embedding = nn.Embedding(config.vocab_size, size)
        self.embedding_dropout = nn.Dropout(config.dropout)
        between = config.dropout if layers > 1 else 0.0  # torch warns where there is nothing between
        self.lstm = nn.LSTM(size, size, layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(size, config.vocab_size)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-config.bound, config.bound)

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the logits and the state after the last token."""
        x = self.embedding_dropout(self.embedding(tokens.t()))  # (T, B, H): time first is what the kernel reads
        if state is None:
            states, (h, c) = self.lstm(x)
        else:
            before = (state[0].transpose(0, 1).contiguous(), state[1].transpose(0, 1).contiguous())
            states, (h, c) = self.lstm(x, before)
        states = self.dropout(states).transpose(0, 1).contiguous()  # (B, T, H), small beside the logits
        return self.head(states), (h.transpose(0, 1), c.transpose(0, 1))

    def landmarks(self) -> dict[str, str]:
        """Return where the token vectors, the last states and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
