"""Example inputs: what a module is called with, and other random ones of the same form."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from netsmith.core.errors import UnsupportedError
from netsmith.engine.batch import map_tensors

__all__ = ["Example", "arguments", "batch_size", "random_like", "tensors"]

Example = Any
"""One tensor; a tuple of them (positional arguments); or a dict of tensors (one argument). The batch is axis 0."""


def arguments(example: Example) -> tuple[Any, ...]:
    """Return the positional arguments an example stands for.

    Raises:
        UnsupportedError: It holds no tensor, or something that is neither a tensor nor a container of them.
    """
    found = example if isinstance(example, tuple) else (example,)
    leaves = pytree.tree_leaves(found)
    wrong = next((leaf for leaf in leaves if not isinstance(leaf, Tensor)), None)
    if not leaves or wrong is not None:
        got = "nothing" if not leaves else type(wrong).__name__
        raise UnsupportedError(f"an example input is a tensor, a tuple of tensors or a dict of tensors; got {got}")
    return found


def tensors(example: Any) -> list[Tensor]:
    """Return the tensors of an example (or of a module's output) in a fixed order."""
    return [leaf for leaf in pytree.tree_leaves(example) if isinstance(leaf, Tensor)]


def batch_size(example: Example) -> int:
    """Return the length of axis 0, which all tensors of an example share.

    Raises:
        UnsupportedError: They do not share it, or there is none.
    """
    sizes = {int(t.shape[0]) if t.dim() else 0 for t in tensors(example)}
    if len(sizes) != 1 or 0 in sizes:
        raise UnsupportedError(f"expected one batch size >= 1 on axis 0 of every input, got {sorted(sizes)}")
    return sizes.pop()


def random_like(example: Example, batch: int, *, generator: torch.Generator) -> Example:
    """Return a random example of the same form with another batch size.

    Floating point tensors get normal numbers of the example's mean and deviation (0 and 1 where it is constant), whole
    numbers are drawn between its least and its largest (0..255 for uint8), booleans are fair coins.

    Args:
        example: What to imitate.
        batch: The length of axis 0.
        generator: Where the randomness comes from (a CPU generator).
    """

    def draw(like: Tensor) -> Tensor:
        shape = (batch, *like.shape[1:])
        if like.is_floating_point() or like.is_complex():
            values = like.detach().double() if like.is_floating_point() else like.detach().real.double()
            values = values[values.isfinite()]
            spread = float(values.std()) if values.numel() > 1 else 0.0
            mean, spread = (float(values.mean()), spread) if spread > 0 else (0.0, 1.0)
            noise = torch.randn(shape, generator=generator, dtype=torch.float64) * spread + mean
            return noise.to(like.device, like.dtype)
        if like.dtype == torch.bool:
            low, high = 0, 1
        elif like.dtype == torch.uint8:
            low, high = 0, 255
        else:
            low, high = (int(like.min()), int(like.max())) if like.numel() else (0, 0)
        return torch.randint(low, high + 1, shape, generator=generator).to(like.device, like.dtype)

    return map_tensors(example, draw)
