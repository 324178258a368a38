"""How much each word of a query counts: shares that sum to 1.

Guo, Fan, Ai & Croft, "A Deep Relevance Matching Model for Ad-hoc Retrieval", CIKM 2016 (arXiv:1711.08611).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["TermGating"]


class TermGating(nn.Module):
    r"""A softmax over a query's words, of one learned direction.

    .. math:: g_i = \frac{\exp(w^T x_i)}{\sum_j \exp(w^T x_j)}

    With x the word's vector it is the paper's TV, with x its inverse document frequency (one number) IDF. At first all
    words count the same: w begins at 0.

    Args:
        size: Numbers of x.

    Raises:
        ConfigError: A size below 1.

    Example:
        >>> gate = TermGating(1)
        >>> gate(torch.tensor([[[3.0], [1.0], [0.0]]]), torch.tensor([[True, True, False]]))
        tensor([[0.5000, 0.5000, 0.0000]], grad_fn=<MulBackward0>)
    """

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        if size < 1:
            raise ConfigError(f"size={size}; expected 1 or more")
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, terms: Tensor, mask: Tensor) -> Tensor:
        """Return the shares.

        Args:
            terms: x, ``(B, Q, size)``.
            mask: ``(B, Q)`` bool, which words there are.

        Returns:
            ``(B, Q)``, 0 where there is no word; of a query without words all are 0.
        """
        scores = terms @ self.weight  # (B, Q), of a shorter type under autocast
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return scores.softmax(1) * mask
