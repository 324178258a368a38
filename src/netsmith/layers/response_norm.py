"""Local response normalization (Krizhevsky et al. 2012, section 3.3)."""

from __future__ import annotations

from torch import nn

__all__ = ["response_norm"]


def response_norm() -> nn.Module:
    r"""Return the normalization across channels of AlexNet and its heirs.

    .. math:: b_i = a_i \,/\, \big(k + \alpha \sum_{j=i-n/2}^{i+n/2} a_j^2\big)^\beta

    with k = 2, n = 5, alpha = 1e-4 and beta = 0.75. Torch divides alpha by n, the paper does not.

    Shapes:
        ``(B, C, H, W)`` to the same.
    """
    return nn.LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0)
