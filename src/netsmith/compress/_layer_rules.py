"""Rules for what has weights: the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from netsmith.compress._labels import argument, block_of, freeze_all, named_tensor, only_axis, read_axis, varying
from netsmith.compress._marks import Mark, Rows, along
from netsmith.compress._state import State
from netsmith.compress.graph import FROZEN
from netsmith.layers.shortcut import PadShortcut
from netsmith.measure.example import tensors

__all__ = ["convolution", "embedding", "linear", "pad_shortcut", "prelu", "transposed"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def convolution(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Plain, grouped and depthwise convolutions of one to three dimensions."""
    x, weight = args[0], argument(args, kwargs, 1, "weight")
    bias, groups = argument(args, kwargs, 2, "bias"), argument(args, kwargs, 6, "groups", 1)
    name, axis = named_tensor(state, weight, "weight"), x.dim() - weight.dim() + 1
    each = weight.shape[1]
    if each == 1 and groups > 1:  # depthwise: a channel goes with its filters
        before = only_axis(state, x, axis, sums=False)
        after = state.slot(name, 0, np.repeat(before, len(weight) // groups), makes=True)
        state.count(_CONVOLUTIONS, groups=before)
    else:
        before, bare = read_axis(state, x, axis)
        rows = before.reshape(groups, each)
        state.atoms.unite(rows[:1], rows)  # every group keeps the same number
        state.slot(name, 1, rows[0], makes=False, bare=bare)
        after = state.made(name, 0, len(weight), repeats=groups)
    if bias is not None:
        state.slot(named_tensor(state, bias, "bias"), 0, after, makes=True)
    state.count(_CONVOLUTIONS, in_channels=before, out_channels=after)
    names = (name, *([] if bias is None else [named_tensor(state, bias, "bias")]))
    rows = Rows(names, along(np.arange(len(weight)), axis, output.dim()))
    state.put(output, Mark(along(after, axis, output.dim()), rows=rows))


def transposed(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Transposed convolutions: plain, grouped and depthwise."""
    x, weight = args[0], argument(args, kwargs, 1, "weight")
    bias, groups = argument(args, kwargs, 2, "bias"), argument(args, kwargs, 6, "groups", 1)
    name, axis = named_tensor(state, weight, "weight"), x.dim() - weight.dim() + 1
    if groups == len(weight) > 1:  # depthwise: a channel goes with its filters
        before = state.slot(name, 0, only_axis(state, x, axis, sums=False), makes=True)
        after = np.repeat(before, weight.shape[1])
        state.count(_TRANSPOSED, groups=before)
    else:
        before, bare = read_axis(state, x, axis)
        rows = before.reshape(groups, -1)
        state.atoms.unite(rows[:1], rows)  # every group keeps the same number
        before = state.slot(name, 0, before, makes=False, bare=bare)
        after = np.tile(state.made(name, 1, weight.shape[1]), groups)
    if bias is not None:
        state.slot(named_tensor(state, bias, "bias"), 0, after, makes=True)
    state.count(_TRANSPOSED, in_channels=before, out_channels=after)
    state.put(output, Mark(along(after, axis, output.dim())))


def linear(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """``x W^T + b`` on the last axis; W may be slices of a parameter."""
    x, weight, bias = args[0], argument(args, kwargs, 1, "weight"), argument(args, kwargs, 2, "bias")
    block, *more = (block_of(state, tensor, "weight or bias") for tensor in (weight, bias) if tensor is not None)
    mark = state.mark(x)
    if set(varying(mark.labels)) - {x.dim() - 1} and x.dim() - 1 not in varying(mark.labels):
        # it mixes another axis (tokens): each channel goes through it alone
        freeze_all(state, (weight, bias))
        state.put(output, Mark(mark.labels, mark.zero and bias is None))
        return
    before, bare = read_axis(state, x, -1)
    before = state.slot_of(block, 1, before, makes=False, bare=bare)
    made = state.made(block.tensor, 0, block.shape[0])
    after = made[block.picks[0]]
    for other in more:
        state.slot_of(other, 0, after, makes=True)
    state.count(nn.Linear, in_features=before, out_features=made)
    last, rows = output.dim() - 1, None
    if block.whole():
        names = (block.tensor, *(other.tensor for other in more))
        rows = Rows(names, along(np.arange(len(weight)), last, output.dim()))
    else:
        owner = block.tensor.rpartition(".")[0]
        if isinstance(state.modules[owner], nn.Linear):
            state.count_of(owner, in_features=before, out_features=made)
    state.put(output, Mark(along(after, last, output.dim()), rows=rows))


def embedding(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Rows of a table: its columns can be cut."""
    freeze_all(state, args[0])
    weight = argument(args, kwargs, 1, "weight")
    name = named_tensor(state, weight, "weight")
    state.slot(name, 0, np.full(len(weight), FROZEN, dtype=np.int64), makes=False)  # rows are found by number
    after = state.made(name, 1, output.shape[-1])
    state.count((nn.Embedding, nn.EmbeddingBag), embedding_dim=after)
    state.put(output, Mark(along(after, output.dim() - 1, output.dim())))


def prelu(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """A slope for each channel."""
    x, weight = args[0], argument(args, kwargs, 1, "weight")
    mark, name = state.mark(x), named_tensor(state, weight, "weight")
    if weight.numel() == 1:
        state.put(output, mark)
        return
    channels = state.slot(name, 0, only_axis(state, x, 1, sums=False), makes=True)
    state.count(nn.PReLU, num_parameters=channels)
    state.put(output, Mark(along(channels, 1, output.dim()), mark.zero))


def pad_shortcut(state: State, module: nn.Module, given: Any, output: Tensor) -> None:
    """The shortcut without parameters, whose sources follow the cut."""
    assert isinstance(module, PadShortcut)
    before = only_axis(state, tensors(given)[0], 1, sums=True)
    name = state.name(module.source)
    assert name is not None
    # an outgoing channel may go on its own: its source is not cut with it, only no longer read
    after = state.made(name, 0, len(module.source))
    state.remap(name, before)
    state.put(output, Mark(along(after, 1, output.dim())))
