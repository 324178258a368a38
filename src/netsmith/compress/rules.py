"""What each torch function does to channels: the rules of the tracer.

A rule is called as ``rule(state, args, kwargs, output)`` after the function ran and labels its result. Functions are
known by the last part of their name, so ``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``+`` are one. What is not
in these tables stops the state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import resolve_name

from netsmith.compress._state import Mark, State, along, frozen
from netsmith.compress.graph import FROZEN, Labels
from netsmith.layers.shortcut import PadShortcut
from netsmith.measure.example import map_tensors, tensors

__all__ = ["function_rule", "module_rule"]

Rule = Callable[[State, Any, Any, Any], None]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ELEMENTWISE = _words(
    """
    relu relu6 hardtanh leaky_relu elu selu celu gelu silu mish hardswish hardsigmoid sigmoid tanh softplus softsign
    logsigmoid hardshrink softshrink tanhshrink threshold abs neg square sqrt rsqrt exp expm1 log log1p sin cos erf
    reciprocal sign floor ceil round clamp clip pow positive nan_to_num zeros_like ones_like full_like logical_not
    add radd iadd sub rsub isub mul rmul imul div rdiv truediv rtruediv itruediv maximum minimum where masked_fill
    lerp addcmul addcdiv eq ne lt le gt ge logical_and logical_or
    """
)
_SAME = _words(  # the same numbers, in evaluation mode
    """
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout contiguous clone detach
    to float double half bfloat16 type type_as requires_grad identity data
    """
)
_RESHAPING = _words(
    """
    flatten unflatten view reshape view_as reshape_as permute transpose swapaxes swapdims movedim squeeze unsqueeze
    expand expand_as T mT t
    """
)
_POOLING = _words(
    """
    max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool1d lp_pool2d lp_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
    adaptive_max_pool3d interpolate upsample
    """
)
_MIXING = _words(
    """
    matmul rmatmul imatmul mm bmm baddbmm addmm mv dot einsum bilinear scaled_dot_product_attention softmax log_softmax
    softmin layer_norm rms_norm group_norm instance_norm local_response_norm normalize cosine_similarity cdist norm var
    std logsumexp cumsum cumprod prod sort topk argmax argmin argsort gather index_select take index_add scatter
    scatter_add roll tril triu multi_head_attention_forward embedding_bag one_hot bincount
    """
)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def function_rule(function: Any) -> Rule | None:
    """Return the rule of a torch function, None if there is none."""
    name = resolve_name(function) or getattr(function, "__name__", "")
    parts = [part for part in name.split(".") if part != "__get__"]
    if not parts:
        return None
    last = parts[-1]
    last = last[2:-2] if last.startswith("__") and last.endswith("__") else last
    last = last.rstrip("_")
    named = _NAMED.get(last)
    if named is not None:
        return named
    if last in _ELEMENTWISE or last in _SAME:
        return lambda state, args, kwargs, output: _elementwise(state, function, last, args, kwargs, output)
    if last in _RESHAPING:
        return lambda state, args, kwargs, output: _reshape(state, function, args, kwargs, output)
    if last in _POOLING:
        return _pool
    return _mix if last in _MIXING else None


def module_rule(module: nn.Module) -> Callable[[State, nn.Module, Any, Any], None] | None:
    """Return the rule of a module that is taken as a whole, None for one to look inside."""
    if isinstance(module, PadShortcut):
        return _pad_shortcut
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return _mixing_module
    return None


# -- helpers ----------------------------------------------------------------------------------------------------------


def _varying(labels: Labels) -> list[int]:
    return [axis for axis, size in enumerate(labels.shape) if size > 1]


def _uniform(labels: Labels) -> Labels:
    """Drop the axes along which nothing changes."""
    for axis in _varying(labels):
        first = np.take(labels, [0], axis=axis)
        if (labels == first).all():
            labels = first
    return labels


def _only(state: State, tensor: Tensor, axis: int, *, sums: bool) -> Labels:
    """Return ``(n,)`` atoms of one axis; freeze what varies along another, or what a sum may not lose.

    Args:
        trace: The state.
        tensor: What is read.
        axis: The axis to keep.
        sums: The reader sums over the axis, so a masked position must be zero.
    """
    axis %= tensor.dim()
    mark = state.mark(tensor)
    if set(_varying(mark.labels)) - {axis} or (sums and not mark.zero):
        state.atoms.freeze(mark.labels)
        return np.full(tensor.shape[axis], FROZEN, dtype=np.int64)
    return np.broadcast_to(mark.labels.reshape(-1), (tensor.shape[axis],))


def _named(state: State, tensor: Tensor, what: str) -> str:
    name = state.name(tensor)
    if name is None:
        raise state.refuse(f"a {what} that is computed, not a parameter,")
    return name


def _argument(args: Sequence[Any], kwargs: dict[str, Any], place: int, name: str, default: Any = None) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, default)


def _freeze_all(state: State, values: Any) -> None:
    for tensor in tensors(values):
        name = state.name(tensor)
        if name is not None:
            state.lock(name)
        state.atoms.freeze(state.mark(tensor).labels)


def _constant(state: State, output: Any) -> None:
    for tensor in tensors(output):
        state.put(tensor, Mark(frozen(tensor), zero=False))


# -- layers -----------------------------------------------------------------------------------------------------------


def _convolution(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x, weight = args[0], _argument(args, kwargs, 1, "weight")
    bias, groups = _argument(args, kwargs, 2, "bias"), _argument(args, kwargs, 6, "groups", 1)
    name, axis = _named(state, weight, "weight"), x.dim() - weight.dim() + 1
    each = weight.shape[1]
    if each == 1 and groups > 1:  # depthwise: a channel goes with its filters
        before = _only(state, x, axis, sums=False)
        after = state.slot(name, 0, np.repeat(before, len(weight) // groups), makes=True)
        state.count(_CONVOLUTIONS, groups=before)
    else:
        before = _only(state, x, axis, sums=True)
        rows = before.reshape(groups, each)
        state.atoms.unite(rows[:1], rows)  # every group keeps the same number
        state.slot(name, 1, rows[0], makes=False)
        after = state.made(name, 0, len(weight), repeats=groups)
    if bias is not None:
        state.slot(_named(state, bias, "bias"), 0, after, makes=True)
    state.count(_CONVOLUTIONS, in_channels=before, out_channels=after)
    state.put(output, Mark(along(after, axis, output.dim())))


def _transposed(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x, weight = args[0], _argument(args, kwargs, 1, "weight")
    bias, groups = _argument(args, kwargs, 2, "bias"), _argument(args, kwargs, 6, "groups", 1)
    if groups > 1:
        _mix(state, args, kwargs, output)
        return
    name, axis = _named(state, weight, "weight"), x.dim() - weight.dim() + 1
    before = state.slot(name, 0, _only(state, x, axis, sums=True), makes=False)
    after = state.made(name, 1, weight.shape[1])
    if bias is not None:
        state.slot(_named(state, bias, "bias"), 0, after, makes=True)
    state.count(_TRANSPOSED, in_channels=before, out_channels=after)
    state.put(output, Mark(along(after, axis, output.dim())))


def _linear(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x, weight, bias = args[0], _argument(args, kwargs, 1, "weight"), _argument(args, kwargs, 2, "bias")
    name = _named(state, weight, "weight")
    before = state.slot(name, 1, _only(state, x, -1, sums=True), makes=False)
    after = state.made(name, 0, len(weight))
    if bias is not None:
        state.slot(_named(state, bias, "bias"), 0, after, makes=True)
    state.count(nn.Linear, in_features=before, out_features=after)
    state.put(output, Mark(along(after, output.dim() - 1, output.dim())))


def _embedding(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    _freeze_all(state, args[0])
    name = _named(state, _argument(args, kwargs, 1, "weight"), "weight")
    after = state.made(name, 1, output.shape[-1])
    state.count(nn.Embedding, embedding_dim=after)
    state.put(output, Mark(along(after, output.dim() - 1, output.dim())))


def _batch_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x = args[0]
    names = ("running_mean", "running_var", "weight", "bias")
    given = {name: _argument(args, kwargs, place, name) for place, name in enumerate(names, start=1)}
    zero = state.mark(x).zero or given["weight"] is not None
    channels = _only(state, x, 1, sums=False)
    for role, tensor in given.items():
        if tensor is not None:
            # a masked channel has scale, shift and mean 0, so it comes out as zero
            state.slot(_named(state, tensor, role), 0, channels, makes=role != "running_var")
    state.count(nn.modules.batchnorm._BatchNorm, num_features=channels)
    state.put(output, Mark(along(channels, 1, output.dim()), zero))


def _prelu(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x, weight = args[0], _argument(args, kwargs, 1, "weight")
    mark, name = state.mark(x), _named(state, weight, "weight")
    if weight.numel() == 1:
        state.put(output, mark)
        return
    channels = state.slot(name, 0, _only(state, x, 1, sums=False), makes=True)
    state.count(nn.PReLU, num_parameters=channels)
    state.put(output, Mark(along(channels, 1, output.dim()), mark.zero))


def _pad_shortcut(state: State, module: nn.Module, given: Any, output: Tensor) -> None:
    assert isinstance(module, PadShortcut)
    before = _only(state, tensors(given)[0], 1, sums=True)
    name = state.name(module.source)
    assert name is not None
    # an outgoing channel may go on its own: its source is not cut with it, only no longer read
    after = state.made(name, 0, len(module.source))
    state.remap(name, before)
    state.put(output, Mark(along(after, 1, output.dim())))


def _mixing_module(state: State, module: nn.Module, given: Any, output: Any) -> None:
    _freeze_all(state, (given, list(module.parameters())))
    _constant(state, output)


# -- operations without weights ---------------------------------------------------------------------------------------


def _elementwise(state: State, function: Any, name: str, args: Any, kwargs: Any, output: Any) -> None:
    if kwargs.get("out") is not None:
        raise state.refuse("an operation that writes into out=")
    operands = tensors((args, kwargs))
    made = tensors(output)
    if len(operands) > 1 and any(t is made[0] and t._base is not None for t in operands):
        raise state.refuse("an in-place operation on a view")
    if name in _SAME:
        state.put(made[0], state.mark(operands[0]))
        return
    labels = _merge(state, operands, made[0])
    state.put(made[0], Mark(labels, _stays_zero(state, function, args, kwargs)))


def _merge(state: State, operands: list[Tensor], output: Tensor) -> Labels:
    """Return the labels of operands that are broadcast against each other, and tie what meets."""
    dims = output.dim()
    sizes = [(1,) * (dims - t.dim()) + tuple(t.shape) for t in operands]
    found = [state.mark(t).labels for t in operands]
    labels = [a.reshape((1,) * (dims - a.ndim) + a.shape) for a in found]
    axes = sorted({axis for a in labels for axis in _varying(a)})
    if not axes:
        return np.full((1,) * dims, FROZEN, dtype=np.int64)
    met = []
    for size, a in zip(sizes, labels, strict=True):
        spans = [size[axis] > 1 for axis in axes]
        if all(spans):
            met.append(a)
        elif any(spans):  # an outer product: two units would meet in one position
            met = []
            break
    if len({tuple(_varying(a)) for a in met if _varying(a)}) != 1:
        for a in labels:
            state.atoms.freeze(a)
        return np.full((1,) * dims, FROZEN, dtype=np.int64)
    for a in met[1:]:
        state.atoms.unite(met[0], a)
    return next(a for a in met if _varying(a))


def _stays_zero(state: State, function: Any, args: Any, kwargs: Any) -> bool:
    """Return whether the result is zero wherever the masked operands are, by trying it on numbers."""

    def probe(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.bool:
            return torch.tensor([True, False, True, False])
        values = [0.0] * 4 if state.mark(tensor).zero else [-1.3, 0.7, 2.1, 0.0]
        return torch.tensor(values, dtype=torch.float64 if tensor.is_floating_point() else torch.int64)

    try:
        result = function(*map_tensors(args, probe), **map_tensors(kwargs, probe))
    except (RuntimeError, TypeError, ValueError):
        return False
    return bool((result == 0).all())


def _reshape(state: State, function: Any, args: Any, kwargs: Any, output: Tensor) -> None:
    x = args[0]
    mark = state.mark(x)
    whole = torch.from_numpy(np.broadcast_to(mark.labels, tuple(x.shape)).copy())
    labels = _uniform(function(whole, *args[1:], **kwargs).numpy())
    *others, last = _varying(labels) or [0]
    for axis in others:  # an axis that was split: every part loses the same positions
        first = np.take(labels, [0], axis=axis)
        state.atoms.unite(first, labels)
        labels = first
    assert _varying(labels) in ([], [last])
    state.put(output, Mark(labels, mark.zero))


def _pool(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    mark = state.mark(args[0])
    varying = _varying(mark.labels)
    if varying and max(varying) > 1:
        _mix(state, args, {}, output)
        return
    for tensor in tensors(output):  # values, and the indices of return_indices
        state.put(tensor, mark)


def _mix(state: State, args: Any, kwargs: Any, output: Any) -> None:
    """Every result depends on every position: nothing that goes in can be cut."""
    _freeze_all(state, (args, kwargs))
    _constant(state, output)


def _reduce(state: State, args: Any, kwargs: Any, output: Any, *, sums: bool = False) -> None:
    x = args[0]
    mark = state.mark(x)
    axis = _argument(args, kwargs, 1, "dim", kwargs.get("axis"))
    keep = bool(_argument(args, kwargs, 2, "keepdim", False))
    if isinstance(axis, Tensor):
        raise state.refuse("torch.max of two tensors (use torch.maximum)")
    axes = range(x.dim()) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    gone = {a % x.dim() for a in axes}
    if gone & set(_varying(mark.labels)):
        if not (sums and mark.zero):
            state.atoms.freeze(mark.labels)
        _constant(state, output)
        return
    labels = mark.labels
    if not keep:
        labels = labels.reshape([size for a, size in enumerate(labels.shape) if a not in gone])
    for tensor in tensors(output):
        state.put(tensor, Mark(labels, mark.zero))


def _sum(state: State, args: Any, kwargs: Any, output: Any) -> None:
    _reduce(state, args, kwargs, output, sums=True)


def _concatenate(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    parts = list(_argument(args, kwargs, 0, "tensors"))
    axis = int(_argument(args, kwargs, 1, "dim", kwargs.get("axis", 0))) % output.dim()
    marks = [state.mark(t) for t in parts]
    zero = all(mark.zero or (mark.labels == FROZEN).all() for mark in marks)
    others = {a for mark in marks for a in _varying(mark.labels)} - {axis}
    if not others:
        pieces = [
            np.broadcast_to(mark.labels, [t.shape[axis] if a == axis else 1 for a in range(t.dim())])
            for mark, t in zip(marks, parts, strict=True)
        ]
        state.put(output, Mark(_uniform(np.concatenate(pieces, axis=axis)), zero))
    elif any(axis in _varying(mark.labels) for mark in marks):
        _mix(state, parts, {}, output)
    else:
        for mark in marks[1:]:
            state.atoms.unite(marks[0].labels, mark.labels)
        labels = next(mark.labels for mark in marks if _varying(mark.labels))
        state.put(output, Mark(labels, all(mark.zero for mark in marks)))


def _chunk(state: State, args: Any, kwargs: Any, output: Any) -> None:
    x, count = args[0], int(_argument(args, kwargs, 1, "chunks"))
    axis = int(_argument(args, kwargs, 2, "dim", 0)) % x.dim()
    mark = state.mark(x)
    if axis not in _varying(mark.labels):
        for tensor in output:
            state.put(tensor, mark)
        return
    if x.shape[axis] % count or set(_varying(mark.labels)) != {axis}:
        _mix(state, args, {}, output)
        return
    pieces = np.split(mark.labels, count, axis=axis)
    for piece, tensor in zip(pieces, output, strict=True):
        state.atoms.unite(pieces[0], piece)  # every part keeps the same number
        state.put(tensor, Mark(piece, mark.zero))


def _split(state: State, args: Any, kwargs: Any, output: Any) -> None:
    x = args[0]
    axis = int(_argument(args, kwargs, 2, "dim", 0)) % x.dim()
    mark = state.mark(x)
    if axis in _varying(mark.labels):  # sizes are written in the code and would not follow
        _mix(state, (x,), {}, output)
        return
    for tensor in output:
        state.put(tensor, mark)


def _index(state: State, args: Any, kwargs: Any, output: Tensor) -> None:  # noqa: ARG001
    x, index = args
    mark = state.mark(x)
    index = index if isinstance(index, tuple) else (index,)
    if not all(i is None or i is Ellipsis or isinstance(i, (int, slice)) for i in index):
        _mix(state, args, {}, output)
        return
    used = sum(1 for i in index if i is not None and i is not Ellipsis)
    if Ellipsis not in index:
        index = (*index, Ellipsis)
    at = index.index(Ellipsis)
    index = (*index[:at], *[slice(None)] * (x.dim() - used), *index[at + 1 :])
    varying, shape, axis = set(_varying(mark.labels)), [], 0
    for i in index:
        if i is None:
            shape.append(1)
            continue
        whole = isinstance(i, slice) and i.indices(x.shape[axis]) == (0, x.shape[axis], 1)
        if axis in varying and not whole:  # numbers in the code would not follow the cut
            _mix(state, (x,), {}, output)
            return
        if isinstance(i, slice):
            shape.append(mark.labels.shape[axis])
        axis += 1
    state.put(output, Mark(mark.labels.reshape(shape), mark.zero))


def _assign(state: State, args: Any, kwargs: Any, output: Any) -> None:  # noqa: ARG001
    if all(state.name(t) is None and (state.mark(t).labels == FROZEN).all() for t in tensors(args)):
        return
    raise state.refuse("an assignment to a part of a tensor")


def _pad(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x, widths = args[0], list(_argument(args, kwargs, 1, "pad"))
    mode, value = _argument(args, kwargs, 2, "mode", "constant"), _argument(args, kwargs, 3, "value", None)
    mark = state.mark(x)
    padded = {x.dim() - 1 - place // 2 for place, width in enumerate(widths) if width}
    if padded & set(_varying(mark.labels)):  # the number of new positions is written in the code
        _mix(state, (x,), {}, output)
        return
    state.put(output, Mark(mark.labels, mark.zero and (mode != "constant" or not value)))


def _glu(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    x = args[0]
    axis = int(_argument(args, kwargs, 1, "dim", -1)) % x.dim()
    mark = state.mark(x)
    if set(_varying(mark.labels)) != {axis}:
        _mix(state, (x,), {}, output)
        return
    value, gate = np.split(mark.labels, 2, axis=axis)
    state.atoms.unite(value, gate)
    state.put(output, Mark(value, mark.zero))


_NAMED: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenate),
    **dict.fromkeys(("mean", "amax", "amin", "max", "min"), _reduce),
    "sum": _sum,
    "linear": _linear,
    "embedding": _embedding,
    "batch_norm": _batch_norm,
    "prelu": _prelu,
    "chunk": _chunk,
    "split": _split,
    "getitem": _index,
    "setitem": _assign,
    "pad": _pad,
    "glu": _glu,
}
