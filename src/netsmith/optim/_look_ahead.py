"""The gradient where a velocity is about to carry the parameters."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from netsmith.optim._closure import Closure, moved, needed
from netsmith.optim._groups import Descent, descents

__all__ = ["gradients_ahead"]


def gradients_ahead(
    optimizer: torch.optim.Optimizer, closure: Closure | None, *, momentum: float
) -> tuple[float, list[Descent]]:
    """Return the loss and the gradients at ``p + momentum * velocity``; the parameters are back where they were.

    Args:
        optimizer: Keeps each parameter's ``velocity`` in its state, none before its first step.
        closure: Computes the gradients.
        momentum: mu.

    Raises:
        UnsupportedError: There is no closure.
    """
    gradient = needed(closure, type(optimizer).__name__)
    moving = list(_moving(optimizer))
    with moved(parameter for parameter, _ in moving):
        for parameter, velocity in moving:
            parameter.add_(velocity, alpha=momentum)
        loss = gradient()
        return loss, list(descents(optimizer))  # inside: the decay pulls at the point looked ahead, as the loss does


def _moving(optimizer: torch.optim.Optimizer) -> Iterator[tuple[nn.Parameter, Tensor]]:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter in optimizer.state:
                yield parameter, optimizer.state[parameter]["velocity"]
