"""What each torch function does to channels: the rules of the tracer.

A rule is called as ``rule(state, args, kwargs, output)`` after the function ran and labels its result. Functions are
known by the last part of their name, so ``torch.add``, ``Tensor.add``, ``Tensor.add_`` and ``+`` are one. What is not
in these tables stops the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.overrides import resolve_name

from netsmith.compress import _layer_rules as layer
from netsmith.compress import _shape_rules as shape
from netsmith.compress._state import State
from netsmith.layers.shortcut import PadShortcut

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
        same = last in _SAME
        return lambda state, args, kwargs, output: shape.elementwise(state, function, same, args, kwargs, output)
    if last in _RESHAPING:
        return lambda state, args, kwargs, output: shape.reshaping(state, function, args, kwargs, output)
    if last in _POOLING:
        return shape.pooling
    return shape.mixing if last in _MIXING else None


def module_rule(module: nn.Module) -> Callable[[State, nn.Module, Any, Any], None] | None:
    """Return the rule of a module that is taken as a whole, None for one to look inside."""
    if isinstance(module, PadShortcut):
        return layer.pad_shortcut
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return layer.mixing_module
    return None


_NAMED: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), layer.convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), layer.transposed),
    **dict.fromkeys(("cat", "concat", "concatenate"), shape.concatenate),
    **dict.fromkeys(("mean", "amax", "amin", "max", "min"), shape.reduction),
    "sum": shape.summation,
    "linear": layer.linear,
    "embedding": layer.embedding,
    "batch_norm": layer.batch_norm,
    "prelu": layer.prelu,
    "chunk": shape.chunking,
    "split": shape.splitting,
    "getitem": shape.indexing,
    "setitem": shape.assignment,
    "pad": shape.padding,
    "glu": shape.glu,
}
