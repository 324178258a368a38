r"""Attention maps, and how attention passes on from layer to layer.

The weights :math:`A = \mathrm{softmax}(Q K^\top / \sqrt{d_k})` say which position a position takes from, in one layer.
Attention rollout (Abnar & Zuidema 2020, arXiv:2005.00928, Eq. 1) follows them through the residual connections down to
the tokens, heads averaged:

.. math:: \tilde A_l = \tfrac12 (A_l + I), \qquad R_l = \tilde A_l R_{l-1}, \qquad R_0 = I

Weights are not importance: values and everything above count too, so a map is to be checked like any other
(:mod:`netsmith.explain.sanity`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain._forward import evaluating
from netsmith.layers.conv_attention import ConvAttention

__all__ = ["attention_maps", "attention_rollout", "conv_attention_maps"]


def attention_maps(module: nn.Module, inputs: Any) -> dict[str, Tensor]:
    """Return the attention weights of every layer that runs, in the order they run.

    Seen are ``nn.MultiheadAttention``, ``F.scaled_dot_product_attention`` (its weights are computed anew from queries
    and keys: the fused kernel tells none), and any softmax over the last axis of ``(B, heads, Q, K)`` scores.

    Args:
        module: Left as found.
        inputs: What it takes: a tensor, or a tuple or dict of tensors.

    Returns:
        By name of the layer within the module (``#2`` and so on where it runs again): ``(B, heads, Q, K)``, rows sum
        to 1. A row that may look nowhere, whose softmax is not a number, is 0.

    Raises:
        UnsupportedError: No attention runs, as far as can be seen (a compiled or scripted module cannot be).
    """
    seen = _Attention()
    handles = []
    for name, part in module.named_modules():

        def enter(_part: nn.Module, _inputs: Any, name: str = name) -> None:
            seen.within.append(name)

        def leave(_part: nn.Module, _inputs: Any, _output: Any) -> None:
            seen.within.pop()

        handles += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # the fused encoder layer shows nothing
        with evaluating(module), torch.no_grad(), seen:
            module(inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
    if not seen.maps:
        raise UnsupportedError(
            f"{type(module).__name__} runs no attention that can be seen; integrated gradients, occlusion, lime and "
            "shapley explain it"
        )
    return seen.maps


def attention_rollout(maps: Mapping[str, Tensor] | Sequence[Tensor], *, residual: float = 0.5) -> Tensor:
    """Return how much each position of the last layer holds of each token, through all layers.

    Args:
        maps: From :func:`attention_maps`, from the first layer to the last: ``(B, heads, L, L)`` each.
        residual: The share of a position that passes around the attention; the paper's 0.5.

    Returns:
        ``(B, L, L)``, rows sum to 1: row i is what position i of the last layer is made of.

    Raises:
        UserError: Maps that do not attend from all positions to the same positions, none at all, or a share that is
            none.
    """
    layers = list(maps.values()) if isinstance(maps, Mapping) else list(maps)
    shapes = {(len(one), *one.shape[2:]) for one in layers}
    if len(shapes) != 1 or any(one.dim() != 4 or one.shape[2] != one.shape[3] for one in layers):
        told = ", ".join(str(tuple(one.shape)) for one in layers) or "none"
        raise UserError(f"maps are {told}; expected self-attention (B, heads, L, L) of one B and L in all layers")
    if not 0 <= residual < 1:
        raise UserError(f"residual is {residual}; expected at least 0 and below 1")
    identity = torch.eye(layers[0].shape[2], dtype=layers[0].dtype, device=layers[0].device)
    rolled = identity.expand(len(layers[0]), -1, -1)
    for weights in layers:
        mixed = (1 - residual) * weights.mean(1) + residual * identity  # Eq. 1
        rolled = mixed / mixed.sum(2, keepdim=True) @ rolled
    return rolled


def conv_attention_maps(module: nn.Module, *, size: tuple[int, int]) -> dict[str, Tensor]:
    """Return where the heads of each :class:`~netsmith.layers.conv_attention.ConvAttention` look.

    Its weights depend on places alone, not on the picture.

    Args:
        module: Left as found.
        size: Height H and width W of what the layers see.

    Returns:
        By name: ``(heads, H, W, H', W')``, the weight of pixel (H', W') of the padded image for each pixel.

    Raises:
        UnsupportedError: The module has no such layer.
    """
    found = {}
    with torch.no_grad():
        for name, part in module.named_modules():
            if isinstance(part, ConvAttention):
                rows, columns = part.attention(size)
                found[name] = torch.einsum("hyi,hxj->hyxij", rows, columns)
    if not found:
        raise UnsupportedError(f"{type(module).__name__} has no ConvAttention layer; attention_maps finds other kinds")
    return found


class _Attention(TorchFunctionMode):
    """Collect the attention weights that are computed inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.within: list[str] = []
        self.maps: dict[str, Tensor] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run ``func``; note its weights if it is attention."""
        kwargs = kwargs or {}
        if func is F.multi_head_attention_forward:
            return self._multi_head(func, args, kwargs)
        output = func(*args, **kwargs)
        if func is F.scaled_dot_product_attention:
            self._note(_weights(*args, **kwargs))
        elif func in (F.softmax, torch.softmax, Tensor.softmax) and output.dim() == 4:
            axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if axis in (-1, 3):
                self._note(output)
        return output

    def _multi_head(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        wanted, averaged = kwargs.get("need_weights", True), kwargs.get("average_attn_weights", True)
        output, weights = func(*args, **{**kwargs, "need_weights": True, "average_attn_weights": False})
        self._note(weights if weights.dim() == 4 else weights[None])
        if not wanted:
            return output, None
        return output, weights.mean(-3) if averaged else weights

    def _note(self, weights: Tensor) -> None:
        name = self.within[-1] if self.within else ""
        again = sum(known == name or known.startswith(f"{name}#") for known in self.maps)
        nowhere = weights.isnan().all(-1, keepdim=True)  # every score is -inf
        self.maps[f"{name}#{again + 1}" if again else name] = weights.detach().masked_fill(nowhere, 0.0)


def _weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return the weights that the fused kernel does not: ``(B, heads, Q, K)``."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        keep = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~keep, -torch.inf)
    if attn_mask is not None:
        masked = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if masked else scores + attn_mask
    weights = scores.softmax(-1)
    return weights if weights.dim() == 4 else weights.unsqueeze(1)
