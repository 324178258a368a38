"""Soft counts of similarities by kernels, which unlike a histogram have a gradient.

Xiong, Dai, Callan, Liu & Power, "End-to-End Neural Ad-hoc Ranking with Kernel Pooling", SIGIR 2017 (arXiv:1706.06613).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError

__all__ = ["kernel_centers", "kernel_pooling"]

_LEAST = 1e-10  # of a soft count, before its logarithm


def kernel_centers(count: int = 11) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return means and widths as in the paper: 1 with width 0.001 for exact matches, the others over [-1, 1].

    Raises:
        ConfigError: Fewer than 2 kernels.

    Example:
        >>> kernel_centers(5)
        ((1.0, 0.75, 0.25, -0.25, -0.75), (0.001, 0.1, 0.1, 0.1, 0.1))
    """
    if count < 2:
        raise ConfigError(f"{count} kernels; expected 2 or more")
    step = 2 / (count - 1)
    means = (1.0, *(round(1 - step / 2 - step * at, 10) for at in range(count - 1)))
    return means, (0.001, *(0.1 for _ in means[1:]))


def kernel_pooling(
    similarities: Tensor,
    query_mask: Tensor,
    document_mask: Tensor,
    *,
    means: Sequence[float],
    widths: Sequence[float],
) -> Tensor:
    r"""Return the sums over a query's words of the logarithms of their soft counts.

    .. math:: \phi_k = \sum_i \ln \sum_j \exp\Bigl(-\frac{(M_{ij} - \mu_k)^2}{2 \sigma_k^2}\Bigr)

    Args:
        similarities: M, ``(B, Q, D)``.
        query_mask: ``(B, Q)`` bool, which words of the query there are.
        document_mask: ``(B, D)`` bool.
        means: Of K kernels.
        widths: As many, above 0.

    Returns:
        ``(B, K)``; a soft count below 1e-10 counts as that.

    Raises:
        ConfigError: Means and widths that do not go together.
    """
    if len(means) != len(widths) or not means or min(widths) <= 0:
        raise ConfigError(f"{len(means)} means and the widths {tuple(widths)}; expected as many, all above 0")
    mean, width = similarities.new_tensor(means), similarities.new_tensor(widths)
    near = torch.exp(-((similarities[..., None] - mean) ** 2) / (2 * width**2))  # (B, Q, D, K)
    counts = (near * document_mask[:, None, :, None]).sum(2)  # (B, Q, K)
    logs = counts.clamp(min=_LEAST).log()
    return (logs * query_mask[..., None]).sum(1)
