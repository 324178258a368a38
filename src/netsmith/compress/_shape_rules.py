"""Rules for what has no weights: shapes, pooling, joining and taking apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.compress._labels import argument, freeze_all, make_constant, uniform, varying
from netsmith.compress._marks import Block, Mark, Rows
from netsmith.compress._state import State
from netsmith.compress.graph import FROZEN, Labels
from netsmith.measure.example import tensors

__all__ = [
    "assignment",
    "chunking",
    "concatenate",
    "constant",
    "glu",
    "indexing",
    "mixing",
    "padding",
    "pooling",
    "reduction",
    "reshaping",
    "splitting",
    "summation",
]


def reshaping(state: State, function: Any, args: Any, kwargs: Any, output: Tensor) -> None:
    """The same numbers in another shape: the function itself says where each goes."""
    x = args[0]
    mark = state.mark(x)
    shape = state.shape if output is x else tuple(x.shape)  # in place it has another one now

    def moved(numbers: Labels) -> Labels:
        whole = torch.from_numpy(np.broadcast_to(numbers, shape).copy())
        return uniform(function(whole, *args[1:], **kwargs).numpy())

    labels = moved(mark.labels)
    rows = replace(mark.rows, numbers=moved(mark.rows.numbers)) if mark.rows is not None else None
    axes, sites, pieces = varying(labels), frozenset[int](), None
    call, sizes = state.reshapes, _stated(args, output)
    state.reshapes += 1
    if len(axes) > 1:  # an axis that was split: every part loses the same positions, or heads go whole
        heads = call in state.whole
        sites = frozenset([call])
        if axes[-2] not in sizes:  # else the code would go on to make as many units
            pieces = (call, axes[-1])
        image = axes == [1, *range(2, output.dim())] and output.dim() > 3
        kept = axes[-2] if heads else axes[0] if image else axes[-1]  # a vector that becomes an image keeps channels
        for axis in axes:
            if axis != kept:
                first = np.take(labels, [0], axis=axis)
                state.atoms.unite(first, labels)
                labels = first
        axes = [kept]
    for axis in axes:
        if (
            axis in sizes
            and not state.guess(sizes[axis], labels.reshape(-1))
            and isinstance(state.running, nn.Unflatten)
        ):
            state.atoms.freeze(labels)  # the sizes it holds would not follow
    state.put(output, Mark(labels, mark.zero, mark.free, sites, rows, pieces))


def _stated(args: Any, output: Tensor) -> dict[int, int]:
    """Return the lengths that a call of view, reshape or unflatten states, by axis of its result."""
    given = [a for a in args[1:] if not isinstance(a, torch.dtype)]
    sizes = given[-1] if given and isinstance(given[-1], (tuple, list)) else given
    if any(type(size) is not int for size in sizes):
        return {}
    start = int(given[0]) % args[0].dim() if len(given) == 2 and sizes is given[-1] else 0  # unflatten(dim, sizes)
    return {start + place: size for place, size in enumerate(sizes) if output.shape[start + place :][:1] == (size,)}


def pooling(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    mark = state.mark(args[0])
    if any(axis > 1 for axis in varying(mark.labels)):
        mixing(state, args, {}, output)
        return
    for tensor in tensors(output):  # values, and the indices of return_indices
        state.put(tensor, mark)


def constant(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    """Numbers that the code makes itself."""
    make_constant(state, output)


def mixing(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """Every result depends on every position: nothing that goes in can be cut."""
    freeze_all(state, (args, kwargs))
    make_constant(state, output)


def reduction(
    state: State, args: Any, kwargs: Any, output: Any, *, place: int = 1, sums: bool = False, zero: bool = True
) -> None:
    """Over axes that cannot be cut, position by position; else everything in must stay.

    Args:
        state: The trace so far.
        args: The call's.
        kwargs: The call's.
        output: The result.
        place: Where the axes stand among ``args``.
        sums: It may run over what is zero: nothing is lost with it.
        zero: Of zeros it gives zero.
    """
    x = args[0]
    mark = state.mark(x)
    axis = argument(args, kwargs, place, "dim", kwargs.get("axis"))
    keep = all(tensor.dim() == x.dim() for tensor in tensors(output))
    axes = range(x.dim()) if axis is None or isinstance(axis, bool) else [axis] if isinstance(axis, int) else list(axis)
    gone = {a % x.dim() for a in axes}
    if gone & set(varying(mark.labels)):
        if not (sums and mark.zero):
            if mark.pieces is not None and gone == {mark.pieces[1]}:
                state.reduced.add(mark.pieces[0])
            state.atoms.freeze(mark.labels)
        make_constant(state, output)
        return
    labels = mark.labels
    if not keep:
        labels = labels.reshape([size for a, size in enumerate(labels.shape) if a not in gone])
    for tensor in tensors(output):
        state.put(tensor, Mark(labels, mark.zero and zero))


def summation(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """A sum loses nothing with positions that are zero."""
    reduction(state, args, kwargs, output, sums=True)


def concatenate(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Side by side on one axis."""
    parts = list(argument(args, kwargs, 0, "tensors"))
    axis = int(argument(args, kwargs, 1, "dim", kwargs.get("axis", 0))) % output.dim()
    marks = [state.mark(t) for t in parts]
    zero = all(mark.zero or (mark.labels == FROZEN).all() for mark in marks)
    others = {a for mark in marks for a in varying(mark.labels)} - {axis}
    if not others:
        pieces = [
            np.broadcast_to(mark.labels, [t.shape[axis] if a == axis else 1 for a in range(t.dim())])
            for mark, t in zip(marks, parts, strict=True)
        ]
        state.put(output, Mark(uniform(np.concatenate(pieces, axis=axis)), zero))
    elif any(axis in varying(mark.labels) for mark in marks):
        mixing(state, parts, {}, output)
    else:
        for mark in marks[1:]:
            state.atoms.unite(marks[0].labels, mark.labels)
        labels = next(mark.labels for mark in marks if varying(mark.labels))
        state.put(output, Mark(labels, all(mark.zero for mark in marks)))


def chunking(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """Equal parts, counted from the length itself."""
    x, count = args[0], int(argument(args, kwargs, 1, "chunks"))
    axis = int(argument(args, kwargs, 2, "dim", 0)) % x.dim()
    mark = state.mark(x)
    if axis not in varying(mark.labels):
        for tensor in output:
            state.put(tensor, mark)
        return
    if x.shape[axis] % count or set(varying(mark.labels)) != {axis}:
        mixing(state, args, {}, output)
        return
    pieces = np.split(mark.labels, count, axis=axis)
    for place, (piece, tensor) in enumerate(zip(pieces, output, strict=True)):
        state.atoms.unite(pieces[0], piece)  # every part keeps the same number
        state.put(tensor, Mark(piece, mark.zero, rows=_part(mark, pieces, place, axis)))


def _part(mark: Mark, pieces: list[Labels], place: int, axis: int) -> Rows | None:
    """Return which rows make one of the parts that an axis was split into."""
    if mark.rows is None:
        return None
    ends = np.cumsum([piece.shape[axis] for piece in pieces])[:-1]
    return replace(mark.rows, numbers=np.split(mark.rows.numbers, ends, axis=axis)[place])


def splitting(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """Parts whose sizes are written in the code."""
    x, sizes = args[0], argument(args, kwargs, 1, "split_size", kwargs.get("split_size_or_sections"))
    axis = int(argument(args, kwargs, 2, "dim", 0)) % x.dim()
    mark = state.mark(x)
    if axis not in varying(mark.labels):
        for tensor in output:
            state.put(tensor, mark)
        return
    pieces = np.split(mark.labels, np.cumsum([tensor.shape[axis] for tensor in output])[:-1], axis=axis)
    if set(varying(mark.labels)) != {axis} or (len({piece.shape for piece in pieces}) > 1 and isinstance(sizes, int)):
        mixing(state, (x,), {}, output)
        return
    if not all(state.guess(piece.shape[axis], piece.reshape(-1)) for piece in pieces):
        mixing(state, (x,), {}, output)  # sizes are written in the code and would not follow
        return
    for place, (piece, tensor) in enumerate(zip(pieces, output, strict=True)):
        if isinstance(sizes, int):
            state.atoms.unite(pieces[0], piece)
        state.put(tensor, Mark(piece, mark.zero, rows=_part(mark, pieces, place, axis)))


def indexing(state: State, args: Any, kwargs: Any, output: Tensor) -> None:  # noqa: ARG001
    """Positions and slices; those of a parameter may be a layer's weight."""
    x, index = args
    index = index if isinstance(index, tuple) else (index,)
    name = state.name(x)
    if name is None or not isinstance(x, nn.Parameter) or x.dim() > 2 or not all(isinstance(i, slice) for i in index):
        _indexed(state, args, output)
        return
    cuts = (*index, *[slice(None)] * (x.dim() - len(index)))
    picks = tuple(np.arange(size)[cut] for size, cut in zip(x.shape, cuts, strict=True))
    state.put_block(output, Block(name, tuple(x.shape), picks), lambda: _indexed(state, args, output))


def _indexed(state: State, args: Any, output: Tensor) -> None:
    x, index = args
    mark = state.mark(x)
    index = index if isinstance(index, tuple) else (index,)
    if isinstance(index[0], Tensor) and len(index) == 1 and not index[0].is_floating_point():
        rows = index[0]  # a choice of rows: nodes, frames, examples
        if rows.dtype != torch.bool and varying(mark.labels) and 0 not in varying(mark.labels):
            freeze_all(state, rows)
            labels = mark.labels.reshape((1,) * rows.dim() + mark.labels.shape[1:])
            state.put(output, Mark(labels, mark.zero))
            return
    if not all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in index):
        mixing(state, args, {}, output)
        return
    used = sum(1 for i in index if i is not None and i is not Ellipsis)
    if Ellipsis not in index:
        index = (*index, Ellipsis)
    at = index.index(Ellipsis)
    index = (*index[:at], *[slice(None)] * (x.dim() - used), *index[at + 1 :])
    changing, shape, axis = set(varying(mark.labels)), [], 0
    rows = mark.rows
    if rows is not None:
        picks = [i if not isinstance(i, int) or size > 1 else 0 for i, size in _by_axis(index, rows.numbers)]
        rows = replace(rows, numbers=rows.numbers[tuple(picks)])
    for i in index:
        if i is None:
            shape.append(1)
            continue
        whole = isinstance(i, slice) and i.indices(x.shape[axis]) == (0, x.shape[axis], 1)
        if axis in changing and not whole:  # numbers in the code would not follow the cut
            mixing(state, (x,), {}, output)
            return
        if isinstance(i, slice):
            shape.append(mark.labels.shape[axis])
        axis += 1
    state.put(output, Mark(mark.labels.reshape(shape), mark.zero, rows=rows))


def _by_axis(index: tuple[Any, ...], numbers: Labels) -> list[tuple[Any, int]]:
    """Return each part of an index with the length of the axis it picks from."""
    found, axis = [], 0
    for i in index:
        found.append((i, 1 if i is None else numbers.shape[axis]))
        axis += i is not None
    return found


def assignment(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    if all(state.name(t) is None and (state.mark(t).labels == FROZEN).all() for t in tensors(args)):
        return
    raise state.refuse("an assignment to a part of a tensor")


def padding(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """More positions on axes that cannot be cut."""
    x, widths = args[0], list(argument(args, kwargs, 1, "pad"))
    mode, value = argument(args, kwargs, 2, "mode", "constant"), argument(args, kwargs, 3, "value", None)
    mark = state.mark(x)
    padded = {x.dim() - 1 - place // 2 for place, width in enumerate(widths) if width}
    if padded & set(varying(mark.labels)):  # the number of new positions is written in the code
        mixing(state, (x,), {}, output)
        return
    state.put(output, Mark(mark.labels, mark.zero and (mode != "constant" or not value)))


def glu(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """One half times the sigmoid of the other."""
    x = args[0]
    axis = int(argument(args, kwargs, 1, "dim", -1)) % x.dim()
    mark = state.mark(x)
    if set(varying(mark.labels)) != {axis}:
        mixing(state, (x,), {}, output)
        return
    value, gate = np.split(mark.labels, 2, axis=axis)
    state.atoms.unite(value, gate)
    state.put(output, Mark(value, mark.zero))
