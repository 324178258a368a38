"""Learners that are fitted at once, and whose arrays have the size that the fit decides."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import DataError

__all__ = ["Fitted", "class_targets", "log_shares", "row_numbers"]

_FLOOR = 1.1754943508222875e-38  # the smallest normal number of single precision


class Fitted(nn.Module):
    """Abstract: what is learned lies in buffers that are empty before the fit.

    An empty buffer takes the size of what is loaded into it (here by ``load_state_dict``, in a run by
    :meth:`netsmith.engine.method.Method.restore`), so a fitted learner comes back from a checkpoint, whose sizes no
    config knows. A learner that is not fitted prefers no class: it answers zeros.

    Args:
        empty: By name, how many axes the buffer has and of what type its numbers are.
    """

    def __init__(self, **empty: tuple[int, torch.dtype]) -> None:
        super().__init__()
        for name, (axes, dtype) in empty.items():
            self.register_buffer(name, torch.zeros((0,) * axes, dtype=dtype))
        self.register_load_state_dict_pre_hook(_grow)

    def hold(self, **arrays: Any) -> None:
        """Put what was fitted in place of the buffers of these names, in their types and on their device."""
        for name, array in arrays.items():
            old = self.get_buffer(name)
            new = torch.as_tensor(array, dtype=old.dtype).to(old.device, copy=True)
            assert new.dim() == old.dim(), name
            self.register_buffer(name, new)

    def unsure(self, inputs: Tensor, classes: int) -> Tensor:
        """Return the answer before the fit: zeros, ``(B, classes)`` float64."""
        return inputs.new_zeros(len(inputs), classes, dtype=torch.float64)


def _grow(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Give the empty buffers of a module the sizes of what is about to be loaded."""
    for name, buffer in module.named_buffers(recurse=False):
        given = state.get(prefix + name)
        if given is not None and buffer.numel() == 0 and given.dim() == buffer.dim():
            buffer.resize_(given.shape)


def row_numbers(inputs: Tensor) -> Tensor:
    """Return the numbers of each example, ``(B, F)`` float64, on the processor's side for a fit.

    Raises:
        DataError: A number is not finite.
    """
    rows = inputs.detach().cpu().flatten(1).double()
    if not bool(rows.isfinite().all()):
        raise DataError(f"the inputs hold {int((~rows.isfinite()).sum())} numbers that are not finite; expected none")
    return rows


def class_targets(targets: Tensor, classes: int, *, least: int = 2) -> Tensor:
    """Return the classes, ``(B,)`` int64, on the processor's side for a fit.

    Args:
        targets: One class per example.
        classes: How many classes there are.
        least: How many of them must have an example.

    Raises:
        DataError: Targets that are no classes, or examples of too few of them.
    """
    if targets.dim() != 1 or targets.is_floating_point() or not bool(((targets >= 0) & (targets < classes)).all()):
        raise DataError(f"expected one class in 0..{classes - 1} per example, got {tuple(targets.shape)} targets")
    found = len(targets.unique())
    if found < least:
        raise DataError(f"all {len(targets)} examples are of {found} class; expected examples of at least {least}")
    return targets.detach().cpu()


def log_shares(shares: Tensor) -> Tensor:
    """Return the logarithm of shares of classes, of 0 that of 1.2e-38: such a class's loss is large, yet a number."""
    return shares.clamp(min=_FLOOR).log()
