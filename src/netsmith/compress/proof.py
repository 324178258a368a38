"""The proof of surgery: the cut network must answer like the original whose cut channels are set to zero."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.compress._statistics import keep_statistics
from netsmith.compress.graph import ChannelGraph, Labels
from netsmith.compress.trace import slow_attention
from netsmith.core.errors import ProofError, shorten
from netsmith.core.keys import key
from netsmith.measure.example import Example, arguments, batch_size, map_tensors, random_like, tensors

__all__ = ["mask_units", "prove_surgery"]

_AXES = 5  # batch, channels and three of space


def mask_units(module: nn.Module, graph: ChannelGraph, units: set[int]) -> nn.Module:
    """Return a copy of a network in which units are zero instead of gone; no normalization counts them in.

    Args:
        module: The network that was traced.
        graph: What the trace found.
        units: The units to mask.
    """
    masked = copy.deepcopy(module)
    held = dict(masked.named_parameters()) | dict(masked.named_buffers())
    positions = {remap.tensor for remap in graph.remaps}
    with torch.no_grad():
        for slot in graph.slots:
            if slot.makes:
                gone = torch.tensor([unit in units for unit in slot.units.tolist()])
                tensor = held[slot.tensor].movedim(slot.axis, 0)
                tensor[gone.to(tensor.device)] = -1 if slot.tensor in positions else 0  # -1: a shortcut without source
    keep_statistics(masked, graph.norms, units)
    return masked


def prove_surgery(
    original: nn.Module,
    pruned: nn.Module,
    graph: ChannelGraph,
    units: set[int],
    example: Example,
    *,
    tolerance: float = 1e-5,
) -> dict[str, Any]:
    """Compare a cut network with the masked original, on random inputs at the example's batch size and another.

    Longer inputs are tried too, along every axis that the original takes longer (sequences, images).

    Both are copied, in evaluation mode and float64 (float32 where a network insists on it).

    Args:
        original: The network before.
        pruned: The network after.
        graph: What the trace of the original found.
        units: The units that were cut.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
        tolerance: Largest ``max |cut - masked| / max |masked|``.

    Returns:
        The figures of the proof as JSON values.

    Raises:
        ProofError: They differ; names the first module whose output does.
    """
    size = batch_size(arguments(example))
    generator = torch.Generator().manual_seed(key(0, "compress", "proof"))
    masked, cut = mask_units(original, graph, units).eval(), copy.deepcopy(pruned).eval()
    trials = [random_like(arguments(example), n, generator=generator) for n in (size, size + 1)]
    trials += [random_like(longer, size, generator=generator) for longer in _longer(arguments(example))]
    precision = "float64"
    try:
        wide = copy.deepcopy(masked).double()
        _run(wide, _double(trials[0]))
    except (RuntimeError, TypeError, ValueError):  # the network casts to float32 itself, or wants it
        precision = "as found"
    else:
        masked, cut, trials = wide, cut.double(), [_double(trial) for trial in trials]
    shapes, errors = [], []
    for given in trials:
        try:
            expected = _run(masked, given)
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
            if given is not trials[0]:
                continue  # the original itself takes one size only
            raise ProofError(
                f"the masked original does not run on random inputs: {shorten(str(error), 160)}; nothing can be proven"
            ) from error
        if not any(bool(t.isfinite().any()) for t in expected):
            continue  # a network that answers nothing but NaN proves nothing
        try:
            got = _run(cut, given)
        except Exception as error:
            # whatever a layer with wrong shapes raises
            place = _first_difference(masked, cut, graph, units, given, tolerance)
            raise ProofError(
                f"the cut network does not run: {shorten(str(error), 160)} (at {place}); the original is untouched"
            ) from error
        error = _error(expected, got)
        if not error <= tolerance:
            place = _first_difference(masked, cut, graph, units, given, tolerance)
            raise ProofError(
                f"the cut network's answers differ by {error:.1e} relative, not {tolerance:.0e}, first at {place}; "
                "the original is untouched. Protect that module"
            )
        shapes.append(list(tensors(given)[0].shape))
        errors.append(error)
    if not shapes:
        raise ProofError("the masked original answers with NaN alone: nothing can be proven; the original is untouched")
    return {"shapes": shapes, "error": max(errors), "tolerance": tolerance, "precision": precision}


def _longer(example: Any) -> Iterator[Any]:
    """Return examples with one position more along an axis after the batch's, of all inputs that have its length."""
    first = tensors(example)[0]
    for axis in range(1, min(first.dim(), _AXES)):
        size = first.shape[axis]

        def extended(tensor: Tensor, axis: int = axis, size: int = size) -> Tensor:
            has = tensor.dim() > axis and tensor.shape[axis] == size > 0
            return torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis) if has else tensor

        yield map_tensors(example, extended)


def _run(module: nn.Module, given: Any) -> list[Tensor]:
    with torch.no_grad(), slow_attention():
        return tensors(module(*given))


def _double(given: Any) -> Any:
    return map_tensors(given, lambda t: t.double() if t.is_floating_point() else t)


def _error(expected: list[Tensor], got: list[Tensor]) -> float:
    """Return the largest difference relative to its column of the last axis; infinite where forms or NaNs differ.

    By column, because one large one (a masked logit) would hide what the others do; in double precision only, where a
    small column is no noise of a large one.
    """
    if [t.shape for t in expected] != [t.shape for t in got]:
        return float("inf")
    worst = 0.0
    for a, b in zip(expected, got, strict=True):
        precise = a.dtype == torch.float64
        a, b = (t.double().reshape(-1, t.shape[-1] if t.dim() else 1) for t in (a, b))
        finite = a.isfinite()
        if not torch.equal(finite, b.isfinite()) or not torch.equal(a[~finite].nan_to_num(), b[~finite].nan_to_num()):
            return float("inf")
        if not finite.any():
            continue
        sizes = a.abs().masked_fill(~finite, 0)
        floor = max(float(sizes.max()) * (1e-9 if precise else 1.0), 1e-30)
        gaps = (a - b).abs().masked_fill(~finite, 0)
        worst = max(worst, float((gaps.amax(0) / sizes.amax(0).clamp(min=floor)).max()))
    return worst


def _first_difference(
    masked: nn.Module, cut: nn.Module, graph: ChannelGraph, units: set[int], given: Any, tolerance: float
) -> str:
    """Return the first module whose output, at the positions that stayed, is not the same."""
    expected, got = _outputs(masked, graph, given), _outputs(cut, graph, given)
    for name, labels in graph.outputs.items():
        if name in expected and (
            name not in got or not _error([_stayed(expected[name], labels, units)], [got[name]]) <= tolerance
        ):
            return f"{name or 'the network'} ({type(masked.get_submodule(name)).__name__})"
    return "the output"


def _outputs(module: nn.Module, graph: ChannelGraph, given: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            found.setdefault(name, tensors(output)[0].clone())

        return hook

    modules = dict(module.named_modules())
    handles = [modules[name].register_forward_hook(note(name)) for name in graph.outputs if name in modules]
    try:
        _run(module, given)
    except Exception:
        pass  # what ran before it is what is asked for
    finally:
        for handle in handles:
            handle.remove()
    return found


def _stayed(tensor: Tensor, labels: Labels, units: set[int]) -> Tensor:
    for axis, size in enumerate(labels.shape):
        if size > 1:
            rows = labels.swapaxes(0, axis).reshape(size, -1)
            stays = [place for place, row in enumerate(rows.tolist()) if not all(unit in units for unit in row)]
            tensor = tensor.index_select(axis, torch.tensor(stays, device=tensor.device))
    return tensor
