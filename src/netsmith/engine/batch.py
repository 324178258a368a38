"""What a method is fed: inputs, targets, and a random key for each example."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Batch", "Views", "doubled", "map_tensors"]


def map_tensors(tree: Any, change: Callable[[Tensor], Any]) -> Any:
    """Apply ``change`` to every tensor of a tree of tuples, lists and dicts; anything else stays as it is."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return {name: map_tensors(item, change) for name, item in tree.items()}
    if isinstance(tree, (tuple, list)):
        items = [map_tensors(item, change) for item in tree]
        named = getattr(type(tree), "_make", None)  # a tuple with names
        return type(tree)(items) if named is None else named(items)
    return tree


def doubled(tree: Any) -> Any:
    """Return a tree with its floating-point tensors in double precision."""
    return map_tensors(tree, lambda part: part.double() if part.is_floating_point() else part)


class Views(NamedTuple):
    """Inputs of an evaluation that looks at each example several times (crops, scales) and averages the answers.

    Attributes:
        each: ``(B, V, ...)``: what the model takes, V times for each example.
    """

    each: Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """A batch of examples; the first axis of every tensor counts them.

    Attributes:
        inputs: What the model takes: a tensor, or a tuple or dict of tensors.
        targets: What the task compares with; of the same forms, or None.
        keys: ``(B,)`` int64, one random key per example, a pure function of (seed, epoch, index): draw noise from it
            with :mod:`netsmith.engine.random` and the result does not depend on how a batch is cut.
        indices: ``(B,)`` int64, positions in the split, or None for a live source.
        weights: ``(B,)`` weights of the examples, or None for all ones.
    """

    inputs: Any
    targets: Any = None
    keys: Tensor | None = None
    indices: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        tree = self.inputs
        while not isinstance(tree, Tensor):
            tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
        return tree.shape[0]

    def map(self, change: Callable[[Tensor], Any]) -> Batch:
        """Return the batch with ``change`` applied to every tensor."""
        return Batch(
            *(map_tensors(part, change) for part in (self.inputs, self.targets, self.keys, self.indices, self.weights))
        )

    def to(self, device: torch.device, dtype: torch.dtype, memory_format: torch.memory_format) -> Batch:
        """Move to a device; floating tensors take ``dtype``, images ``memory_format``."""

        def move(tensor: Tensor) -> Tensor:
            wanted = dtype if tensor.is_floating_point() else tensor.dtype
            layout = memory_format if tensor.dim() == 4 else torch.preserve_format
            return tensor.to(device=device, dtype=wanted, memory_format=layout)

        return self.map(move)

    def part(self, start: int, stop: int) -> Batch:
        """Return the examples ``start`` to ``stop``."""
        return self.map(lambda tensor: tensor[start:stop])

    def split(self, parts: int) -> list[Batch]:
        """Cut into ``parts`` pieces whose sizes differ by at most one; empty pieces are left out."""
        size = len(self)
        if parts == 1:
            return [self]
        edges = [size * part // parts for part in range(parts + 1)]
        return [self.part(start, stop) for start, stop in itertools.pairwise(edges) if stop > start]
