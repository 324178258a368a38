"""Gradient ascent on inputs, the same for class prototypes, for single units and for codes of a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import evaluating, fill_like, slopes
from netsmith.explain._priors import gaussian_blur, total_variation

__all__ = ["Drawn", "climb", "draw"]


class Drawn(NamedTuple):
    """Drawn pictures.

    Attributes:
        images: ``(K, C, H, W)``.
        scores: ``(K,)``, what each was drawn for, for its picture.
        first_scores: ``(K,)``, the same at the random start, to compare with.
    """

    images: Tensor
    scores: Tensor
    first_scores: Tensor


def climb(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    steps: int,
    rate: float,
    extent: Tensor | float = 1.0,
    settle: Callable[[Tensor, int], Tensor],
) -> Tensor:
    """Climb from ``start``; every row by itself, with steps whose size does not depend on the network.

    Args:
        objective: ``objective(values)`` is ``(K,)``, one height per row.
        start: ``(K, ...)``.
        steps: How many.
        rate: The root mean square of a step, as a share of ``extent``; it falls linearly to a tenth.
        extent: The range of each value, broadcastable to ``start``.
        settle: ``settle(values, step)`` puts the values back where they may be (a range, a norm) after each step.
    """
    values = start
    axes = tuple(range(1, start.dim()))
    for step in range(steps):
        variable = values.detach().requires_grad_(True)
        slope = slopes(objective(variable), variable, "the inputs") * extent
        length = slope.square().mean(dim=axes, keepdim=True).sqrt().clamp_min(1e-12)
        pace = rate * (1 - 0.9 * step / steps)
        values = settle(values + pace * extent * slope / length, step)
    return values.detach()


def draw(
    module: nn.Module,
    score: Callable[[Tensor], Tensor],
    count: int,
    *,
    start: Tensor | float,
    shape: Sequence[int],
    generator: torch.Generator,
    steps: int,
    rate: float,
    noise: float,
    l2: float,
    variation: float,
    blur_every: int,
    blur: float,
    low: Tensor | float,
    high: Tensor | float,
) -> Drawn:
    """Draw ``count`` pictures that ``score(images)`` likes, within a range and held back by priors.

    The settings are those of :func:`netsmith.explain.prototypes.activation_maximization`.
    """
    if len(shape) != 3 or count < 1 or steps < 1 or not rate > 0 or blur_every < 0 or not blur > 0:
        raise UserError(
            f"got shape {tuple(shape)}, {count} pictures, steps {steps}, rate {rate}, blur_every {blur_every}, "
            f"blur {blur}; expected (C, H, W), at least one picture, positive steps, rate and blur"
        )
    example = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    images = torch.zeros(count, *shape, dtype=example.dtype, device=example.device)
    lower, upper = fill_like(low, images, "low"), fill_like(high, images, "high")
    extent = upper - lower
    if not bool((extent > 0).all()):
        raise UserError("low is not below high everywhere")
    center = fill_like(start, images, "start")
    draws = torch.randn(images.shape, generator=generator, device=generator.device).to(images)
    images = (center + noise * extent * draws).clamp(lower, upper)

    def objective(variable: Tensor) -> Tensor:
        if not (l2 or variation):
            return score(variable)
        unit = (variable - center) / extent
        prior = l2 * unit.square().mean(dim=(1, 2, 3)) + variation * total_variation(variable / extent)  # (K,)
        return score(variable) - prior  # Simonyan et al. 2013, Eq. 1

    def settle(values: Tensor, step: int) -> Tensor:
        values = values.clamp(lower, upper)
        blurs = blur_every and (step + 1) % blur_every == 0 and step < 0.9 * steps
        return gaussian_blur(values, blur) if blurs else values

    with evaluating(module):
        first = score(images).detach()
        images = climb(objective, images, steps=steps, rate=rate, extent=extent, settle=settle)
        with torch.no_grad():
            last = score(images)
    return Drawn(images, last, first)
