"""Maxout (Goodfellow et al. 2013, arXiv:1302.4389)."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Maxout"]


class Maxout(nn.Module):
    r"""The largest of each unit's pieces: a learned, convex, piecewise linear activation.

    .. math:: h_i(x) = \max_{j \in [1, k]} z_{ij} \qquad \text{(section 3)}

    The layer before it gives ``k`` channels for each unit, those of one unit beside each other.

    Args:
        pieces: k.

    Shapes:
        ``(B, C * pieces, ...)`` to ``(B, C, ...)``.

    Example:
        >>> Maxout(2)(torch.tensor([[1.0, 3.0, -2.0, -5.0]]))
        tensor([[ 3., -2.]])
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest piece of each unit."""
        return x.unflatten(1, (-1, self.pieces)).amax(2)

    def extra_repr(self) -> str:
        """Return its form, for printing."""
        return f"pieces={self.pieces}"
