"""What looking at a network through its weights shares: moving them, the mean loss over fixed batches, putting back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.engine.batch import Batch
from netsmith.engine.task import Loss
from netsmith.explain._forward import evaluating

__all__ = ["Examples", "LossFunction", "as_found", "batch_loss", "fixed", "gradient", "trained", "with_gradient"]

LossFunction = Callable[[Any, Any], Tensor | Loss]
"""``loss(output, targets)``: the mean over a batch as a scalar, or a task's total and weight."""

Examples = Iterable[Batch | tuple[Any, Any]]
"""Batches, or pairs of inputs and targets."""


@contextlib.contextmanager
def as_found(module: nn.Module, *, training: bool = False) -> Iterator[Callable[[], None]]:
    """Put weights, buffers, modes and the default generator back afterwards, bit for bit.

    Yields a function that puts the buffers back at once, for a pass that must not see what the one before left.

    Args:
        module: Runs in evaluation mode meanwhile.
        training: Or in training mode.
    """
    weights = [(parameter, parameter.detach().clone()) for parameter in module.parameters()]
    buffers = [
        (part._buffers, name, buffer, buffer.detach().clone(), buffer._version)
        for part in module.modules()
        for name, buffer in part._buffers.items()
        if buffer is not None
    ]

    @torch.no_grad()
    def put_back() -> None:
        for place, name, buffer, before, version in buffers:
            place[name] = buffer
            # A buffer may be an expanded view, which cannot be written; what nobody has touched need not be.
            if buffer._version != version or not torch.equal(buffer, before):
                buffer.copy_(before)

    cards = sorted({parameter.device.index or 0 for parameter, _ in weights if parameter.is_cuda})
    try:
        with torch.random.fork_rng(cards), evaluating(module):
            for part in module.modules():
                part.training = training
            yield put_back
    finally:
        put_back()
        with torch.no_grad():
            for parameter, before in weights:
                parameter.copy_(before)


def fixed(batches: Examples) -> list[Batch]:
    """Return the batches as a list, so that every point sees the same examples.

    Raises:
        UserError: There is none, or one is no pair.
        UnsupportedError: Batches with weights, which ``loss(output, targets)`` does not see.
    """
    found = []
    for batch in batches:
        if not isinstance(batch, Batch) and not (isinstance(batch, (tuple, list)) and len(batch) == 2):
            got = f"{len(batch)} items" if isinstance(batch, (tuple, list)) else type(batch).__name__
            raise UserError(f"a batch is {got}; expected a pair of inputs and targets, or a Batch")
        found.append(batch if isinstance(batch, Batch) else Batch(*batch))
    if not found:
        raise UserError("there are no batches; expected at least one pair of inputs and targets")
    if any(batch.weights is not None for batch in found):
        raise UnsupportedError(
            "batches have weights of examples, which loss(output, targets) does not see; remove them"
        )
    return found


def batch_loss(module: nn.Module, loss: LossFunction, batch: Batch) -> Loss:
    """Return the loss of one batch before division: a mean counts as often as there are examples.

    Raises:
        UnsupportedError: The loss is no single number.
    """
    found = loss(module(batch.inputs), batch.targets)
    if isinstance(found, Loss):
        return found
    if not isinstance(found, Tensor) or found.numel() != 1:
        got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise UnsupportedError(f"the loss returned {got}; expected one number, the mean over the batch")
    size = len(batch)
    return Loss(found.reshape(()) * size, size)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that require a gradient, by name.

    Raises:
        UserError: There is none.
    """
    found = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    if not found:
        count = sum(1 for _ in module.parameters())
        raise UserError(
            f"{type(module).__name__} has no parameter that requires a gradient (it has {count} in all); "
            "expected at least one: unfreeze those to look at with requires_grad_(True)"
        )
    return found


def gradient(
    module: nn.Module, loss: LossFunction, batches: list[Batch], parameters: list[nn.Parameter]
) -> tuple[float, list[Tensor]]:
    """Return the mean loss and its gradient; call inside :func:`as_found`."""
    total, weight = 0.0, 0.0
    slopes = [torch.zeros_like(parameter) for parameter in parameters]
    for batch in batches:
        found = with_gradient(module, loss, batch)
        parts = torch.autograd.grad(found.total, parameters, allow_unused=True, materialize_grads=True)
        torch._foreach_add_(slopes, parts)
        total, weight = total + float(found.total.detach()), weight + float(found.weight)
    torch._foreach_div_(slopes, weight)
    return total / weight, slopes


def with_gradient(module: nn.Module, loss: LossFunction, batch: Batch) -> Loss:
    """Return the loss of one batch for a derivative.

    Raises:
        UnsupportedError: It has none.
        UserError: It is not finite: neither has its derivative a meaning.
    """
    found = batch_loss(module, loss, batch)
    if not found.total.requires_grad:
        raise UnsupportedError(
            "the loss does not depend on the parameters by a differentiable path; expected a loss such as cross "
            "entropy (an accuracy has no gradient)"
        )
    if not bool(found.total.detach().isfinite()):
        raise UserError(f"the loss is {float(found.total.detach())} at these weights; expected a finite number")
    return found
