"""PageRank (Brin & Page 1998) with weights, by power iteration."""

from __future__ import annotations

import numpy as np

from netsmith.core.errors import ConfigError

__all__ = ["page_rank"]


def page_rank(
    rows: np.ndarray,
    columns: np.ndarray,
    weights: np.ndarray,
    *,
    size: int,
    damping: float = 0.85,
    tolerance: float = 1e-12,
    max_steps: int = 10_000,
) -> np.ndarray:
    r"""Return how much each node of a graph is pointed at by nodes that are pointed at themselves.

    .. math:: p_j = \frac{1 - d}{n} + d \left( \sum_i \frac{w_{ij}}{\sum_k w_{ik}} \, p_i + \frac{1}{n} \sum_{i
              \text{ without edges}} p_i \right)

    The step shrinks every error by d or more, so it converges for any graph, to ranks that sum to 1.

    Args:
        rows: ``(E,)`` int64, where each edge begins; an undirected one is there twice.
        columns: ``(E,)`` int64, where it ends.
        weights: ``(E,)`` its weight, above 0.
        size: How many nodes there are.
        damping: d, in 0..1 (below 1).
        tolerance: The sum of all changes in a step at which it ends.
        max_steps: Steps after which it gives up.

    Raises:
        ConfigError: A damping or a weight out of range, or no convergence.

    Example:
        >>> edges = np.array([0, 1, 1, 2]), np.array([1, 0, 2, 1])
        >>> page_rank(*edges, np.ones(4), size=3).round(4).tolist()
        [0.2568, 0.4865, 0.2568]
    """
    if not 0 <= damping < 1 or (len(weights) and not (np.isfinite(weights).all() and weights.min() > 0)):
        raise ConfigError(f"damping={damping} and its weights: expected a damping of 0 to below 1 and weights above 0")
    leaving = np.bincount(rows, weights=weights, minlength=size)
    share = weights / leaving[rows]
    alone = leaving == 0
    ranks = np.full(size, 1 / max(size, 1))
    for _ in range(max_steps):
        reached = np.bincount(columns, weights=share * ranks[rows], minlength=size)
        new = (1 - damping) / size + damping * (reached + ranks[alone].sum() / size)
        if np.abs(new - ranks).sum() <= tolerance:
            return new
        ranks = new
    raise ConfigError(f"PageRank did not converge to {tolerance:g} in {max_steps} steps; raise max_steps")
