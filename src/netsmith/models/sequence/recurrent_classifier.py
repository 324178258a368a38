"""A recurrent network over tokens with one answer (Elman 1990; Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from netsmith.models.sequence._token_network import TokenFields, TokenNetwork

__all__ = ["RecurrentClassifier"]


class RecurrentClassifier(TokenNetwork):
    r"""Word vectors, recurrent layers of any cell, one state for the sequence, a linear layer.

    .. math:: h_t = \mathrm{cell}(e(w_t), h_{t-1}), \qquad y = V\, \mathrm{pool}(h_1, \dots, h_L) + c

    ``last`` takes the forward direction's state at the last token and the backward one's at the first. The answer does
    not depend on padding; an empty sequence is read as zeros. A ``jordan`` cell feeds its own answer back, as many
    numbers as there are classes.

    Word vectors are drawn from U(-0.25, 0.25), the cells as torch draws them.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)``.
    """

    class Config(TokenFields):
        """The network's form.

        Attributes:
            pooling: The ``last`` state, each unit's ``mean``, or its ``max`` over the tokens.
        """

        pooling: Literal["last", "mean", "max"] = "last"

    def __init__(self, config: RecurrentClassifier.Config) -> None:
        super().__init__(config)
        self.pooling = config.pooling

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits."""
        lengths = (tokens != 0).sum(1)  # (B,)
        states = self.recurrent(self.dropout(self.embedding(tokens)), lengths)  # (B, L, W), 0 at padding
        return self.head(self.dropout(self._pool(states, lengths)))

    def _pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        if self.pooling == "mean":
            return states.sum(1) / lengths.clamp(min=1)[:, None]
        if self.pooling == "max":
            outside = torch.arange(states.shape[1], device=states.device) >= lengths.clamp(min=1)[:, None]
            return states.masked_fill(outside[..., None], -torch.inf).amax(1)
        at = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        last = states.gather(1, at)[:, 0]  # (B, W)
        if self.recurrent.directions == 1:
            return last
        forward, _ = last.chunk(2, dim=1)
        return torch.cat([forward, states[:, 0].chunk(2, dim=1)[1]], dim=1)
