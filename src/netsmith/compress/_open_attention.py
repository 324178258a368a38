"""torch's attention and transformer modules in a form that torch.fx can trace, their projections as linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError

__all__ = ["opened"]


def opened(module: nn.Module) -> nn.Module:
    """Replace torch's attentions, in place, and let its transformers call their layers without looking at data.

    Args:
        module: A copy; exactly torch's classes are replaced, since a subclass may compute otherwise.

    Returns:
        The module, or what stands for it.

    Raises:
        UnsupportedError: Another layer shares what an attention holds in one tensor, or a projection is parametrized.
    """
    _check_shared(module)
    found: dict[nn.Module, nn.Module] = {}  # one that is used in two places stays one
    thirds: dict[Tensor, tuple[nn.Parameter, ...]] = {}  # and a weight that two share
    for name, part in list(module.named_modules(remove_duplicate=False)):
        if type(part) in _PLAIN:
            part.__class__ = _PLAIN[type(part)]
            if isinstance(part, _Encoder):
                part.unpacked = _Unpacked(part)
        elif type(part) is nn.MultiheadAttention:
            if part not in found:
                found[part] = _Attention(part, thirds)
            if not name:
                return found[part]
            module.set_submodule(name, found[part])
    return module


def _check_shared(module: nn.Module) -> None:
    packed, others = {}, {}
    for path, part in module.named_modules():
        for name, tensor in part.named_parameters(path, recurse=False):
            split = type(part) is nn.MultiheadAttention and name.endswith(("in_proj_weight", "in_proj_bias"))
            (packed if split else others)[tensor] = name
    for tensor, name in packed.items():
        if tensor in others:
            raise UnsupportedError(
                f"{name} is shared with {others[tensor]}, which is not the same part of an attention: it is split into "
                "three layers here, and the two would no longer be one; give each its own"
            )


class _Attention(nn.Module):
    """:class:`torch.nn.MultiheadAttention` with its parameters, the projections split into layers."""

    def __init__(self, whole: nn.MultiheadAttention, thirds: dict[Tensor, tuple[nn.Parameter, ...]]) -> None:
        super().__init__()
        packed = whole.in_proj_weight
        apart = whole.q_proj_weight, whole.k_proj_weight, whole.v_proj_weight
        weights = apart if packed is None else _thirds(packed, thirds)
        biases = (None,) * 3 if whole.in_proj_bias is None else _thirds(whole.in_proj_bias, thirds)
        self.query, self.key, self.value = map(_linear, weights, biases)
        self.out_proj = _linear(whole.out_proj.weight, whole.out_proj.bias)
        self.attend = _Attend(whole)
        self.batch_first, self.num_heads, self.embed_dim = whole.batch_first, whole.num_heads, whole.embed_dim
        self.train(whole.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Return what each query takes from the values, and the weights."""
        given = self.query(query), self.key(key), self.value(value), key_padding_mask, attn_mask
        found, weights = self.attend(*given, need_weights, average_attn_weights, is_causal)
        return self.out_proj(found), weights


def _linear(weight: Tensor, bias: nn.Parameter | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    if not isinstance(weight, nn.Parameter):
        raise UnsupportedError("a projection of an attention is parametrized; remove the parametrization first")
    layer.weight = weight
    layer.register_parameter("bias", bias)
    return layer


def _thirds(packed: Tensor, made: dict[Tensor, tuple[nn.Parameter, ...]]) -> tuple[nn.Parameter, ...]:
    if packed not in made:
        parts = packed.detach().chunk(3)
        made[packed] = tuple(nn.Parameter(part.clone(), requires_grad=packed.requires_grad) for part in parts)
    return made[packed]


class _Attend(nn.Module):
    """What stands between the projections; it holds no layer, so that it is traced as a whole and may look at data."""

    def __init__(self, whole: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads, self.dropout, self.add_zeros = whole.num_heads, whole.dropout, whole.add_zero_attn
        self.time_first = not whole.batch_first
        self.bias_k, self.bias_v = whole.bias_k, whole.bias_v

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        padding: Tensor | None,
        mask: Tensor | None,
        need_weights: bool,
        average: bool,
        is_causal: bool,
    ) -> tuple[Tensor, Tensor | None]:
        if is_causal and mask is None:
            raise RuntimeError("attention: is_causal only says what attn_mask is, and none was given")
        query, key, value = (self._heads(part) for part in (query, key, value))  # (..., heads, L, d)
        if self.bias_k is not None and self.bias_v is not None:
            key, value = self._with(key, self.bias_k), self._with(value, self.bias_v)
        if self.add_zeros:
            key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
        scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5  # (..., heads, L, S)
        more = (self.bias_k is not None) + self.add_zeros  # added keys are hidden from nobody
        if mask is not None:
            mask = F.pad(_additive(mask, scores), (0, more))
            scores = scores + (mask if mask.dim() == 2 else mask.reshape_as(scores))  # of each head of each example
        if padding is not None:
            scores = scores + F.pad(_additive(padding, scores), (0, more))[..., None, None, :]
        weights = F.dropout(scores.softmax(-1), self.dropout, self.training)
        found = self._moved(weights @ value, back=True).flatten(-2)
        return found, (weights.mean(-3) if average else weights) if need_weights else None

    def _with(self, tensor: Tensor, more: Tensor) -> Tensor:
        return torch.cat([tensor, more.view(self.heads, 1, -1).expand_as(tensor[..., :1, :])], dim=-2)

    def _heads(self, tensor: Tensor) -> Tensor:
        return self._moved(tensor.unflatten(-1, (self.heads, -1)))

    def _moved(self, tensor: Tensor, *, back: bool = False) -> Tensor:
        """Move the axis of the tokens behind that of the heads, or back; there may be a batch or none."""
        places = 0 if self.time_first else tensor.dim() - 3, tensor.dim() - 2
        return tensor.movedim(*reversed(places) if back else places)


def _additive(mask: Tensor, scores: Tensor) -> Tensor:
    """Return a mask as it is added: one of booleans hides where it is True."""
    return (
        torch.zeros_like(mask, dtype=scores.dtype).masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else mask
    )


class _Encoder(nn.TransformerEncoder):
    unpacked: _Unpacked

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,  # noqa: ARG002 - only says what the mask is
    ) -> Tensor:
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        if src_key_padding_mask is not None:
            src = self.unpacked(src, src_key_padding_mask, mask)
        return src if self.norm is None else self.norm(src)


class _Unpacked(nn.Module):
    """Zeros in place of padding where torch packs sequences (nested tensors): in evaluation, without gradients.

    It holds no layer, so that it is traced as a whole and may look at modes.
    """

    def __init__(self, whole: nn.TransformerEncoder) -> None:
        super().__init__()
        self.packs, self.checks = whole.use_nested_tensor, whole.mask_check
        self.train(whole.layers[0].training)

    def forward(self, x: Tensor, padding: Tensor | None, mask: Tensor | None) -> Tensor:
        fast = self.packs and torch.backends.mha.get_fastpath_enabled() and not torch.is_autocast_enabled()
        if not fast or self.training or x.requires_grad or x.dim() != 3 or padding is None or mask is not None:
            return x
        hidden = padding != 0  # (B, L)
        if self.checks:  # torch packs only where all padding is at the end; no branch, which an export would fix
            hidden = hidden & (hidden[:, 1:] | ~hidden[:, :-1]).all()
        return x.masked_fill(hidden[..., None], 0)


class _EncoderLayer(nn.TransformerEncoderLayer):
    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        given = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            src = src + self._sa_block(self.norm1(src), *given)
            return src + self._ff_block(self.norm2(src))
        src = self.norm1(src + self._sa_block(src, *given))
        return self.norm2(src + self._ff_block(src))


class _Decoder(nn.TransformerDecoder):
    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,  # noqa: ARG002 - these only say what the masks are
        memory_is_causal: bool = False,  # noqa: ARG002
    ) -> Tensor:
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return tgt if self.norm is None else self.norm(tgt)


class _Transformer(nn.Transformer):
    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,  # noqa: ARG002
        tgt_is_causal: bool | None = None,  # noqa: ARG002
        memory_is_causal: bool = False,  # noqa: ARG002
    ) -> Tensor:
        memory = self.encoder(src, src_mask, src_key_padding_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)


class _DecoderLayer(nn.TransformerDecoderLayer):
    """Torch's own, which needs no other form: of this module, so that tracing goes into it."""


_PLAIN: dict[type[nn.Module], type[nn.Module]] = {
    nn.Transformer: _Transformer,
    nn.TransformerEncoder: _Encoder,
    nn.TransformerEncoderLayer: _EncoderLayer,
    nn.TransformerDecoder: _Decoder,
    nn.TransformerDecoderLayer: _DecoderLayer,
}
