r"""Where a vision transformer looks: its attention laid back on the patches of the picture, whoever wrote the module.

Nothing is assumed about which position is what. Which one a patch becomes is found by changing that patch, and from
which ones the answer is read (a class token, or all of them) by its gradient behind the last attention. With the rows
:math:`q \in Q` of those, and the attention :math:`A` of the last layer, heads averaged (or its rollout, Abnar & Zuidema
2020, arXiv:2005.00928), a patch gets

.. math:: s_j = \frac{1}{|Q|} \sum_{q \in Q} A_{qj}
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.explain._forward import evaluating, find_layer, pick, require_floating, resolve_targets, slopes
from netsmith.explain.attention import attention_maps, attention_rollout

__all__ = ["PatchAttention", "patch_attention"]

_PICTURES = 32  # changed ones at most in one forward pass
_OTHERS = 8  # positions at most that are no patch: tokens for classes, for distillation, registers


@dataclass(frozen=True)
class PatchAttention:
    """How much of each patch is taken.

    Attributes:
        scores: ``(B, h, w)``.
        layer: The last layer with attention.
        read: ``(B, Q)`` bool, from which of its positions the answer is read.
    """

    scores: Tensor
    layer: str
    read: Tensor


def patch_attention(
    module: nn.Module, images: Tensor, targets: Tensor | int | None = None, *, rollout: bool = False
) -> PatchAttention:
    """Return how much the positions that the answer is read from look at each patch.

    Args:
        module: Returns ``(B, K)`` scores; it is left as found. Each patch of the first picture is changed in turn to
            see which position it moves, up to 32 in one forward pass.
        images: ``(B, C, H, W)`` floating point, of square patches.
        targets: The class explained, ``(B,)`` or one for all; it hardly matters: only where the answer is read from
            depends on it.
        rollout: Follow the attention through all layers; else the last one's.

    Raises:
        UnsupportedError: No attention can be seen (see :func:`~netsmith.explain.attention.attention_maps`), or it is
            not one over all patches of a picture, or the score has no gradient behind the last one; why is told.
    """
    require_floating(images)
    maps = attention_maps(module, images)
    name, last = list(maps.items())[-1]
    length = last.shape[3]
    wrong = [key for key, one in maps.items() if len(one) != len(images) or one.shape[2:] != (length, length)]
    if len(last) != len(images) or (rollout and wrong):
        key = wrong[0]
        raise UnsupportedError(
            f"attention is laid on a picture where all its places look at all of them, maps ({len(images)}, heads, "
            f"{length}, {length}); layer {key!r} has {tuple(maps[key].shape)}"
        )
    first = next(key for key, one in maps.items() if len(one) == len(images) and one.shape[3] == length)
    start, rows, columns = _grid(module, images[:1], _around(module, first), length)
    read = _read(module, images, targets, _around(module, name), last.shape[2])
    if not bool(read.any(1).all()):
        raise UnsupportedError(
            f"nothing behind the last attention, {name!r}, moves the score of a picture: its gradient is 0 there; "
            "let the module return logits (a softmax that is sure has none)"
        )
    weights = attention_rollout(maps) if rollout else last.mean(1)  # (B, Q, L)
    share = read.to(weights) / read.sum(1, keepdim=True)
    scores = (share[:, None] @ weights)[:, 0, start : start + rows * columns]
    return PatchAttention(scores.unflatten(1, (rows, columns)), name, read)


def _around(module: nn.Module, name: str) -> list[nn.Module]:
    """Return the layer that computed a map, and those around it, outwards; ``module`` itself is none of them."""
    if not name or name.startswith("#"):
        raise UnsupportedError(
            f"{type(module).__name__} computes attention in its own forward; expected a layer that does, to see what "
            "comes in and what goes out"
        )
    path = name.partition("#")[0].split(".")
    return [find_layer(module, ".".join(path[:depth])) for depth in range(len(path), 0, -1)]


def _grid(module: nn.Module, image: Tensor, layers: list[nn.Module], length: int) -> tuple[int, int, int]:
    """Return the position of the first patch, and how many patches an image is high and wide."""
    height, width = image.shape[2:]
    side = math.gcd(height, width)
    for patch in (size for size in range(1, side + 1) if side % size == 0):
        rows, columns = height // patch, width // patch
        if 0 <= length - rows * columns <= _OTHERS:
            found = _moved(module, image, layers, length, patch)
            if found is not None:
                return found, rows, columns
    raise UnsupportedError(
        f"the {length} positions of the first attention are no row of square patches of {height} x {width} pixels"
    )


def _moved(module: nn.Module, image: Tensor, layers: list[nn.Module], length: int, patch: int) -> int | None:
    """Return at which position the patches begin, if each that is changed moves the position that it should."""
    rows, columns = (size // patch for size in image.shape[2:])
    corners = [0, columns - 1, columns * (rows - 1), rows * columns - 1]
    places = list(dict.fromkeys([*corners, *range(rows * columns)]))  # a wrong size of patches shows in the corners
    start = None
    for first in range(0, len(places), _PICTURES):
        some = places[first : first + _PICTURES]
        found = _positions(module, image, layers, length, patch, some)
        if found is None:
            return None
        start = found[0] if start is None else start
        if found != [place + start for place in some]:
            return None
    return start if start is not None and start + rows * columns <= length else None


def _positions(
    module: nn.Module, image: Tensor, layers: list[nn.Module], length: int, patch: int, places: list[int]
) -> list[int] | None:
    """Return which position of the first attention each patch moves most; None where one moves nothing."""
    columns = image.shape[3] // patch
    copies = len(places) + 1
    pictures = image.detach().repeat(copies + (copies == length), 1, 1, 1)  # as many as positions: no telling the axes
    spread = float(image.std()) or 1.0
    noise = torch.randn(image.shape[1], patch, patch, generator=torch.Generator().manual_seed(0)).to(image) * spread
    for row, place in enumerate(places, start=1):
        top, left = (patch * at for at in divmod(place, columns))
        pictures[row, :, top : top + patch, left : left + patch] += noise
    taken: dict[int, Tensor] = {}

    def take(depth: int, args: Any) -> None:
        for one in args:
            axis = _axis(one, len(pictures), length)
            if axis is not None:
                taken.setdefault(depth, one.detach().movedim(axis, 1))

    with evaluating(module), torch.no_grad(), contextlib.ExitStack() as hooks:
        for depth, layer in enumerate(layers):
            handle = layer.register_forward_pre_hook(
                lambda _layer, args, kwargs, depth=depth: take(depth, [*args, *kwargs.values()]), with_kwargs=True
            )
            hooks.callback(handle.remove)
        module(pictures)
    if not taken:
        return None
    before = taken[min(taken)]  # (copies, L, D)
    change = (before[1:copies] - before[:1]).norm(dim=2)  # (places, L)
    return change.argmax(1).tolist() if bool((change.amax(1) > 0).all()) else None


def _read(
    module: nn.Module, images: Tensor, targets: Tensor | int | None, layers: list[nn.Module], length: int
) -> Tensor:
    """Return from which positions behind the last attention the answer is read: ``(B, Q)`` bool."""
    count = len(images)
    batch = torch.cat([images, images[:1]]) if count == length else images
    added: dict[int, tuple[Tensor, int]] = {}

    def add(depth: int, output: Any) -> Any:
        parts: Any = [output] if isinstance(output, Tensor) else output
        axis = _axis(parts[0], len(batch), length) if type(parts) in (list, tuple) and parts else None
        if axis is None:
            return None
        added[depth] = torch.zeros_like(parts[0], requires_grad=True), axis  # of the last time it runs
        moved = parts[0] + added[depth][0]
        return moved if isinstance(output, Tensor) else type(output)([moved, *parts[1:]])

    with evaluating(module), contextlib.ExitStack() as hooks:
        for depth, layer in enumerate(layers):
            handle = layer.register_forward_hook(lambda _layer, _args, output, depth=depth: add(depth, output))
            hooks.callback(handle.remove)
        output = module(batch.detach())[:count]
        if not added:
            raise UnsupportedError("the last attention returns no row of positions (B, L, D), of which some are read")
        behind, axis = added[min(added)]
        slope = slopes(pick(output, resolve_targets(output, targets)), behind, "the last attention")
    return slope.movedim(axis, 1)[:count].norm(dim=2) > 0


def _axis(one: Any, batch: int, length: int) -> int | None:
    """Return which axis of ``(B, L, D)`` or ``(L, B, D)`` the positions are; None where it has no such axes."""
    if not isinstance(one, Tensor) or one.dim() != 3 or not one.is_floating_point():
        return None
    return 1 if one.shape[:2] == (batch, length) else 0 if one.shape[:2] == (length, batch) else None
