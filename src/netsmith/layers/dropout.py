"""Dropout in its two conventions: scaled in training, or at test time (Srivastava et al. 2014, JMLR 15:1929)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["TestScaledDropout", "dropout"]


class TestScaledDropout(nn.Module):
    r"""Dropout as first published: units are dropped in training, and all are there but weaker at test time.

    .. math:: m \star x, \quad m_i \sim \mathrm{Bernoulli}(1 - p) \text{ in training}; \qquad
              (1 - p) \, x \text{ in use}

    torch's ``nn.Dropout`` is the inverted convention: :math:`m \star x / (1 - p)` in training and ``x`` in use. In each
    the expectation in training is what is used at test time; the first is :math:`1 - p` times the second throughout,
    so that weights behind it come out :math:`1 / (1 - p)` times as large, and its gradients are smaller.

    Args:
        p: Share of the units dropped in training, in [0, 1).

    Shapes:
        Any to the same.

    Example:
        >>> TestScaledDropout(0.25).eval()(torch.ones(2))
        tensor([0.7500, 0.7500])
    """

    __test__ = False  # for pytest the name would be that of a test

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return the units that are kept, or all of them scaled."""
        return x * torch.rand_like(x).ge(self.p) if self.training else x * (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"


def dropout(p: float, *, scaled: Literal["training", "test"] = "training") -> nn.Module:
    """Return a dropout layer.

    Args:
        p: Share of the units dropped in training, in [0, 1).
        scaled: When units are scaled: in ``training`` (inverted, torch's own) or at ``test`` time.
    """
    return nn.Dropout(p) if scaled == "training" else TestScaledDropout(p)
