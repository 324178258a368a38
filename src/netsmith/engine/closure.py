"""What the updater hands to an optimizer that asks for the loss itself."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["counted_once"]


def counted_once(gradient: Callable[[], float], module: nn.Module) -> Callable[[], float]:
    """Return a closure whose first call alone moves buffers: a step sees its batch once, however often it asks.

    Whatever a forward pass counts and a checkpoint keeps is a buffer: the running statistics of batch normalization,
    the ranges of quantized activations. After the second and every later call they are as the first left them.

    Args:
        gradient: Computes all gradients where the parameters are now; returns the loss.
        module: Whose buffers are kept.
    """
    kept: dict[str, Tensor] = {}
    asked = False

    def ask() -> float:
        nonlocal asked
        if not asked:
            asked = True
            return gradient()
        if not kept:
            kept.update((name, buffer.clone()) for name, buffer in module.named_buffers())
        try:
            return gradient()
        finally:
            with torch.no_grad():
                for name, buffer in module.named_buffers():
                    # An expanded buffer cannot be written; what did not move need not be.
                    if name in kept and not torch.equal(buffer, kept[name]):
                        buffer.copy_(kept[name])

    return ask
