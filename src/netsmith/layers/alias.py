"""Drawing from a fixed distribution of many outcomes in constant time (Walker's alias method)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsmith.core.errors import DataError

__all__ = ["alias_table"]


def alias_table(weights: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return tables from which one uniform number draws an outcome, however many there are.

    Walker 1977, doi:10.1145/355744.355749, built as Vose 1991 (doi:10.1109/32.92917) does. With u uniform in [0, 1), n
    outcomes and :math:`i = \lfloor u n \rfloor`, the outcome is i where :math:`u n - i < chances_i`, else
    :math:`others_i`.

    Args:
        weights: What each outcome weighs, at least 0, not all 0.

    Returns:
        ``chances`` ``(n,)`` float64 and ``others`` ``(n,)`` int64.

    Raises:
        DataError: A negative weight, or no positive one.

    Example:
        >>> chances, others = alias_table([3, 1])
        >>> chances.tolist(), others.tolist()
        ([1.0, 0.5], [0, 0])
    """
    given = np.asarray(weights, dtype=np.float64)
    if not given.size or given.min() < 0 or not 0 < given.sum() < np.inf:
        raise DataError("a distribution needs weights of at least 0, one of them above 0, all finite")
    share = (given / given.sum() * len(given)).tolist()
    chances, others = np.ones(len(given)), np.arange(len(given))
    poor = [place for place, value in enumerate(share) if value < 1]
    rich = [place for place, value in enumerate(share) if value >= 1]
    while poor and rich:
        low, high = poor.pop(), rich.pop()
        chances[low], others[low] = share[low], high
        share[high] -= 1 - share[low]
        (poor if share[high] < 1 else rich).append(high)
    return chances, others
