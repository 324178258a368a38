r"""Occlusion: cover a part of the input and see how much of the score goes with it.

Zeiler & Fergus 2014 (arXiv:1311.2901, section 4.2). A gray patch slides over the picture; each pixel gets the mean drop
:math:`F(x) - F(x \text{ with the patch})` over the patches that cover it. No gradient is needed, so it holds for any
module, and the map is in units of the score.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import chunks, evaluating, fill_like, pick, repeat, require_floating, resolve_targets
from netsmith.explain._players import Game

__all__ = ["occlusion", "segment_occlusion"]


def occlusion(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    window: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    fill: Tensor | float = 0.0,
    rows: int = 512,
) -> Tensor:
    """Return the mean drop of the score when a place is covered.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: ``(B, C, H, W)`` images, ``(B, C, L)`` series, or ``(B, F)`` tables (a window of 1 covers one column).
        targets: The class explained, ``(B,)`` or one for all; None explains the class predicted for ``inputs``.
        window: The patch in pixels (or columns), per axis or one for all; it covers all channels.
        stride: The shift in pixels, at most ``window``; None is half a window, at least 1.
        fill: What covers: a number, or a tensor that broadcasts to ``inputs`` (a mean image, a mean row).
        rows: At most about this many rows in one forward pass.

    Returns:
        ``(B, H, W)``, ``(B, L)`` or ``(B, F)``: positive where the place supports the class.

    Raises:
        UserError: A window or stride that does not fit, integer inputs, targets that do not fit.
        UnsupportedError: The module returns no table of scores.
    """
    require_floating(inputs)
    if not 2 <= inputs.dim() <= 4:
        raise UserError(f"inputs have shape {tuple(inputs.shape)}; expected (B, C, H, W), (B, C, L) or (B, F)")
    inputs = inputs.detach()
    sizes = inputs.shape[2:] if inputs.dim() > 2 else inputs.shape[1:]
    windows = _per_axis(window, sizes, "window")
    strides = _per_axis([max(1, edge // 2) for edge in windows] if stride is None else stride, sizes, "stride")
    for size, edge, shift in zip(sizes, windows, strides, strict=True):
        if edge > size or (shift > edge and edge < size):
            raise UserError(
                f"window {windows} with stride {strides} does not cover inputs of {tuple(sizes)}; "
                "expected stride <= window <= size on every axis"
            )
    masks = _masks(sizes, windows, strides).to(inputs.device)  # (N, *sizes)
    cover = fill_like(fill, inputs, "fill")
    batch = inputs.shape[0]
    with evaluating(module), torch.no_grad():
        output = module(inputs)
        classes = resolve_targets(output, targets)
        whole = pick(output, classes)  # (B,)
        total = torch.zeros(batch, *sizes, dtype=inputs.dtype, device=inputs.device)
        for start, stop in chunks(len(masks), batch, rows):
            part = masks[start:stop]
            spread = part if inputs.dim() == 2 else part[:, None]  # one mask for all channels
            covered = torch.where(spread[None], cover[:, None], inputs[:, None])  # (B, n, ...)
            wanted = None if classes is None else repeat(classes, stop - start)
            scores = pick(module(covered.flatten(0, 1)), wanted).reshape(batch, stop - start)
            total += torch.tensordot((whole[:, None] - scores).to(total), part.to(total), dims=1)
    return total / masks.sum(0)


def segment_occlusion(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    segments: Tensor | None = None,
    baselines: Tensor | float = 0.0,
    rows: int = 512,
) -> Tensor:
    """Return the drop of the score when one segment is covered: leave one word (region, column) out.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: ``(B, ...)`` of any number type; tokens too.
        targets: The class explained, ``(B,)`` or one for all; None explains the class predicted for ``inputs``.
        segments: int64 that broadcasts to ``inputs``, -1 where nothing is ever covered (padding); None makes every
            column of ``(B, F)`` inputs one.
        baselines: What covers: a number (of a token), or a tensor that broadcasts to ``inputs``.
        rows: At most about this many rows in one forward pass.

    Returns:
        ``(B, ...)`` in the shape of the segments: positive where the segment supports the class.

    Raises:
        UserError: Segments, baselines or targets that do not fit.
        UnsupportedError: The module returns no table of scores.
    """
    with evaluating(module):
        game = Game(module, inputs, targets, segments=segments, baselines=baselines, rows=rows)
        without = ~torch.eye(game.players, dtype=torch.bool, device=inputs.device)
        return game.spread((game.full[:, None] - game.scores(without)) * game.there)


def _masks(sizes: Sequence[int], windows: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Return one boolean mask per position; the last position of an axis may stick out and is cut off there."""
    starts = [
        [step * shift for step in range(-(-(size - edge) // shift) + 1)]
        for size, edge, shift in zip(sizes, windows, strides, strict=True)
    ]
    masks = torch.zeros(*(len(axis) for axis in starts), *sizes, dtype=torch.bool)
    for place in itertools.product(*(range(len(axis)) for axis in starts)):
        corner = [starts[axis][step] for axis, step in enumerate(place)]
        masks[(*place, *(slice(low, low + edge) for low, edge in zip(corner, windows, strict=True)))] = True
    return masks.reshape(-1, *sizes)


def _per_axis(value: int | Sequence[int], sizes: Sequence[int], what: str) -> tuple[int, ...]:
    values = (value,) * len(sizes) if isinstance(value, int) else tuple(value)
    if len(values) != len(sizes) or any(item < 1 for item in values):
        raise UserError(f"{what} is {value!r}; expected a positive integer, or {len(sizes)} of them")
    return values
