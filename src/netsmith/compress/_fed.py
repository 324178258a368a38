"""Which tensors of a pass depend on the inputs, and where code reads numbers of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # type: ignore[attr-defined]

from netsmith.measure.example import tensors

if TYPE_CHECKING:
    from netsmith.compress._state import State

__all__ = ["Fed"]

_READ = frozenset(
    getattr(owner, name)
    for owner, names in (
        (Tensor, "__bool__ __int__ __float__ __index__ __complex__ __contains__ __array__ item tolist numpy"),
        (Tensor, "equal allclose is_nonzero nonzero argwhere masked_select unique unique_consecutive"),
        (torch, "equal allclose is_nonzero nonzero argwhere masked_select unique unique_consecutive"),
    )
    for name in names.split()
)
"""Functions by which code sees the values of a tensor, itself or in the shape of what they return."""

_WHOLE, _NUMBERS, _WEIGHTS = 1, 2, 4
"""What a tensor depends on: whole numbers (and truths) of the inputs, other numbers of theirs, weights."""


class Fed:
    """What each tensor of a pass depends on.

    Whole numbers that come in are lengths, masks and tokens: code may choose by them. Where they meet weights (a token
    its embedding), and where other numbers come in, what follows are numbers that a network computes.

    Args:
        state: Of the trace; knows weights, and which module runs.
        inputs: The network's.
    """

    def __init__(self, state: State, inputs: Sequence[Tensor]) -> None:
        self.state = state
        self._known: dict[int, tuple[Tensor, int]] = {}  # kept alive, so that no id is used twice
        for tensor in inputs:
            whole = not (tensor.is_floating_point() or tensor.is_complex())
            self._put(tensor, _WHOLE if whole else _NUMBERS)

    def tells(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Return whether a call tells code a number that the network computes.

        torch's own modules read only to choose between ways that are the same (a mask that is causal).
        """
        if type(self.state.running).__module__.startswith("torch.nn."):
            return False
        if function is Tensor.__getitem__:  # as long as a mask has truths
            masks = [one for one in tensors(args[1:]) if one.dtype in (torch.bool, torch.uint8)]
            return any(self._of(mask) & _NUMBERS for mask in masks)
        if function not in _READ and not (function is torch.where and len(args) + len(kwargs) == 1):
            return False
        return any(self._of(tensor) & _NUMBERS for tensor in tensors((args, kwargs)))

    def follow(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        """Note what the results of a call depend on, and what it wrote into."""
        name = getattr(function, "__name__", "")
        if functorch.maybe_current_level() is not None or name.endswith("_like") or name.startswith("new_"):
            return  # a form, no numbers
        takes_form = name in ("to", "type_as", "expand_as", "view_as", "reshape_as")
        found = 0
        for tensor in tensors(args[:1]) if takes_form else tensors((args, kwargs)):
            found |= self._of(tensor)
        if found & _WHOLE and found & _WEIGHTS:
            found |= _NUMBERS
        if not found:
            return
        for tensor in tensors(output):
            self._put(tensor, found)
        in_place = (name.endswith("_") and not name.endswith("__")) or name.startswith("__i") or name == "__setitem__"
        for tensor in tensors((args[:1] if in_place else (), kwargs.get("out"))):
            self._put(tensor, found)
            if tensor._base is not None:
                self._put(tensor._base, found)

    def _put(self, tensor: Tensor, found: int) -> None:
        self._known[id(tensor)] = tensor, found | self._known.get(id(tensor), (tensor, 0))[1]

    def _of(self, tensor: Tensor) -> int:
        found = self._known.get(id(tensor), (tensor, 0))[1]
        if functorch.maybe_current_level() is None and tensor._base is not None:  # others may have written into it
            found |= self._known.get(id(tensor._base), (tensor, 0))[1]
        weight = tensor.is_floating_point() and self.state.name(tensor) is not None
        return found | (_WEIGHTS if weight else 0)
