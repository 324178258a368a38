"""The places of each batch, made when they are asked for: those of a long text would take more room than the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from torch import Tensor

__all__ = ["Places"]


class Places(Sequence[Tensor]):
    """A row of batches.

    Args:
        count: How many.
        make: Returns the places in the batch of a number, ``(B,)`` int64.

    Example:
        >>> import torch
        >>> Places(3, lambda number: torch.arange(2) + 2 * number)[-1]
        tensor([4, 5])
    """

    def __init__(self, count: int, make: Callable[[int], Tensor]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> Tensor: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Tensor]: ...
    def __getitem__(self, at: int | slice) -> Tensor | Sequence[Tensor]:
        if isinstance(at, slice):
            return [self._make(number) for number in range(self._count)[at]]
        return self._make(range(self._count)[at])
