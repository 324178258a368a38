"""Sets of rows of numbers as one tensor: padded, with a mark that says which rows are there."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

__all__ = ["pad_sets", "split_set"]


def pad_sets(sets: Sequence[Tensor]) -> Tensor:
    """Return sets side by side: behind the numbers of each row a 1, and rows of zeros as padding.

    Args:
        sets: ``B`` tensors ``(L_b, F)``.

    Returns:
        ``(B, L, F + 1)``, L the most rows.

    Example:
        >>> pad_sets([torch.tensor([[5.0]]), torch.tensor([[3.0], [4.0]])]).tolist()
        [[[5.0, 1.0], [0.0, 0.0]], [[3.0, 1.0], [4.0, 1.0]]]
    """
    length = max(len(rows) for rows in sets)
    padded = sets[0].new_zeros(len(sets), length, sets[0].shape[1] + 1)
    for row, one in enumerate(sets):
        padded[row, : len(one), :-1] = one
        padded[row, : len(one), -1] = 1
    return padded


def split_set(padded: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers ``(B, L, F)`` and which rows are there, ``(B, L)`` bool, of what :func:`pad_sets` made."""
    return padded[..., :-1], padded[..., -1] > 0
