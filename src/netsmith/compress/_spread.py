"""Examples whose whole numbers are all alike, spread over the tables that are read with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from netsmith.measure.example import taken_apart

__all__ = ["alike", "spread"]


def alike(tensor: Tensor) -> bool:
    """Return whether a tensor of whole numbers holds one value only, so that what is drawn like it does too."""
    whole = not (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype not in (torch.bool, torch.uint8)
    return whole and tensor.numel() > 0 and bool(tensor.min() == tensor.max())


def spread(given: Any, run: Callable[[Any], Any], refusals: tuple[type[Exception], ...]) -> Any:
    """Return a form of an example in which numbers that an embedding is read at reach from its first row to its last.

    A proof that sees one row of a table (padding, of zeros) sees nothing. Other numbers are left as they are: a length
    or a flag may have no other value.

    Args:
        given: The example's arguments.
        run: Runs the network on such arguments.
        refusals: What the network may say to numbers it does not take.
    """
    leaves, put_together = taken_apart(given)

    def reads(place: int, value: Tensor) -> list[tuple[Tensor, int]]:
        with _Reads() as seen:
            run(put_together([*leaves[:place], value, *leaves[place + 1 :]]))
        return seen.found

    for place, leaf in enumerate(leaves):
        if not alike(leaf):
            continue
        try:
            other = torch.where(leaf == 0, 1, 0).to(leaf.dtype)
            found = zip(reads(place, leaf), reads(place, other), strict=True)
            rows = [size for (one, size), (two, _) in found if not torch.equal(one, two)]
            if rows:
                ends = torch.zeros_like(leaf), torch.full_like(leaf, min(rows) - 1)
                for end in ends:
                    run(put_together([*leaves[:place], end, *leaves[place + 1 :]]))
                leaves[place] = torch.cat(ends)
        except refusals:
            continue
    return put_together(leaves)


class _Reads(TorchFunctionMode):
    """Note the numbers that embeddings are read at, with their rows."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[Tensor, int]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (F.embedding, F.embedding_bag):
            named = dict(zip(("input", "weight"), args, strict=False)) | (kwargs or {})
            self.found.append((named["input"], len(named["weight"])))
        return func(*args, **(kwargs or {}))
