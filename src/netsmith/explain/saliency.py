r"""Gradient saliency: how much the score moves when a pixel does.

Simonyan, Vedaldi & Zisserman 2013 (arXiv:1312.6034): with the class score :math:`S_c(I)` and
:math:`w = \partial S_c / \partial I`, the map is :math:`M_{ij} = \max_c |w_{ijc}|`. Input x gradient (Shrikumar et al.
2016, arXiv:1605.01713) multiplies by the input; SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825) averages the
gradients of noisy copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import (
    chunks,
    evaluating,
    pick,
    repeat,
    require_floating,
    resolve_targets,
    slopes,
)

__all__ = ["gradient", "heat_maps", "input_x_gradient", "saliency", "smooth_grad", "smooth_gradients"]


def gradient(module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None) -> Tensor:
    """Return the signed gradient of the score with respect to the inputs; right for images, tables and series alike.

    Args:
        module: Any module that returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: ``(B, ...)`` floating point.
        targets: The class explained, ``(B,)`` or one for all; None explains the predicted class.

    Returns:
        The shape of ``inputs``.

    Raises:
        UserError: Integer inputs (explain those at their embedding), or targets that do not fit.
        UnsupportedError: The module returns no table of scores, or its score does not depend on the inputs.
    """
    require_floating(inputs)
    with evaluating(module):
        variable = inputs.detach().clone().requires_grad_(True)
        output = module(variable)
        return slopes(pick(output, resolve_targets(output, targets)), variable, "the inputs")


def saliency(module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None) -> Tensor:
    """Return the absolute gradient, the shape of ``inputs``; :func:`heat_maps` takes the maximum over channels.

    Use it as the cheapest first look: one backward pass for a whole batch. Arguments and errors as :func:`gradient`.
    """
    return gradient(module, inputs, targets).abs()


def input_x_gradient(module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None) -> Tensor:
    """Return the input times its gradient, the shape of ``inputs``: exact contributions for a linear module.

    Arguments and errors as :func:`gradient`.
    """
    return inputs.detach() * gradient(module, inputs, targets)


def smooth_grad(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    generator: torch.Generator,
    samples: int = 32,
    noise: float = 0.15,
    rows: int = 512,
) -> Tensor:
    r"""Return the mean gradient over noisy copies, which removes the speckle of :func:`gradient`.

    :math:`\hat M(x) = \frac1n \sum_{k=1}^n M(x + \mathcal N(0, \sigma^2))`, with
    :math:`\sigma` = ``noise`` times the range of each example (the paper's noise level, 10 to 20 %).

    Args:
        module: As in :func:`gradient`.
        inputs: ``(B, ...)`` floating point.
        targets: As in :func:`gradient`; None explains the class predicted without noise.
        generator: Draws the noise, on its own device: one on the CPU gives every device the same.
        samples: The paper's n.
        noise: The standard deviation as a share of max - min of the example.
        rows: At most about this many rows in one forward pass.

    Returns:
        The signed mean gradient, the shape of ``inputs``.
    """
    require_floating(inputs)
    classes: Tensor | int | None = targets
    if not isinstance(targets, int):
        fits = isinstance(targets, Tensor) and targets.shape == inputs.shape[:1]
        if not fits:  # predicted, or refused in words
            with evaluating(module), torch.no_grad():
                classes = resolve_targets(module(inputs), targets)

    def score(points: Tensor, repeats: int) -> Tensor:
        output = module(points)
        wanted = repeat(classes, repeats) if isinstance(classes, Tensor) else classes
        return pick(output, resolve_targets(output, wanted))

    with evaluating(module):
        return smooth_gradients(score, inputs, generator=generator, samples=samples, noise=noise, rows=rows)


def smooth_gradients(
    score: Callable[[Tensor, int], Tensor],
    center: Tensor,
    *,
    generator: torch.Generator,
    samples: int,
    noise: float,
    rows: int,
    what: str = "the inputs",
) -> Tensor:
    """Return the mean gradient of ``score`` over noisy copies of ``center``; call with gradients on.

    Args:
        score: ``score(points, n)`` returns the scores at ``(B * n, ...)`` points, those of one example in a row; it may
            change the points in place.
        center: ``(B, ...)``.
        generator: As in :func:`smooth_grad`.
        samples: As in :func:`smooth_grad`.
        noise: As in :func:`smooth_grad`.
        rows: As in :func:`smooth_grad`.
        what: What ``center`` is, for messages.

    Raises:
        UserError: No samples, or noise below zero.
        UnsupportedError: The score does not depend on the points by a differentiable path.
    """
    if samples < 1 or noise < 0:
        raise UserError(f"samples is {samples}, noise is {noise}; expected samples >= 1 and noise >= 0")
    variable = center.detach().clone().requires_grad_(True)
    flat = variable.detach().flatten(1)
    spread = noise * (flat.amax(1) - flat.amin(1))  # (B,)
    spread = spread.reshape(-1, 1, *[1] * (center.dim() - 1))
    total = torch.zeros_like(flat).reshape(center.shape)
    for start, stop in chunks(samples, center.shape[0], rows):
        draws = torch.empty(stop - start, *center.shape, device=generator.device)
        for one in draws:  # each alone, so that the noise does not depend on how many rows a pass may see
            one.normal_(generator=generator)
        moved = flat.new_empty(len(center), stop - start, *center.shape[1:])
        torch.mul(draws.transpose(0, 1).to(center), spread, out=moved)
        points = (variable[:, None] + moved).flatten(0, 1)
        total += slopes(score(points, stop - start), variable, what)  # through the sum: that of all copies
    return total / samples


def heat_maps(attributions: Tensor, *, reduce: Literal["max", "sum"] = "max") -> Tensor:
    """Fold the channels of attributions: ``(B, C, H, W)`` becomes ``(B, H, W)``.

    Args:
        attributions: From any method of this room.
        reduce: ``"max"`` is the largest absolute value (Simonyan); ``"sum"`` keeps signs, so positive and negative
            evidence of a pixel add up (right for input x gradient and integrated gradients).
    """
    if attributions.dim() != 4:
        raise UserError(f"attributions have shape {tuple(attributions.shape)}; expected (B, C, H, W)")
    if reduce == "max":
        return attributions.abs().amax(1)
    if reduce == "sum":
        return attributions.sum(1)
    raise UserError(f"reduce is {reduce!r}; expected 'max' or 'sum'")
