"""What optimizers that ask for the loss themselves share: the question, and the way back from where it was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import nn

from netsmith.core.errors import UnsupportedError

__all__ = ["Closure", "ask", "moved", "needed"]

Closure = Callable[[], float]
"""Sets every parameter's gradient where the parameters are now, always of the same batch; returns the loss."""


def ask(closure: Closure | None) -> float | None:
    """Call a closure with gradients on (a step runs without), if there is one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def needed(closure: Closure | None, name: str) -> Closure:
    """Return a closure that may be called within a step.

    Raises:
        UnsupportedError: There is none.
    """
    if closure is None:
        raise UnsupportedError(
            f"{name}.step() was called without a closure, and it must compute the gradient elsewhere than where the "
            "parameters are; give it a function that zeroes the gradients, runs backward and returns the loss"
        )
    return torch.enable_grad()(closure)


@contextlib.contextmanager
def moved(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Put parameters that are moved inside the context back to the last bit, even if the loss fails there."""
    found = list(parameters)
    before = [parameter.detach().clone() for parameter in found]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(found, before, strict=True):
                parameter.copy_(value)
