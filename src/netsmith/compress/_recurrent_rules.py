"""Rules for recurrent modules, and for the zeros that first states are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from netsmith.compress._labels import make_constant, named_tensor, only_axis
from netsmith.compress._marks import Mark, along
from netsmith.compress._state import State
from netsmith.compress.graph import Labels
from netsmith.layers.recurrent.sigmoid import SigmoidRecurrence
from netsmith.measure.example import tensors

__all__ = ["cell", "pack", "recurrent", "sigmoid", "zeros"]


def zeros(state: State, args: Any, kwargs: Any, output: Tensor) -> None:  # noqa: ARG001
    """Zeros made in the code: their last axis has the units of what it meets, as a first state has its cell's."""
    if output.dim() < 2 or output.shape[-1] == 1 or not output.is_floating_point():
        make_constant(state, output)
        return
    labels = along(state.atoms.fresh(output.shape[-1]), output.dim() - 1, output.dim())
    state.guess(output.shape[-1], labels.reshape(-1))
    state.put(output, Mark(labels, free=True))


def recurrent(state: State, module: nn.Module, given: Any, output: Any) -> None:
    """RNN, LSTM and GRU, stacked, bidirectional, projected: a hidden unit goes with the rows of all its gates.

    torch's modules have one hidden size, so all layers and directions lose the same positions.
    """
    assert isinstance(module, nn.RNNBase)
    (x, *states), kwargs = given
    states = tensors((states, kwargs))
    x = tensors(x)[0]  # of a packed sequence: its data
    before = only_axis(state, x, -1, sums=True)
    directions = ["", "_reverse"] if module.bidirectional else [""]
    inner: Labels | None = None
    outer: Labels | None = None
    read = before
    for layer in range(module.num_layers):
        for direction in directions:
            inner, outer = _layer(state, module, f"l{layer}{direction}", read, inner, outer)
        assert outer is not None
        read = np.tile(outer, len(directions))
    assert inner is not None
    assert outer is not None
    for place, tensor in enumerate(states):  # h, then c
        state.atoms.unite(inner if place else outer, only_axis(state, tensor, -1, sums=True))
    state.count(nn.RNNBase, input_size=before, hidden_size=inner)
    if module.proj_size:
        state.count(nn.RNNBase, proj_size=outer)
    found = tensors(output)
    lines = [np.tile(outer, len(directions)), outer, inner]  # all outputs, last h, last c
    if not isinstance(output[0], Tensor):  # a packed sequence: its data, then whole numbers
        data, *numbers = tensors(output[0])
        make_constant(state, numbers)
        found = [data, *tensors(output[1])]
    for tensor, line in zip(found, lines, strict=False):
        state.put(tensor, Mark(along(line, tensor.dim() - 1, tensor.dim())))


def cell(state: State, module: nn.Module, given: Any, output: Any) -> None:
    """One step of RNN, LSTM or GRU."""
    assert isinstance(module, nn.RNNCellBase)
    (x, *states), kwargs = given
    before = only_axis(state, x, -1, sums=True)
    inner, _ = _layer(state, module, "", before, None, None)
    for tensor in tensors((states, kwargs)):
        state.atoms.unite(inner, only_axis(state, tensor, -1, sums=True))
    state.count(nn.RNNCellBase, input_size=before, hidden_size=inner)
    for tensor in tensors(output):
        state.put(tensor, Mark(along(inner, tensor.dim() - 1, tensor.dim())))


def sigmoid(state: State, module: nn.Module, given: Any, output: Any) -> None:
    """Sigmoid units that read themselves: a unit that is gone is 1/2 where nothing makes it, and is not read."""
    assert isinstance(module, SigmoidRecurrence)
    x, start = tensors(given)
    hidden = only_axis(state, x, -1, sums=False)
    state.atoms.unite(hidden, only_axis(state, start, -1, sums=False))
    name = named_tensor(state, module.weight, "weight")
    state.slot(name, 0, hidden, makes=True)
    state.slot(name, 1, hidden, makes=False, bare=True)
    state.count(SigmoidRecurrence, hidden_size=hidden)
    for tensor in tensors(output):
        state.put(tensor, Mark(along(hidden, tensor.dim() - 1, tensor.dim()), zero=None))


def pack(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    """Sequences of several lengths laid after each other, or taken apart again: features stay on the last axis."""
    x = args[0]
    line = only_axis(state, x, -1, sums=False)
    zero = state.mark(x).zero
    data, *numbers = tensors(output)
    make_constant(state, numbers)
    state.put(data, Mark(along(line, data.dim() - 1, data.dim()), zero))


def _layer(
    state: State, module: nn.Module, suffix: str, read: Labels, inner: Labels | None, outer: Labels | None
) -> tuple[Labels, Labels]:
    """Note one layer in one direction; return the atoms of its hidden units and of what it gives on."""

    def tensor_of(kind: str) -> Tensor | None:
        tensor = getattr(module, f"{kind}_{suffix}" if suffix else kind, None)
        return tensor if isinstance(tensor, Tensor) else None

    def name(kind: str) -> str:
        tensor = tensor_of(kind)
        assert tensor is not None
        return named_tensor(state, tensor, kind)

    weights, projecting = tensor_of("weight_ih"), tensor_of("weight_hr")
    assert weights is not None
    rows, back = name("weight_ih"), name("weight_hh")
    hidden: int = module.hidden_size  # type: ignore[assignment]
    gates = len(weights) // hidden
    made = state.made(rows, 0, gates * hidden, repeats=gates)[:hidden]
    if inner is not None:
        state.atoms.unite(inner, made)
    state.slot(rows, 1, read, makes=False)
    given = made
    if projecting is not None:
        given = state.made(name("weight_hr"), 0, len(projecting))
        state.slot(name("weight_hr"), 1, made, makes=False)
        if outer is not None:
            state.atoms.unite(outer, given)
    state.slot(back, 0, np.tile(made, gates), makes=True)
    state.slot(back, 1, given, makes=False)
    for kind in ("bias_ih", "bias_hh"):
        if tensor_of(kind) is not None:
            state.slot(name(kind), 0, np.tile(made, gates), makes=True)
    return made, given
