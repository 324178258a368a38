"""Chains of best scores: products of matrices in which sums are maxima and products are sums."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["max_plus_chain"]


def max_plus_chain(start: Tensor, steps: Tensor) -> Tensor:
    r"""Return the best scores after each step of a chain, as Viterbi's recursion has them.

    .. math:: v_t(j) = \max_i \, [v_{t-1}(i) + M_t(i, j)]

    Steps are taken in blocks of about the root of their number: what each block does as a whole is found for all
    blocks side by side, then where each begins, then every step within all blocks side by side. So a chain of 178
    steps is 40 operations deep, which an exported graph can hold without a loop; the work is K times that of the
    recursion one by one.

    Args:
        start: ``(B, K)``.
        steps: ``(B, T, K, K)``, from the state of the row to that of the column.

    Returns:
        ``(B, T, K)``, without the start.

    Example:
        >>> steps = torch.tensor([[[[0.0, 1.0], [2.0, 0.0]]] * 3])  # there and back
        >>> max_plus_chain(torch.zeros(1, 2), steps)[0].tolist()
        [[2.0, 1.0], [3.0, 3.0], [5.0, 4.0]]
    """
    count, states = steps.shape[1], steps.shape[-1]
    if not count:
        return start[:, None][:, :0]
    size = max(1, math.isqrt(count))
    blocks = -(-count // size)
    padded = F.pad(steps, (0, 0, 0, 0, 0, blocks * size - count))
    cut = padded.reshape(-1, blocks, size, states, states)  # (B, N, S, K, K)
    whole = cut[:, :, 0]
    for at in range(1, size):
        whole = (whole[..., None] + cut[:, :, at, None]).amax(-2)  # (B, N, K, K, K) to (B, N, K, K)
    begins = [start]
    for block in range(blocks - 1):
        begins.append((begins[-1][..., None] + whole[:, block]).amax(-2))
    values, found = torch.stack(begins, 1), list[Tensor]()  # (B, N, K)
    for at in range(size):
        values = (values[..., None] + cut[:, :, at]).amax(-2)
        found.append(values)
    return torch.stack(found, 2).flatten(1, 2)[:, :count]
