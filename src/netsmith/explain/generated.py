r"""Activation maximization with a learned prior: the code of a generator climbs instead of the pixels.

Nguyen, Dosovitskiy, Yosinski, Brox & Clune 2016 (arXiv:1605.09304, Eq. 1):

.. math:: \hat z = \arg\max_z \; \Phi_h(G(z)) - \lambda \lVert z \rVert^2

Whatever the code, the picture stays one that the generator can draw, so it looks like the data; what it shows is the
unit's favorite *among those*, and a unit that looks for something the generator never learned is shown wrongly.

Deviations: our norm is the mean square over the code, and the code is held within ``limit`` standard deviations of the
noise the generator was trained with (the paper: of the activations of the layer it starts from).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._climb import climb
from netsmith.explain._forward import evaluating, slopes
from netsmith.explain.units import Place, unit_scores

__all__ = ["Generated", "generated_maximization"]


class Generated(NamedTuple):
    """Pictures drawn by a generator.

    Attributes:
        images: ``(K, ...)``, what the generator draws from ``codes``, as the network sees it.
        codes: ``(K, *code_shape)``.
        scores: ``(K,)``, of each channel for its picture.
        first_scores: ``(K,)``, the same for the random codes of the start.
    """

    images: Tensor
    codes: Tensor
    scores: Tensor
    first_scores: Tensor


def generated_maximization(
    module: nn.Module,
    channels: Sequence[int],
    *,
    painter: nn.Module,
    code_shape: Sequence[int],
    generator: torch.Generator,
    layer: str = "",
    place: Place = "mean",
    adapt: Callable[[Tensor], Tensor] | None = None,
    steps: int = 200,
    rate: float = 0.1,
    l2: float = 0.0,
    limit: float = 3.0,
) -> Generated:
    """Find codes whose pictures each channel answers to most.

    Args:
        module: Left as found.
        channels: Which; classes, where ``layer`` is left out.
        painter: A trained generator, from codes ``(K, *code_shape)`` to pictures; left as found.
        code_shape: Of one code, such as ``(64,)``.
        generator: Draws the codes of the start (standard normal).
        layer: A layer of ``module``, as in :func:`netsmith.explain.units.unit_scores`.
        place: As there.
        adapt: Turns what the painter draws into what ``module`` takes (another range, another size); differentiable.
        steps: Steps of the climb.
        rate: The root mean square of a step; it falls linearly to a tenth.
        l2: Lambda: what a mean squared code of 1 costs, in units of the score.
        limit: The largest absolute value of a code.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The score does not depend on the code by a differentiable path.
        UserError: Settings out of range.
    """
    if not code_shape or steps < 1 or not rate > 0 or l2 < 0 or not limit > 0:
        raise UserError(
            f"code_shape {tuple(code_shape)}, steps {steps}, rate {rate}, l2 {l2}, limit {limit}; expected a shape, "
            "positive steps, rate and limit, and l2 of at least 0"
        )
    score = unit_scores(module, channels, layer=layer, place=place)
    example = next((p for p in painter.parameters() if p.is_floating_point()), torch.zeros(()))

    def paint(codes: Tensor) -> Tensor:
        images = painter(codes)
        return images if adapt is None else adapt(images)

    def objective(codes: Tensor) -> Tensor:
        return score(paint(codes)) - l2 * codes.flatten(1).square().mean(1)  # Eq. 1

    def settle(codes: Tensor, _step: int) -> Tensor:
        return codes.clamp(-limit, limit)

    start = torch.randn(len(channels), *code_shape, generator=generator, device=generator.device).to(example)
    start = start.clamp(-limit, limit)
    with evaluating(module), evaluating(painter):
        codes = start.requires_grad_()
        first = score(paint(codes))
        slopes(first, codes, "the code of the generator")  # alone: the prior always depends on it
        codes = climb(objective, start.detach(), steps=steps, rate=rate, settle=settle)
        with torch.no_grad():
            images = paint(codes)
            last = score(images)
    return Generated(images, codes, last, first.detach())
