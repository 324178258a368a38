"""How sure a difference between two models is that were judged on the same examples."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["paired_bootstrap", "randomization_test"]

_ENUMERATED = 20  # differences whose signs are all tried: half a million sums
_NUMBERS = 2**22  # signs that are held at once


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
        ValueError: Different numbers of examples, none, scores that are not finite, or a level out of (0, 1).

    Example:
        >>> paired_bootstrap(torch.tensor([1.0, 1, 1, 1]), torch.tensor([0.0, 0, 0, 0]))
        (1.0, 1.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"expected a level in (0, 1), got {level}")
    gaps, generator = _gaps(first, second), torch.Generator().manual_seed(seed)
    draws = torch.stack([gaps[torch.randint(len(gaps), gaps.shape, generator=generator)].mean() for _ in range(rounds)])
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low, high = draws.quantile(ends).tolist()
    return low, high


def randomization_test(first: Tensor, second: Tensor, *, rounds: int = 100_000, seed: int = 0) -> float:
    r"""Return how often a difference as large as that of two models' means comes by chance: Fisher's two-sided p.

    If the models were alike, either's score of an example could as well be the other's: each difference could have the
    other sign. Over all :math:`2^N` choices of signs :math:`s`

    .. math:: p = P\left(\left|\sum_i s_i d_i\right| \ge \left|\sum_i d_i\right|\right)

    Smucker, Allan & Carterette 2007, "A comparison of statistical significance tests for information retrieval
    evaluation": against it the sign test and Wilcoxon's, which see less than the mean, go wrong. With at most 20
    examples that differ all signs are tried; else some are drawn, and what was seen counts as one of the draws, so that
    p is never 0 (Phipson & Smyth 2010). Like the interval it speaks of the examples: several runs of each model are
    averaged per example first.

    Args:
        first: ``(N,)`` scores of one model, an example each (average precision, 1 right and 0 wrong); or ``(R, N)`` of
            R runs.
        second: The other's, of the same examples in the same order.
        rounds: How often signs are drawn where not all are tried.
        seed: Of the draws.

    Raises:
        ValueError: Different numbers of examples, none, scores that are not finite, or no round.

    Example:
        >>> randomization_test(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0.5, 0.6, 0.4]))  # +++ and --- of eight
        0.25
    """
    if rounds < 1:
        raise ValueError(f"expected a round at least, got {rounds}")
    gaps = _gaps(first, second)
    gaps = gaps[gaps != 0]  # a sign changes nothing where there is no difference
    least = gaps.sum().abs() - 1e-12 * gaps.abs().sum()  # equal sums differ in their last bits, added in other orders
    if len(gaps) <= _ENUMERATED:
        sums = gaps[:1].sum()[None]  # the first one's sign stays: all signs turned give the same size
        for gap in gaps[1:]:
            sums = torch.cat([sums + gap, sums - gap])
        return float((sums.abs() >= least).double().mean())
    generator, reached = torch.Generator().manual_seed(seed), 1
    chunk = max(1, _NUMBERS // len(gaps))
    for start in range(0, rounds, chunk):
        shape = min(chunk, rounds - start), len(gaps)
        signs = torch.randint(2, shape, generator=generator, dtype=torch.int8).double() * 2 - 1
        reached += int(((signs @ gaps).abs() >= least).sum())
    return reached / (rounds + 1)


def _gaps(first: Tensor, second: Tensor) -> Tensor:
    """Return the differences of the examples' scores, ``(N,)`` float64, of the means over runs."""
    if first.shape[-1:] != second.shape[-1:] or not first.numel() or not second.numel():
        raise ValueError(f"expected scores of the same examples, got {tuple(first.shape)} and {tuple(second.shape)}")
    one, other = (scores.double().reshape(-1, scores.shape[-1]).mean(0) for scores in (first, second))
    gaps = one - other
    if odd := int((~gaps.isfinite()).sum()):
        raise ValueError(f"expected finite scores, got {odd} of {len(gaps)} examples without a difference")
    return gaps
