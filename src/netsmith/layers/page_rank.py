"""PageRank (Brin & Page 1998) with weights, by power iteration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netsmith.core.errors import ConfigError

__all__ = ["page_rank", "ranks_of_walk"]


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
    if len(weights) and not (np.isfinite(weights).all() and weights.min() > 0):
        raise ConfigError("weights of edges: expected numbers above 0")
    leaving = np.bincount(rows, weights=weights, minlength=size)
    share = weights / leaving[rows]
    return ranks_of_walk(
        lambda ranks: np.bincount(columns, weights=share * ranks[rows], minlength=size),
        alone=leaving == 0,
        damping=damping,
        tolerance=tolerance,
        max_steps=max_steps,
    )


def ranks_of_walk(
    reached: Callable[[np.ndarray], np.ndarray],
    *,
    alone: np.ndarray,
    damping: float = 0.85,
    tolerance: float = 1e-12,
    max_steps: int = 10_000,
) -> np.ndarray:
    """Return the PageRank of a graph that is given by what a step along its edges does, not by its edges.

    So a graph whose edges follow a rule needs no memory for them; :func:`page_rank` takes edges.

    Args:
        reached: Takes ranks ``(N,)`` and returns what of them arrives at each node, ``(N,)`` float64.
        alone: ``(N,)`` bool, the nodes without edges.
        damping: d, in 0..1 (below 1).
        tolerance: The sum of all changes in a step at which it ends.
        max_steps: Steps after which it gives up.

    Raises:
        ConfigError: A damping out of range, or no convergence.

    Example:
        >>> ranks_of_walk(lambda ranks: ranks[::-1], alone=np.zeros(2, bool)).tolist()
        [0.5, 0.5]
    """
    if not 0 <= damping < 1:
        raise ConfigError(f"damping={damping}; expected a damping of 0 to below 1")
    size = len(alone)
    ranks = np.full(size, 1 / max(size, 1))
    for _ in range(max_steps):
        new = (1 - damping) / size + damping * (reached(ranks) + ranks[alone].sum() / size)
        if np.abs(new - ranks).sum() <= tolerance:
            return new
        ranks = new
    raise ConfigError(f"PageRank did not converge to {tolerance:g} in {max_steps} steps; raise max_steps")
