"""Which layers have low rank forms, why some have none, and what stands in their place."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netsmith.compress._low_rank import compose, fillable, truncated_svd, tucker2

__all__ = [
    "Factored",
    "Kind",
    "Rank",
    "build",
    "factorizable",
    "kind_of",
    "matrix_of",
    "most",
    "parameters_at",
    "places",
    "split",
]

Kind = Literal["linear", "embedding", "convolution"]
"""What can be factorized."""

Rank = int | tuple[int, int]
"""Size of the middle; of a kernel of more than one place, the sizes (outputs, inputs) of its core."""

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Factored(nn.Sequential):
    """Thin layers in place of one.

    Code that reads a layer's ``weight`` instead of calling it (an output layer that is tied to an embedding by
    ``F.linear(x, embedding.weight)``, the fast path of torch's encoder layers) gets their product: right, not thin.
    """

    @property
    def weight(self) -> Tensor:
        """The weight of the one layer that does what these do."""
        return _product(self)

    @property
    def bias(self) -> Tensor | None:
        """Its bias."""
        return self[-1].bias  # type: ignore[return-value]


def kind_of(layer: nn.Module) -> Kind | None:
    """Return what a layer is; subclasses may compute anything, so they are none."""
    if type(layer) is nn.Linear:
        return "linear"
    if type(layer) is nn.Embedding:
        return "embedding"
    return "convolution" if type(layer) in _CONVOLUTIONS else None


def factorizable(module: nn.Module) -> dict[str, str]:
    """Return the names of all layers of a known kind, each with the reason why it must stay, ``""`` for none."""
    owners: dict[int, int] = {}
    for _, parameter in module.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {name: _obstacle(child, owners) for name, child in module.named_modules() if name and kind_of(child)}


def _obstacle(layer: Any, owners: dict[int, int]) -> str:
    weight = layer._parameters.get("weight")
    if weight is None:
        return "its weight is computed from others"
    if any(owners[id(parameter)] > 1 for parameter in layer.parameters()):
        return "it shares its weight or bias with another layer"
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks:
        return "it carries hooks, which thin layers in its place would not run"
    if not weight.is_floating_point() or not bool(torch.isfinite(weight).all()):
        return f"its weight must be finite floating point numbers (it is of {weight.dtype})"
    if isinstance(layer, nn.Embedding):
        for name in ("max_norm", "scale_grad_by_freq", "sparse"):
            if getattr(layer, name) not in (None, False):
                return f"{name}={getattr(layer, name)} has no thin form that trains alike"
        if layer.padding_idx is not None and bool(weight[layer.padding_idx].any()):
            return f"the vector of padding_idx={layer.padding_idx} is not zero: a thin form could not hold it fixed"
    groups = getattr(layer, "groups", 1)
    return f"groups={groups}: a core of all channels would mix its groups" if groups > 1 else ""


def places(layer: nn.Module) -> int:
    """Return of how many places a layer's kernel is; 1 where it has none."""
    return math.prod(_weight(layer).shape[2:])


def most(layer: nn.Module) -> Rank:
    """Return the largest rank of a layer: a number, or a pair where its kernel has places."""
    rows, columns = _weight(layer).shape[:2]
    return (rows, columns) if places(layer) > 1 else min(rows, columns)


def matrix_of(layer: nn.Module) -> Tensor:
    """Return the ``(O, I)`` weight of a layer without places."""
    return _weight(layer).detach().flatten(1)


def parameters_at(layer: nn.Module, rank: Rank) -> int:
    """Return the numbers in the weights of a layer's factors; biases stay as they are."""
    rows, columns = _weight(layer).shape[:2]
    if isinstance(rank, int):
        return rank * (rows + columns)
    outer, inner = rank
    sides = (outer * rows if outer < rows else 0) + (inner * columns if inner < columns else 0)
    return sides + outer * inner * places(layer)


def build(layer: nn.Module, rank: Rank) -> Factored:
    """Return thin layers of the right shapes with weights of zero, on the layer's device and in its type and mode.

    A kernel's padding, stride and dilation stay with its core: the changes of channels before and after are pointwise
    and have no bias before the end, so they commute with every kind of padding. Where a mode keeps all its channels
    there is no change of channels.
    """
    weight = _weight(layer)
    like: Any = {"device": weight.device, "dtype": weight.dtype}
    bias = getattr(layer, "bias", None)
    parts: list[nn.Module] = []

    def add(kind: Any, *arguments: Any, **settings: Any) -> None:
        parts.append(nn.utils.skip_init(kind, *arguments, **settings, **like))

    rows, columns = weight.shape[:2]
    if isinstance(layer, nn.Embedding):
        assert isinstance(rank, int)
        add(nn.Embedding, rows, rank, padding_idx=layer.padding_idx)
        add(nn.Linear, rank, columns, bias=False)
    elif isinstance(layer, nn.Linear):
        assert isinstance(rank, int)
        add(nn.Linear, columns, rank, bias=False)
        add(nn.Linear, rank, rows, bias=bias is not None)
    else:
        assert isinstance(layer, _CONVOLUTIONS)
        geometry: Any = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        outer, inner = (rows, rank) if isinstance(rank, int) else rank
        kind, size = type(layer), layer.kernel_size
        if isinstance(rank, int):
            add(kind, columns, rank, size, **geometry, bias=False)
            add(kind, rank, rows, 1, bias=bias is not None)
        else:
            if inner < columns:
                add(kind, columns, inner, 1, bias=False)
            add(kind, inner, outer, size, **geometry, bias=bias is not None and outer == rows)
            if outer < rows:
                add(kind, outer, rows, 1, bias=bias is not None)
    result = Factored(*parts)
    with torch.no_grad():
        for parameter in result.parameters():
            parameter.zero_().requires_grad_(weight.requires_grad)
        if bias is not None:
            assert result.bias is not None
            result.bias.copy_(bias).requires_grad_(bias.requires_grad)
    return result.train(layer.training)


def split(layer: nn.Module, rank: Rank) -> tuple[Factored, float]:
    """Return the factors of a layer, and the squared Frobenius norm of what their product lacks."""
    weight = _weight(layer).detach()
    result = build(layer, fillable(tuple(weight.shape), rank) if isinstance(rank, tuple) else rank)
    if isinstance(rank, int):
        left, right, _ = truncated_svd(weight.flatten(1), rank=rank)
        if isinstance(layer, nn.Embedding):
            if layer.padding_idx is not None:
                left[layer.padding_idx] = 0  # as it was, but for rounding
            weights = [left, right.T]
        else:
            weights = [right, left]
    else:
        left, core, right = tucker2(weight, rank)
        rows, columns = weight.shape[:2]
        weights = [*([right.T] if right.shape[1] < columns else []), core, *([left] if left.shape[1] < rows else [])]
    with torch.no_grad():
        for part, values in zip(result, weights, strict=True):
            target = _weight(part)
            target.copy_(values.reshape(target.shape))
        lost = (weight.double() - _product(result, double=True)).square().sum()
    return result, float(lost)


def _product(parts: Factored, *, double: bool = False) -> Tensor:
    weights = [_weight(part).double() if double else _weight(part) for part in parts]
    if isinstance(parts[0], nn.Embedding):
        return compose(weights[0].T, weights[1]).T
    found = weights[0]
    for weight in weights[1:]:
        found = compose(found, weight)
    return found


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight
