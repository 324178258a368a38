"""A recurrent network that answers at every token (Elman 1990)."""

from __future__ import annotations

from torch import Tensor

from netsmith.models.sequence._token_network import TokenFields, TokenNetwork

__all__ = ["RecurrentTagger"]


class RecurrentTagger(TokenNetwork):
    r"""Token vectors, recurrent layers of any cell, a linear layer on every state.

    .. math:: h_t = \mathrm{cell}(e(w_t), h_{t-1}), \qquad y_t = V h_t + c

    Answers do not depend on padding. A ``jordan`` cell feeds back as many numbers as there are classes.

    Token vectors are drawn from U(-0.25, 0.25), the cells as torch draws them.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, L, num_classes)``.
    """

    class Config(TokenFields):
        """The network's form."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of every place."""
        states = self.recurrent(self.dropout(self.embedding(tokens)), (tokens != 0).sum(1))  # (B, L, W)
        return self.head(self.dropout(states))
