"""Running someone's module for an explanation and leaving it exactly as it was found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnknownNameError, UnsupportedError, UserError
from netsmith.engine.batch import Batch, map_tensors
from netsmith.layers.evaluating import evaluating

__all__ = [
    "captured",
    "chunks",
    "evaluating",
    "fill_like",
    "find_layer",
    "pick",
    "repeat",
    "require_floating",
    "resolve_targets",
    "size_of",
    "slopes",
]


def find_layer(module: nn.Module, name: str) -> nn.Module:
    """Return the submodule called ``name``.

    Raises:
        UnknownNameError: There is none; the nearest names are suggested.
    """
    layers = dict(module.named_modules())
    if name not in layers or not name:
        raise UnknownNameError("layer", name, [known for known in layers if known])
    return layers[name]


@contextlib.contextmanager
def captured(layer: nn.Module, *, replace: Callable[[Tensor], Tensor] | None = None) -> Iterator[list[Any]]:
    """Collect what ``layer`` returns inside the block, optionally putting ``replace(output)`` in its place.

    What follows the layer works on a copy, so that an in-place activation does not change what was collected.
    """
    outputs: list[Any] = []

    def hook(_layer: nn.Module, _inputs: Any, output: Any) -> Any:
        if not isinstance(output, Tensor):
            outputs.append(output)
            return None
        output = output if replace is None else replace(output)
        if torch.is_grad_enabled() and output.is_floating_point() and not output.requires_grad:
            output = output.detach().requires_grad_(True)
        outputs.append(output)
        return output.clone()

    handle = layer.register_forward_hook(hook)
    try:
        yield outputs
    finally:
        handle.remove()


def resolve_targets(output: Any, targets: Tensor | int | None) -> Tensor | None:
    """Return which score of each example is explained: ``(B,)`` int64, or None where the module has only one.

    Args:
        output: What the module returned: ``(B, K)`` scores, or ``(B,)`` / ``(B, 1)`` values.
        targets: A class for all, ``(B,)`` classes, or None for the class with the highest score.

    Raises:
        UnsupportedError: The output is no table of scores.
        UserError: The targets do not fit it.
    """
    if not isinstance(output, Tensor) or not output.is_floating_point() or output.dim() not in (1, 2):
        shape = f"{tuple(output.shape)} {output.dtype}" if isinstance(output, Tensor) else type(output).__name__
        raise UnsupportedError(
            f"the module returned {shape}; expected (B, K) scores or (B,) values; wrap the module to return them"
        )
    size, classes = output.shape[0], 1 if output.dim() == 1 else output.shape[1]
    if targets is None:
        return None if classes == 1 else output.detach().argmax(dim=1)
    targets = torch.as_tensor(targets, device=output.device)
    if targets.is_floating_point() or targets.dtype == torch.bool:
        raise UserError(f"targets are {targets.dtype}; expected class numbers (int64)")
    targets = targets.long().expand(size) if targets.dim() == 0 else targets.long()
    if targets.shape != (size,):
        raise UserError(f"targets have shape {tuple(targets.shape)}; expected ({size},), one class per example")
    if size and (int(targets.min()) < 0 or int(targets.max()) >= classes):
        wrong = int(targets.min()) if int(targets.min()) < 0 else int(targets.max())
        raise UserError(f"target {wrong} is no class of this module; it returns {classes}: expected 0..{classes - 1}")
    return None if classes == 1 else targets


def pick(output: Tensor, targets: Tensor | None) -> Tensor:
    """Return the explained score of each example: ``(B,)``."""
    if targets is None:
        return output.reshape(output.shape[0])
    return output.gather(1, targets[:, None])[:, 0]


def repeat(tree: Any, times: int) -> Any:
    """Repeat every example ``times`` times in a row: ``(B, ...)`` becomes ``(B * times, ...)``."""
    return map_tensors(tree, lambda tensor: tensor.repeat_interleave(times, dim=0))


def size_of(inputs: Any) -> int:
    """Return the number of examples."""
    return len(Batch(inputs))


def chunks(count: int, examples: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cut ``count`` variants of ``examples`` examples so that one forward pass sees about ``rows`` rows."""
    if rows < 1:
        raise UserError(f"rows is {rows}; expected at least 1")
    step = max(1, rows // max(1, examples))
    for start in range(0, count, step):
        yield start, min(start + step, count)


def slopes(scores: Tensor, variable: Tensor, what: str) -> Tensor:
    """Return the gradient of the summed scores (examples are independent: one backward pass for all).

    Raises:
        UnsupportedError: The scores do not depend on ``variable``.
    """
    found = torch.autograd.grad(scores.sum(), variable, allow_unused=True)[0] if scores.requires_grad else None
    if found is None:
        raise UnsupportedError(f"the score does not depend on {what} by a differentiable path; there is no gradient")
    return found


def fill_like(value: Tensor | float, inputs: Tensor, what: str) -> Tensor:
    """Return ``value`` broadcast to ``inputs``.

    Raises:
        UserError: The shapes do not fit.
    """
    tensor = torch.as_tensor(value, dtype=inputs.dtype, device=inputs.device).detach()
    try:
        return tensor.expand_as(inputs)
    except RuntimeError:
        shapes = f"{tuple(tensor.shape)}; expected one that broadcasts to {tuple(inputs.shape)}"
        raise UserError(f"{what} has shape {shapes}") from None


def require_floating(inputs: object) -> None:
    """Refuse inputs that have no gradient.

    Raises:
        UserError: ``inputs`` are no floating-point tensor.
    """
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point():
        got = str(inputs.dtype) if isinstance(inputs, Tensor) else type(inputs).__name__
        raise UserError(
            f"inputs are {got}; expected one floating-point tensor (explain tokens at their embedding layer)"
        )
