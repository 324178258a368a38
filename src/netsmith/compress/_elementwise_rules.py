"""Rules for arithmetic: position by position, with broadcasting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netsmith.compress._labels import make_constant, varying
from netsmith.compress._marks import Mark, frozen
from netsmith.compress._state import State
from netsmith.compress.graph import Labels
from netsmith.engine.batch import map_tensors
from netsmith.measure.example import tensors

__all__ = ["elementwise", "merged"]


def elementwise(state: State, function: Any, same: bool, args: Any, kwargs: Any, output: Any) -> None:
    """Position by position, with broadcasting."""
    if kwargs.get("out") is not None:
        raise state.refuse("an operation that writes into out=")
    operands = tensors((args, kwargs))
    made = tensors(output)
    _marks(state, operands)
    _forget_free(state, operands)
    if len(operands) > 1 and any(t is made[0] and t._base is not None for t in operands):
        raise state.refuse("an in-place operation on a view")
    if same:
        state.put(made[0], state.mark(operands[0]))
        return
    labels = merged(state, operands, made[0])
    free = all(state.mark(t).free for t in operands)
    known = [state.mark(t).zero for t in operands]
    zero = _stays_zero(state, function, args, kwargs) or (None if known in ([True], [None]) else False)
    state.put(made[0], Mark(labels, zero, free=free))


def _marks(state: State, operands: list[Tensor]) -> list[Mark]:
    """Return what is known of operands; a parameter used by itself may be cut where the others' units lie."""
    met = {axis - t.dim() for t in operands if state.name(t) is None for axis in varying(state.mark(t).labels)}
    return [state.mark(t, met) for t in operands]


def _forget_free(state: State, operands: list[Tensor]) -> None:
    """Take zeros made in the code as constants where they meet units on another axis: they are a mask, no state."""
    bound = {axis - t.dim() for t in operands if not state.mark(t).free for axis in varying(state.mark(t).labels)}
    for tensor in operands:
        if state.mark(tensor).free and bound - {-1}:
            make_constant(state, tensor)


def merged(state: State, operands: list[Tensor], output: Tensor) -> Labels:
    """Return the labels of operands that are broadcast against each other, and tie what meets."""
    dims = output.dim()
    sizes = [(1,) * (dims - t.dim()) + tuple(t.shape) for t in operands]
    found = [mark.labels for mark in _marks(state, operands)]
    labels = [a.reshape((1,) * (dims - a.ndim) + a.shape) for a in found]
    axes = sorted({axis for a in labels for axis in varying(a)})
    if not axes:
        return frozen(output)
    met = []
    for size, a in zip(sizes, labels, strict=True):
        spans = [size[axis] > 1 for axis in axes]
        if all(spans):
            met.append(a)
        elif any(spans):  # an outer product: two units would meet in one position
            met = []
            break
    if len({tuple(varying(a)) for a in met if varying(a)}) != 1:
        alone = [varying(a) and state.alone(a) for a in labels]
        for tensor, a, own in zip(operands, labels, alone, strict=True):
            if own or not any(alone):
                state.atoms.freeze(a)
            if own:  # angles, say, of every head alike: the others may still go
                make_constant(state, tensor)
        return merged(state, operands, output) if any(alone) else frozen(output)
    for a in met[1:]:
        state.atoms.unite(met[0], a)
    return next(a for a in met if varying(a))


def _stays_zero(state: State, function: Any, args: Any, kwargs: Any) -> bool:
    """Return whether the result is zero wherever the masked operands are, by trying it on numbers."""

    def probe(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.bool:
            return torch.tensor([True, False, True, False])
        values = [0.0] * 4 if state.mark(tensor).zero else [-1.3, 0.7, 2.1, 0.4]
        return torch.tensor(values, dtype=torch.float64 if tensor.is_floating_point() else torch.int64)

    try:
        result = function(*map_tensors(args, probe), **map_tensors(kwargs, probe))
    except (RuntimeError, TypeError, ValueError):
        return False
    return bool((result == 0).all())
