r"""Rank statistics over the last axis, for many rows at once, in double precision.

Kendall's tau_A divides by all pairs, tied or not:

.. math:: \tau_A = \frac{\#\text{concordant} - \#\text{discordant}}{n (n - 1) / 2}

Counted by Knight's rule (1966): sort by the first, count the inversions of the second. The inversions of all blocks of
one merge are found with one binary search, so a row costs :math:`O(n \log^2 n)` without a loop over its entries.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["kendall_tau_a", "mean_ranks", "pearson", "spearman"]


def mean_ranks(values: Tensor) -> Tensor:
    """Return ranks 1..n along the last axis, float64; ties share their mean rank."""
    ordered, order = values.sort(dim=-1, stable=True)
    first = _run_starts(ordered)
    # The end of a run is the start of the run seen from behind.
    last = ordered.shape[-1] - 1 - _run_starts(ordered.flip(-1)).flip(-1)
    middle = (first + last).double() / 2 + 1
    return torch.empty_like(middle).scatter_(-1, order, middle)


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Return Pearson's correlation along the last axis; NaN where a row is flat."""
    a, b = (row.double() - row.double().mean(-1, keepdim=True) for row in (first, second))
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Return Spearman's rank correlation along the last axis; NaN where a row is flat."""
    return pearson(mean_ranks(first), mean_ranks(second))


def kendall_tau_a(first: Tensor, second: Tensor) -> Tensor:
    """Return Kendall's tau_A along the last axis: ``(..., n)`` twice (broadcast) becomes ``(...)``."""
    first, second = torch.broadcast_tensors(first, second)
    count = first.shape[-1]
    # Order by first, then by second: two stable sorts, the important key last.
    order = second.argsort(dim=-1, stable=True)
    order = order.gather(-1, first.gather(-1, order).argsort(dim=-1, stable=True))
    x, y = first.gather(-1, order), second.gather(-1, order)
    ties_x = _tied_pairs(x[..., 1:] != x[..., :-1])
    ties_y = _tied_pairs(second.sort(dim=-1).values.diff(dim=-1) != 0)
    ties_both = _tied_pairs((x[..., 1:] != x[..., :-1]) | (y[..., 1:] != y[..., :-1]))
    pairs = count * (count - 1) // 2
    difference = pairs - ties_x - ties_y + ties_both - 2 * _inversions(y)  # concordant - discordant
    return difference.double() / pairs


def _inversions(values: Tensor) -> Tensor:
    """Count pairs i < j with values[i] > values[j] along the last axis: a merge sort from below, level by level."""
    count = values.shape[-1]
    size = 1 << max(0, count - 1).bit_length()
    # Ranks instead of values: whole numbers, and the padding can stand behind them all.
    ordered, order = values.sort(dim=-1, stable=True)
    starts = _run_starts(ordered)
    ranks = torch.full((*values.shape[:-1], size), size, dtype=torch.int64, device=values.device)
    ranks[..., :count] = torch.empty_like(starts).scatter_(-1, order, starts)
    total = torch.zeros(values.shape[:-1], dtype=torch.int64, device=values.device)
    width = 1
    while width < size:
        blocks = ranks.reshape(*values.shape[:-1], size // (2 * width), 2, width)
        left, right = blocks[..., 0, :].contiguous(), blocks[..., 1, :].contiguous()
        not_above = torch.searchsorted(left, right, right=True)  # of each on the right: how many on the left are <=
        total += (width - not_above).sum((-2, -1))
        ranks = blocks.flatten(-2).sort(dim=-1).values.flatten(-2)
        width *= 2
    return total


def _run_starts(ordered: Tensor) -> Tensor:
    """Return for each entry of sorted rows the position where its run of equal values starts, int64."""
    positions = torch.arange(ordered.shape[-1], device=ordered.device).expand(ordered.shape)
    new = torch.ones(ordered.shape, dtype=torch.bool, device=ordered.device)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    return torch.where(new, positions, 0).cummax(dim=-1).values


def _tied_pairs(changes: Tensor) -> Tensor:
    """Return the pairs within runs, given where a new run starts (from the second entry on)."""
    positions = torch.arange(1, changes.shape[-1] + 1, device=changes.device).expand(changes.shape)
    starts = torch.where(changes, positions, 0).cummax(dim=-1).values
    return (positions - starts).sum(-1)  # a run of c gives 0 + 1 + ... + (c - 1) = c (c - 1) / 2
