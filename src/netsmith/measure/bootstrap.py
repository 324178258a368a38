"""How sure a difference between two models is that were judged on the same examples."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["paired_bootstrap"]


def paired_bootstrap(
    first: Tensor, second: Tensor, *, level: float = 0.95, rounds: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile interval of ``mean(first) - mean(second)`` when the examples are drawn anew.

    Both scores of an example are drawn together, so that what is hard for both does not count as uncertainty (Efron &
    Tibshirani 1993, section 13; Koehn 2004 for paired systems). Several runs of each model are averaged per example
    first: the interval is about the examples, not about the seeds.

    Args:
        first: ``(N,)`` scores of one model, an example each (1 right, 0 wrong); or ``(R, N)`` of R runs.
        second: The other's, of the same examples in the same order.
        level: The part of the resampled differences that the interval holds.
        rounds: How often the examples are drawn.
        seed: Of the draws.

    Raises:
        ValueError: Different numbers of examples, none, or a level out of (0, 1).

    Example:
        >>> paired_bootstrap(torch.tensor([1.0, 1, 1, 1]), torch.tensor([0.0, 0, 0, 0]))
        (1.0, 1.0)
    """
    if first.shape[-1:] != second.shape[-1:] or not first.numel() or not second.numel() or not 0 < level < 1:
        raise ValueError(
            f"expected scores of the same examples and a level in (0, 1), got {tuple(first.shape)}, "
            f"{tuple(second.shape)}, {level}"
        )
    a, b = (scores.double().reshape(-1, scores.shape[-1]).mean(0) for scores in (first, second))
    generator, gaps = torch.Generator().manual_seed(seed), a - b
    draws = torch.stack([gaps[torch.randint(len(gaps), gaps.shape, generator=generator)].mean() for _ in range(rounds)])
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = draws.quantile(ends).tolist()
    return low, high
