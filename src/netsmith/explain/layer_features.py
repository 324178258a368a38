"""What every layer says about the same examples, taken in one pass: the ground of RSA, CKA, probes and projections.

:func:`netsmith.explain.prototypes.features_at` averages maps over their places; here each place stays, since where
something is seen belongs to a representation. What is too wide is pooled to a coarser grid (Alain & Bengio 2016,
arXiv:1610.01644, section 4, thin out wide layers likewise).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.engine.batch import map_tensors
from netsmith.explain._forward import evaluating, find_layer, size_of

__all__ = ["layer_features", "learned_layers"]

_SERIES = (nn.Conv1d, nn.ConvTranspose1d)  # answer with channels before positions


def layer_features(
    module: nn.Module, inputs: Any, *, layers: Sequence[str], widest: int = 0, rows: int = 0
) -> dict[str, Tensor]:
    """Return one vector per example for each layer: ``{layer: (N, D)}``, in the order of ``layers``.

    Args:
        module: Left as found.
        inputs: A tensor, or a tuple or dict of tensors, of N examples.
        layers: Names of submodules that run once and return one floating-point tensor ``(N, ...)``, as
            :func:`learned_layers` lists them.
        widest: Numbers per example at most: wider maps ``(N, K, h, w)`` are averaged on the finest grid that fits (one
            place at least), wider sequences ``(N, L, D)`` (of a 1-d convolution ``(N, K, L)``) over their positions;
            0 keeps all.
        rows: Examples in one forward pass; 0 takes as many as hold about a million numbers, at most 256.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: A layer does not run once, or does not return one floating-point tensor of N rows.
        UserError: No layers, or numbers out of range.
    """
    if not layers or widest < 0 or rows < 0:
        raise UserError(f"got {len(layers)} layers, widest {widest}, rows {rows}; expected layers, and at least 0")
    rows = rows or _fitting_rows(inputs)
    parts = {name: find_layer(module, name) for name in layers}
    found: dict[str, list[Tensor]] = {name: [] for name in parts}
    with evaluating(module), torch.no_grad():
        for start in range(0, size_of(inputs), rows):
            piece = map_tensors(inputs, lambda tensor, start=start: tensor[start : start + rows])
            count = size_of(piece)
            with _answers(parts, count, widest) as answers:
                module(piece)
            for name in parts:
                values = answers.get(name, [])
                if len(values) != 1 or not isinstance(values[0], Tensor):
                    got = values[0] if len(values) == 1 else f"{len(values)} outputs in one pass"
                    raise UnsupportedError(
                        f"layer {name!r} gave {got} for {count} examples; expected one floating-point tensor "
                        f"({count}, ...)"
                    )
                found[name].append(values[0])
    return {name: torch.cat(values) for name, values in found.items()}


def learned_layers(module: nn.Module, inputs: Any, *, most: int = 0) -> list[str]:
    """Return the layers with weights of their own that :func:`layer_features` can read, in the order they run.

    A layer counts where it has a weight of at least two axes (a convolution, a linear map, an embedding); norms and
    activations between them are passed over. A layer that runs more than once is left out.

    Args:
        module: Left as found.
        inputs: A batch; one example is enough.
        most: Names at most, the first and the last among them, the rest spread evenly; 0 returns all.
    """
    piece = map_tensors(inputs, lambda tensor: tensor[:1])
    parts = {
        name: part
        for name, part in module.named_modules()
        if name and any(p.dim() >= 2 for p in part.parameters(recurse=False))
    }
    with evaluating(module), torch.no_grad(), _answers(parts, 1, 1) as answers:
        module(piece)
    names = [name for name, values in answers.items() if len(values) == 1 and isinstance(values[0], Tensor)]
    if not most or len(names) <= most:
        return names
    kept = sorted({round(at * (len(names) - 1) / max(1, most - 1)) for at in range(most)})
    return [names[at] for at in kept]


def _fitting_rows(inputs: Any) -> int:
    sizes: list[int] = []
    map_tensors(inputs, lambda tensor: sizes.append(tensor[:1].numel()))
    return max(1, min(256, 1_000_000 // max(1, *sizes)))


@contextlib.contextmanager
def _answers(parts: dict[str, nn.Module], count: int, widest: int) -> Iterator[dict[str, list[Tensor | str]]]:
    """Collect the vectors of what the parts return (of what has none: what it was), in the order of first calls."""
    answers: dict[str, list[Tensor | str]] = {}
    handles = []
    for name, part in parts.items():

        def note(part: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
            answers.setdefault(name, []).append(_vectors(part, output, count, widest))

        handles.append(part.register_forward_hook(note))
    try:
        yield answers
    finally:
        for handle in handles:
            handle.remove()


def _vectors(part: nn.Module, output: Any, count: int, widest: int) -> Tensor | str:
    """Return ``(count, D)``, a copy (an in-place activation may follow), or in words what was given instead."""
    if not isinstance(output, Tensor):
        return f"a {type(output).__name__}"
    if not output.is_floating_point() or output.dim() < 2 or len(output) != count:
        return f"{tuple(output.shape)} {output.dtype}"
    if not widest or output[0].numel() <= widest or output.dim() not in (3, 4):
        return output.detach().flatten(1).clone()
    if output.dim() == 3:
        return output.detach().mean(2 if isinstance(part, _SERIES) else 1)
    height, width = output.shape[2:]
    side = next((s for s in range(max(height, width), 1, -1) if _size(output, s) <= widest), 1)
    return F.adaptive_avg_pool2d(output.detach(), (min(side, height), min(side, width))).flatten(1)


def _size(values: Tensor, side: int) -> int:
    return values.shape[1] * min(side, values.shape[2]) * min(side, values.shape[3])
