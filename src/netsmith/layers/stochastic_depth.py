"""Stochastic depth: residual branches that are skipped in training (Huang et al. 2016, arXiv:1603.09382)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["StochasticDepth", "survivals"]


def survivals(blocks: int, drop: float) -> tuple[float, ...]:
    r"""Return how likely each residual block survives, falling linearly with its depth.

    .. math:: p_l = 1 - \frac{l}{L} (1 - p_L), \qquad l = 1 \ldots L

    Args:
        blocks: L, the number of blocks.
        drop: :math:`1 - p_L`, how likely the last block is skipped; in [0, 1).

    Example:
        >>> survivals(4, 0.5)
        (0.875, 0.75, 0.625, 0.5)
    """
    return tuple(1 - block / blocks * drop for block in range(1, blocks + 1))  # Eq. 4


class StochasticDepth(nn.Module):
    r"""Skip a residual branch for a whole batch at random in training; in use, scale it by how often it was there.

    .. math:: b \, f(x), \quad b \sim \mathrm{Bernoulli}(p) \text{ in training (Eq. 2)}; \qquad
              p \, f(x) \text{ in use (Eq. 5)}

    One draw for a batch (a micro-batch, where it is cut), as in the paper, so a skipped branch costs nothing: it is not
    computed, its normalizations count nothing, and its parameters get no gradient, so no optimizer moves them in that
    step. Numbers come from torch's default generator.

    Args:
        survival: p, in (0, 1].

    Shapes:
        What the branch returns; one zero, to be added to anything, where it is skipped.

    Example:
        >>> StochasticDepth(0.25).eval()(torch.ones(2), lambda x: 2 * x)
        tensor([0.5000, 0.5000])
    """

    def __init__(self, survival: float) -> None:
        super().__init__()
        self.survival = survival

    def forward(self, x: Tensor, branch: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the branch's answer to ``x``, or nothing of it."""
        if not self.training:
            return branch(x) * self.survival  # Eq. 5
        return branch(x) if float(torch.rand(())) < self.survival else x.new_zeros(())  # Eq. 2

    def extra_repr(self) -> str:
        return f"survival={self.survival:g}"
