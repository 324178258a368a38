"""Bytes of weights, and an estimate of the bytes of activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.measure.example import Example, called, tensors
from netsmith.measure.macs import on_meta

__all__ = ["Memory", "estimate_memory", "weight_bytes"]


@dataclass(frozen=True)
class Memory:
    """What a module needs, in bytes.

    Attributes:
        weights: Parameters and buffers, each shared one once.
        kept: Outputs of all layers together: about what training keeps for the backward pass.
        peak: The largest input plus output of one layer: about what inference needs at a time.
    """

    weights: int
    kept: int
    peak: int


def weight_bytes(module: nn.Module) -> int:
    """Return the bytes of all parameters and buffers, each shared one once."""
    held = {id(t): t for t in (*module.parameters(), *module.buffers())}
    return sum(_bytes(t) for t in held.values())


def estimate_memory(module: nn.Module, example: Example) -> Memory:
    """Estimate the memory of one forward pass from the shapes of the layers' inputs and outputs.

    It ignores work space of single operations and what in-place layers save; it is a figure to compare networks by.

    Args:
        module: Any module; it is left as found.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
    """
    return Memory(weight_bytes(module), *on_meta(module, example, _activations))


def _activations(clone: nn.Module, given: tuple[Any, ...]) -> tuple[int, int]:
    """Return the bytes of all layers' outputs, and the most that one layer takes and makes."""
    kept, peak = 0, 0

    def leave(_: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal kept, peak
        made = sum(_bytes(t) for t in tensors(output))
        kept += made
        peak = max(peak, made + sum(_bytes(t) for t in tensors(inputs)))

    for child in clone.modules():
        if next(child.children(), None) is None:
            child.register_forward_hook(leave)
    with torch.no_grad():
        called(clone, given)
    return kept, peak


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
