"""Single weights set to zero: by magnitude, or two of four; and what that buys.

A mask leaves every shape as it is. It makes weights zero, which makes a *zip* of them smaller (:func:`zipped_bytes`
measures by how much) and the network no faster: a dense runtime (PyTorch, ONNX Runtime, on CPU or GPU) multiplies
zeros as it multiplies all else, and needs as much memory. Two of four is a form that GPUs with sparse tensor cores have
instructions for, after a conversion in half precision or int8 that is not made here. For time, cut whole channels:
:func:`~netsmith.compress.prune.prune`.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError, did_you_mean

__all__ = ["Masks", "apply_masks", "magnitude_masks", "n_m_masks", "rewound", "zipped_bytes"]

Masks = Mapping[str, Tensor]
"""By a parameter's name, booleans of its shape: True stays."""

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def magnitude_masks(
    module: nn.Module,
    *,
    sparsity: float,
    scope: Literal["global", "layer"] = "global",
    protect: Iterable[str] = (),
    within: Masks | None = None,
) -> dict[str, Tensor]:
    """Mask the weights of the least magnitude (Han et al. 2015, arXiv:1506.02626).

    Weights are the parameters of two or more axes; biases and normalizations stay. Buys a smaller zip, no time.

    Args:
        module: Any module; not touched.
        sparsity: The part of the weights to mask, 0 to below 1; rounded to whole weights, of equal ones the first go.
        scope: ``global`` ranks all weights together, ``layer`` masks the same part of each parameter.
        protect: Modules whose weights stay, by name (of the layer or a parent); they do not count.
        within: Earlier masks: what they mask goes first, so masks of growing sparsity are nested.

    Raises:
        UnsupportedError: An argument is out of range, or there are no weights.
        UnknownNameError: ``protect`` names no module.
    """
    if not 0 <= sparsity < 1 or scope not in ("global", "layer"):
        raise UnsupportedError(f"expected sparsity in [0, 1) and scope global or layer, got {sparsity}, {scope!r}")
    weights = _weights(module, protect)
    sizes = {name: weight.abs() for name, weight in weights.items()}
    if within is not None:
        _check(dict(module.named_parameters()), within)
        sizes = {n: s.masked_fill(~within[n].to(s.device), -1.0) if n in within else s for n, s in sizes.items()}
    if scope == "layer":
        return {name: _largest(size.reshape(-1), sparsity).reshape(size.shape) for name, size in sizes.items()}
    common = torch.promote_types(torch.float32, next(iter(sizes.values())).dtype)
    kept = _largest(torch.cat([size.reshape(-1).to("cpu", common) for size in sizes.values()]), sparsity)
    parts = kept.split([size.numel() for size in sizes.values()])
    return {n: part.reshape(s.shape).to(s.device) for (n, s), part in zip(sizes.items(), parts, strict=True)}


def n_m_masks(module: nn.Module, *, n: int = 2, m: int = 4, protect: Iterable[str] = ()) -> dict[str, Tensor]:
    """Keep the ``n`` largest of every ``m`` weights in a row (Mishra et al. 2021, arXiv:2104.08378: 2 of 4).

    A row runs along the inputs a sum is taken over: the second axis of linear layers and convolutions, the first of
    transposed ones. Layers whose inputs (of a group) are no multiple of ``m`` are left out, and so is all that is
    neither: embeddings, recurrent and attention projections held as plain parameters.

    Buys a smaller zip; time only on GPUs with sparse tensor cores, after a conversion (``torch.sparse``'s
    semi-structured tensors) in half precision or int8; nothing on a CPU.

    Args:
        module: Any module; not touched.
        n: How many stay.
        m: Of how many.
        protect: Modules whose weights stay, by name (of the layer or a parent).

    Raises:
        UnsupportedError: Not ``0 < n < m``, or no layer whose inputs are a multiple of ``m``.
        UnknownNameError: ``protect`` names no module.
    """
    if not 0 < n < m:
        raise UnsupportedError(f"expected 0 < n < m, got n={n}, m={m}")
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    open_names = _weights(module, protect)
    masks: dict[str, Tensor] = {}
    for child in module.modules():
        axis = 1 if isinstance(child, (nn.Linear, *_CONVOLUTIONS)) else 0 if isinstance(child, _TRANSPOSED) else -1
        name = names.get(id(child.weight)) if axis >= 0 else None
        if name not in open_names:
            continue
        size = open_names[name].abs().movedim(axis, -1)  # (..., inputs)
        groups = child.groups if isinstance(child, _TRANSPOSED) else 1
        if (size.shape[-1] // groups) % m == 0:
            rows = size.reshape(-1, m)
            order = rows.argsort(dim=1, descending=True, stable=True)[:, :n]
            kept = torch.zeros_like(rows, dtype=torch.bool).scatter_(1, order, True)
            masks[name] = kept.reshape(size.shape).movedim(-1, axis).contiguous()
    if not masks:
        raise UnsupportedError(f"no linear layer or convolution here has a multiple of {m} inputs")
    return masks


def apply_masks(module: nn.Module, masks: Masks) -> nn.Module:
    """Set masked weights to zero, in place; returns the same module.

    Args:
        module: Any module.
        masks: By parameter name.

    Raises:
        CheckpointError: A mask does not fit; nothing has been changed then.
    """
    parameters = dict(module.named_parameters())
    _check(parameters, masks)
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].masked_fill_(~mask.to(parameters[name].device), 0)
    return module


def rewound(module: nn.Module, masks: Masks, initial: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of a network with its early weights, masked: ``m * theta_0`` (Frankle & Carbin 2019).

    Args:
        module: The trained network; not touched.
        masks: By parameter name, usually from the trained weights.
        initial: A state of the same network: ``state_dict()`` from before training, or from early in it. All of it is
            taken back: biases, normalizations and their statistics too.

    Raises:
        CheckpointError: The state or a mask does not fit.
    """
    fresh = copy.deepcopy(module)
    state = fresh.state_dict()
    wrong = next((n for n in {**state, **initial} if n not in state or n not in initial), None)
    wrong = wrong or next((n for n in state if state[n].shape != initial[n].shape), None)
    if wrong is not None:
        raise CheckpointError(f"the initial state does not fit the network at {wrong}: a name or a shape differs")
    fresh.load_state_dict(initial)
    return apply_masks(fresh, masks)


def zipped_bytes(state: Mapping[str, Tensor], *, level: int = 6) -> int:
    """Return how many bytes the tensors of a state take after DEFLATE, the compression of zip and gzip.

    Args:
        state: For instance ``module.state_dict()``; names and headers are not counted.
        level: 1 is quick, 9 small.
    """
    total = 0
    for tensor in state.values():
        raw = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        total += len(packer.compress(raw)) + len(packer.flush())  # type: ignore[arg-type]
    return total


def _weights(module: nn.Module, protect: Iterable[str]) -> dict[str, Tensor]:
    """Return the parameters of two or more axes that are not of a protected module; shared ones once."""
    names, protected = dict(module.named_modules()), tuple(protect)
    for name in protected:
        if name not in names:
            raise UnknownNameError("module", name, names)
    guarded = {id(p) for name in protected for p in names[name].parameters()}
    found = {n: p.detach() for n, p in module.named_parameters() if p.dim() > 1 and id(p) not in guarded}
    if not found:
        raise UnsupportedError("there are no weights to mask: no parameter of two or more axes that is not protected")
    return found


def _largest(sizes: Tensor, sparsity: float) -> Tensor:
    """Return ``(N,)`` booleans: False for the smallest part."""
    kept = torch.ones(len(sizes), dtype=torch.bool, device=sizes.device)
    kept[sizes.argsort(stable=True)[: round(sparsity * len(sizes))]] = False
    return kept


def _check(parameters: Mapping[str, Tensor], masks: Masks) -> None:
    for name, mask in masks.items():
        if name not in parameters:
            raise CheckpointError(f"a mask is given for {name!r}, no parameter{did_you_mean(name, parameters)}")
        if mask.dtype != torch.bool or mask.shape != parameters[name].shape:
            raise CheckpointError(
                f"the mask of {name} must be booleans of shape {tuple(parameters[name].shape)}, got {mask.dtype} of "
                f"shape {tuple(mask.shape)}"
            )
