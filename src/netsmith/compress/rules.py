"""What each torch function does to channels: the rules of the tracer.

A rule is called as ``rule(state, args, kwargs, output)`` after the function ran and labels its result. Functions are
known by the last part of their name, so ``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``+`` are one. What is not
in these tables stops the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.overrides import resolve_name

from netsmith.compress import _elementwise_rules as arithmetic
from netsmith.compress import _index_rules as index
from netsmith.compress import _layer_rules as layer
from netsmith.compress import _norm_rules as norms
from netsmith.compress import _product_rules as products
from netsmith.compress import _recurrent_rules as recurrent
from netsmith.compress import _shape_rules as shape
from netsmith.compress._state import State
from netsmith.layers.recurrent.sigmoid import SigmoidRecurrence
from netsmith.layers.shortcut import PadShortcut

__all__ = ["function_rule", "makes_channels", "module_rule"]

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
    expand expand_as T mT t repeat tile repeat_interleave flip
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
    imatmul baddbmm mv dot bilinear local_response_norm cosine_similarity cdist topk
    argmax argmin tril triu multi_head_attention_forward one_hot bincount scatter take
    """
)
_LAYERS = _words(
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear embedding embedding_bag"
)


def function_rule(function: Any) -> Rule | None:
    """Return the rule of a torch function, None if there is none."""
    last = _last_name(function)
    if not last:
        return None
    named = _NAMED.get(last)
    if named is not None:
        return named
    if last in ("max", "min"):
        return lambda state, args, kwargs, output: _extreme(state, function, args, kwargs, output)
    if last in _ELEMENTWISE or last in _SAME:
        same = last in _SAME
        return lambda state, args, kwargs, output: arithmetic.elementwise(state, function, same, args, kwargs, output)
    if last in _RESHAPING:
        return lambda state, args, kwargs, output: shape.reshaping(state, function, args, kwargs, output)
    if last in _POOLING:
        return shape.pooling
    return shape.mixing if last in _MIXING else None


def _extreme(state: State, function: Any, args: Any, kwargs: Any, output: Any) -> None:
    """The larger or smaller of two tensors, or the largest or smallest along axes."""
    if isinstance(args[1] if len(args) > 1 else kwargs.get("other"), Tensor):
        arithmetic.elementwise(state, function, False, args, kwargs, output)
    else:
        shape.reduction(state, args, kwargs, output)


def makes_channels(function: Any) -> bool:
    """Return whether a torch function is a layer, whose channels are its own."""
    return _last_name(function) in _LAYERS


def _last_name(function: Any) -> str:
    name = resolve_name(function) or getattr(function, "__name__", "")
    parts = [part for part in name.split(".") if part != "__get__"]
    last = parts[-1] if parts else ""
    last = last[2:-2] if last.startswith("__") and last.endswith("__") else last
    return last.rstrip("_")


def module_rule(module: nn.Module) -> Callable[[State, nn.Module, Any, Any], None] | None:
    """Return the rule of a module that is taken as a whole, None for one to look inside."""
    if isinstance(module, PadShortcut):
        return layer.pad_shortcut
    if isinstance(module, nn.MultiheadAttention):
        return products.multihead_attention
    if isinstance(module, nn.RNNBase):
        return recurrent.recurrent
    if isinstance(module, nn.RNNCellBase):
        return recurrent.cell
    if isinstance(module, SigmoidRecurrence):
        return recurrent.sigmoid
    return None


_NAMED: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), layer.convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), layer.transposed),
    **dict.fromkeys(("cat", "concat", "concatenate"), shape.concatenate),
    **dict.fromkeys(("mean", "amax", "amin"), shape.reduction),
    **dict.fromkeys(("var", "std", "prod"), shape.reduction),
    "logsumexp": partial(shape.reduction, zero=False),
    **dict.fromkeys(("norm", "vector_norm"), partial(shape.reduction, place=2)),
    "sum": shape.summation,
    "linear": layer.linear,
    "embedding": layer.embedding,
    "embedding_bag": layer.embedding,
    "batch_norm": norms.batch_norm,
    "instance_norm": norms.instance_norm,
    "layer_norm": norms.layer_norm,
    "rms_norm": norms.rms_norm,
    "group_norm": norms.group_norm,
    "prelu": layer.prelu,
    "chunk": shape.chunking,
    "split": shape.splitting,
    "getitem": shape.indexing,
    "setitem": shape.assignment,
    "pad": shape.padding,
    "glu": shape.glu,
    **dict.fromkeys(("matmul", "mm", "spmm", "bmm"), products.matmul),
    "addmm": products.addmm,
    "rmatmul": products.transposed_matmul,
    "einsum": products.einsum,
    "scaled_dot_product_attention": products.attention,
    **dict.fromkeys(("softmax", "softmin"), products.softmax),
    **dict.fromkeys(("log_softmax", "cumprod", "sort", "argsort"), index.axiswise),
    "cumsum": partial(index.axiswise, zero=True),
    "normalize": partial(index.axiswise, zero=True, place=2, default=1),
    "roll": partial(index.axiswise, zero=True, place=2, default=None),
    **dict.fromkeys(("gather", "index_select"), partial(index.axiswise, zero=True)),
    **dict.fromkeys(("index_add", "scatter_add", "scatter_reduce"), index.added),
    **dict.fromkeys(("new_ones", "new_full", "new_empty"), shape.constant),
    "stack": index.stack,
    **dict.fromkeys(("unbind", "iter"), index.unbind),
    "pixel_shuffle": index.pixel_shuffle,
    "pixel_unshuffle": index.pixel_unshuffle,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), index.channel_shuffle),
    "_pack_padded_sequence": recurrent.pack,
    "_pad_packed_sequence": recurrent.pack,
    **dict.fromkeys(("zeros", "new_zeros"), recurrent.zeros),
}
