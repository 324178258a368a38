"""A conditional random field on the states of a bidirectional LSTM (Huang, Xu & Yu 2015, arXiv:1508.01991)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.chain import cropped
from netsmith.layers.linear_chain import pack

__all__ = ["BiLSTMCRF"]


class BiLSTMCRF(nn.Module):
    r"""Read a sequence from both ends, and score all sequences of tags together.

    .. math:: p(y \mid x) \propto \exp \sum_t \big( (W h_t + b)_{y_t} + u_{y_{t-1} y_t} \big), \qquad
              h = \mathrm{BiLSTM}(e(x))

    where e is a learned vector of each token. Huang et al. put features beside the LSTM; here are none. Lample et al.
    2016 (arXiv:1603.01360) drop inputs of the LSTM as here.

    The answer does not depend on padding: the input is one number wider than the vectors, 1 at tokens and 0 at
    padding, its weights are the biases, and so the backward direction reaches the last token with a state of zeros.
    Forget gates begin open, at a bias of 1.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to a packed chain ``(B, L + K, K)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            embedding_size: Numbers per token.
            hidden_size: Hidden units per direction.
            embedding_dropout: Share of the input's numbers dropped in training.
            dropout: Share of the states' numbers dropped in training.
            vocab_size: Tokens known, padding and unknown included.
            num_classes: Number of tags.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")

        embedding_size: int = Field(default=64, ge=1)
        hidden_size: int = Field(default=128, ge=1)
        embedding_dropout: float = Field(default=0.5, ge=0, lt=1)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: BiLSTMCRF.Config) -> None:
        super().__init__()
        tags, size, hidden = int(config.num_classes), config.embedding_size, config.hidden_size
        self.embedding = nn.Embedding(int(config.vocab_size), size, padding_idx=0)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.lstm = nn.LSTM(size + 1, hidden, bias=False, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * hidden, tags)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))
        with torch.no_grad():
            self.embedding.weight.uniform_(-((3 / size) ** 0.5), (3 / size) ** 0.5)  # of length 1 each, about
            self.embedding.weight[0] = 0
            for weight in (self.lstm.weight_ih_l0, self.lstm.weight_ih_l0_reverse):
                biases = weight[:, -1].view(4, hidden)  # of i, f, g, o, in torch's order
                biases.zero_()
                biases[1] = 1.0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the packed chain."""
        seen = cropped(tokens)
        valid = (seen != 0)[..., None].to(self.head.weight.dtype)  # (B, l, 1)
        vectors = self.embedding_dropout(self.embedding(seen))
        states, _ = self.lstm(torch.cat([vectors, valid], 2))  # (B, l, 2H): forward, backward
        emissions = self.head(self.dropout(states))
        return pack(emissions, self.transitions, tokens != 0, start=self.start, end=self.end)

    def landmarks(self) -> dict[str, str]:
        """Return where the vectors, the states and the emissions are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
