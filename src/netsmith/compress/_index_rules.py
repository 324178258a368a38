"""Rules for what picks, moves, stacks and spreads positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from netsmith.compress._labels import argument, freeze_all, make_constant, varying
from netsmith.compress._marks import Mark, along
from netsmith.compress._shape_rules import mixing
from netsmith.compress._state import State
from netsmith.measure.example import tensors

__all__ = ["added", "axiswise", "channel_shuffle", "pixel_shuffle", "pixel_unshuffle", "stack", "unbind"]


def axiswise(
    state: State, args: Any, kwargs: Any, output: Any, *, zero: bool = False, place: int = 1, default: Any = -1
) -> None:
    """What works along one axis that cannot be cut: softmax, a running sum, a choice by index."""
    x = args[0]
    mark = state.mark(x)
    axis = argument(args, kwargs, place, "dim", kwargs.get("axis", default))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    plain = all(type(a) is int for a in axes)
    if not plain or not varying(mark.labels) or {a % x.dim() for a in axes} & set(varying(mark.labels)):
        mixing(state, args, kwargs, output)
        return
    freeze_all(state, [t for t in tensors((args, kwargs)) if t is not x])
    for tensor in tensors(output):
        state.put(tensor, Mark(mark.labels, zero and mark.zero))


def added(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """``index_add``, ``scatter_add`` and ``scatter_reduce``: rows of one tensor joined with rows of another."""
    axis, index = argument(args, kwargs, 1, "dim"), argument(args, kwargs, 2, "index")
    x, source = args[0], argument(args, kwargs, 3, "source", kwargs.get("src"))
    marks = [state.mark(x), state.mark(source)]
    if marks[0].free and not varying(marks[1].labels):  # zeros that meet nothing which could go
        freeze_all(state, index)
        make_constant(state, output)
        return
    axes = {a for mark in marks for a in varying(mark.labels)}
    if len(axes) > 1 or axis % x.dim() in axes:
        mixing(state, args, kwargs, output)
        return
    freeze_all(state, index)
    state.atoms.unite(marks[0].labels, marks[1].labels)
    labels = next((mark.labels for mark in marks if varying(mark.labels)), marks[0].labels)
    state.put(output, Mark(labels, all(mark.zero for mark in marks)))


def stack(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Tensors side by side along a new axis: all lose the same positions."""
    parts = list(argument(args, kwargs, 0, "tensors"))
    axis = int(argument(args, kwargs, 1, "dim", 0)) % output.dim()
    marks = [state.mark(t) for t in parts]
    if len({tuple(varying(mark.labels)) for mark in marks}) != 1:
        mixing(state, parts, {}, output)
        return
    for mark in marks[1:]:
        state.atoms.unite(marks[0].labels, mark.labels)
    state.put(output, Mark(np.expand_dims(marks[0].labels, axis), all(mark.zero for mark in marks)))


def unbind(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """The parts of an axis that cannot be cut, one by one."""
    x = args[0]
    axis = int(argument(args, kwargs, 1, "dim", 0)) % x.dim()
    mark = state.mark(x)
    if axis in varying(mark.labels):
        mixing(state, args, {}, output)
        return
    for place, tensor in enumerate(tensors(output)):
        rows = mark.rows
        if rows is not None:
            at = place if rows.numbers.shape[axis] > 1 else 0
            rows = replace(rows, numbers=np.take(rows.numbers, at, axis=axis))
        state.put(tensor, Mark(mark.labels.squeeze(axis), mark.zero, rows=rows))


def pixel_shuffle(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """A channel of the larger image comes from ``r^2`` channels, which go together."""
    _blocks(state, args, kwargs, output, joins=True)


def pixel_unshuffle(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """A channel of the larger image becomes ``r^2`` channels, which go together."""
    _blocks(state, args, kwargs, output, joins=False)


def _blocks(state: State, args: Any, kwargs: Any, output: Tensor, *, joins: bool) -> None:
    x = args[0]
    factor = int(argument(args, kwargs, 1, "upscale_factor" if joins else "downscale_factor")) ** 2
    axis = x.dim() - 3
    mark = state.mark(x)
    if set(varying(mark.labels)) != {axis}:
        mixing(state, (x,), {}, output)
        return
    channels = mark.labels.reshape(-1)
    if joins:
        rows = channels.reshape(-1, factor)
        state.atoms.unite(rows[:, :1], rows)
        channels = rows[:, 0]
    else:
        channels = np.repeat(channels, factor)
    state.put(output, Mark(along(channels, axis, output.dim()), mark.zero))


def channel_shuffle(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Groups of channels dealt out in turns: every group loses the same positions."""
    x, groups = args[0], int(argument(args, kwargs, 1, "groups"))
    mark = state.mark(x)
    if not varying(mark.labels):
        make_constant(state, output)
        return
    if set(varying(mark.labels)) != {1}:
        mixing(state, (x,), {}, output)
        return
    rows = mark.labels.reshape(groups, -1)
    state.atoms.unite(rows[:1], rows)
    state.put(output, Mark(along(rows.T.reshape(-1), 1, output.dim()), mark.zero))
