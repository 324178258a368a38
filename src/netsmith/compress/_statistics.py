"""Normalization of a masked network: statistics over the positions that stay, as in the network that is cut.

A zero in place of a channel would count in a mean; the masked network that proves a surgery must leave it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from netsmith.compress.graph import Labels

__all__ = ["keep_statistics"]


def keep_statistics(module: nn.Module, norms: Sequence[Labels], units: set[int]) -> None:
    """Let every call of a module compute the statistics of its normalizations without the positions of ``units``.

    Args:
        module: A masked network; gets two hooks.
        norms: Units of the input of each normalization, in the order of their calls.
        units: The units that are masked.
    """
    gone = np.fromiter(units, dtype=np.int64)
    kept = [torch.from_numpy(~np.isin(labels, gone)) for labels in norms]
    if not all(bool(mask.all()) for mask in kept):
        around = _Around(kept)
        module.register_forward_pre_hook(around.enter)
        module.register_forward_hook(around.leave, always_call=True)


class _Around:
    """The mode around one call."""

    def __init__(self, kept: list[Tensor]) -> None:
        self.kept = kept
        self.running: list[_Statistics] = []

    def enter(self, *_: Any) -> None:
        mode = _Statistics(self.kept)
        mode.__enter__()
        self.running.append(mode)

    def leave(self, module: nn.Module, given: Any, output: Any) -> None:  # noqa: ARG002
        mode = self.running.pop()
        mode.__exit__(None, None, None)
        if output is not None and mode.calls < len(self.kept):  # None: the call failed by itself
            raise IndexError("a normalization is called less often than when the network was traced")


class _Statistics(TorchFunctionMode):
    """Replaces the normalizations by ones that leave positions out."""

    def __init__(self, kept: list[Tensor]) -> None:
        super().__init__()
        self.kept = kept
        self.calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        replace = _REPLACED.get((resolve_name(func) or "").rpartition(".")[2])
        if replace is None:
            return func(*args, **given)
        if self.calls == len(self.kept):  # a longer input runs a loop more often: not what was traced
            raise IndexError("a normalization is called more often than when the network was traced")
        keep = self.kept[self.calls]
        self.calls += 1
        if bool(keep.all()):
            return func(*args, **given)
        return replace(args[0] if args else given.pop("input"), keep, *args[1:], **given)


def _standardized(x: Tensor, keep: Tensor, axes: tuple[int, ...], eps: float, *, center: bool = True) -> Tensor:
    kept = keep.to(x.device, x.dtype).expand(x.shape)
    count = kept.sum(axes, keepdim=True).clamp(min=1)  # a group may be gone whole
    mean = (x * kept).sum(axes, keepdim=True) / count if center else torch.zeros_like(count)
    spread = ((x - mean).square() * kept).sum(axes, keepdim=True) / count
    return (x - mean) / (spread + eps).sqrt() * kept


def _layer_norm(
    x: Tensor,
    keep: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    return _scaled(_standardized(x, keep, axes, eps), weight, bias)


def _rms_norm(
    x: Tensor,
    keep: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    least = torch.finfo(x.dtype).eps if eps is None else eps
    return _scaled(_standardized(x, keep, axes, least, center=False), weight, None)


def _group_norm(
    x: Tensor,
    keep: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    shape = (len(x), num_groups, -1)
    found = _standardized(x.reshape(shape), keep.expand(x.shape).reshape(shape), (-1,), eps).reshape(x.shape)
    across = (1, -1, *[1] * (x.dim() - 2))
    return _scaled(found, None if weight is None else weight.view(across), None if bias is None else bias.view(across))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


_REPLACED: dict[str, Callable[..., Tensor]] = {
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "group_norm": _group_norm,
}
