r"""Integrated gradients: the difference to a baseline, shared out among the inputs without remainder.

Sundararajan, Taly & Yan 2017 (arXiv:1703.01365), Eq. 1:

.. math:: IG_i(x) = (x_i - x'_i) \int_0^1 \frac{\partial F(x' + \alpha (x - x'))}{\partial x_i} \, d\alpha

The integral is taken by Gauss-Legendre quadrature, exact for polynomials up to degree ``2 * nodes - 1`` (the paper
sums rectangles). Completeness says that the attributions add up to :math:`F(x) - F(x')`; the error of that sum is
returned, because it is the one honest measure of whether the nodes were enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import chunks, evaluating, fill_like, pick, repeat, require_floating, resolve_targets
from netsmith.explain.saliency import gradient

__all__ = ["Integrated", "integrate_gradients", "integrated_gradients"]


class Integrated(NamedTuple):
    """Attributions and how far they are from adding up.

    Attributes:
        attributions: The shape of what was explained.
        completeness_error: ``(B,)``, the sum of the attributions minus ``F(x) - F(baseline)``.
    """

    attributions: Tensor
    completeness_error: Tensor


def integrated_gradients(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    baselines: Tensor | float = 0.0,
    nodes: int = 50,
    rows: int = 512,
) -> Integrated:
    """Attribute the score to the inputs by integrating its gradient from a baseline.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: ``(B, ...)`` floating point.
        targets: The class explained, ``(B,)`` or one for all; None explains the class predicted for ``inputs``.
        baselines: A number, or a tensor that broadcasts to ``inputs``: what "nothing there" looks like (black, the mean
            image, the mean row of a table).
        nodes: Points of the quadrature.
        rows: At most about this many rows in one forward pass.

    Returns:
        Attributions in the shape of ``inputs``, and the completeness error.

    Raises:
        UserError: Integer inputs, targets or baselines that do not fit.
        UnsupportedError: The module returns no table of scores.
    """
    require_floating(inputs)
    inputs = inputs.detach()
    start = fill_like(baselines, inputs, "baselines")
    with evaluating(module), torch.no_grad():
        output = module(inputs)
        classes = resolve_targets(output, targets)
        rise = pick(output, classes) - pick(module(start), classes)  # (B,)

    def slope(points: Tensor, repeats: int) -> Tensor:
        return gradient(module, points, None if classes is None else repeat(classes, repeats))

    mean = integrate_gradients(slope, start, inputs, nodes=nodes, rows=rows)
    attributions = (inputs - start) * mean  # Eq. 1
    return Integrated(attributions, attributions.flatten(1).sum(1) - rise)


def integrate_gradients(
    slope: Callable[[Tensor, int], Tensor], start: Tensor, stop: Tensor, *, nodes: int, rows: int
) -> Tensor:
    """Return the mean of ``slope`` on the straight line from ``start`` to ``stop``.

    Args:
        slope: ``slope(points, n)`` returns the gradients at ``(B * n, ...)`` points, those of one example in a row.
        start: ``(B, ...)``.
        stop: ``(B, ...)``.
        nodes: Points of the Gauss-Legendre quadrature.
        rows: At most about this many points at once.
    """
    if nodes < 1:
        raise UserError(f"nodes is {nodes}; expected at least 1 (50 is usual)")
    roots, weights = np.polynomial.legendre.leggauss(nodes)  # on [-1, 1]
    alphas = torch.from_numpy((roots + 1) / 2).to(start)
    shares = torch.from_numpy(weights / 2).to(start)
    total = torch.zeros_like(start)
    column = [1] * (start.dim() - 1)
    for first, last in chunks(nodes, start.shape[0], rows):
        alpha = alphas[first:last].reshape(1, -1, *column)
        points = (start[:, None] + alpha * (stop - start)[:, None]).flatten(0, 1)  # (B * n, ...)
        slopes = slope(points, last - first).reshape(start.shape[0], last - first, *start.shape[1:])
        total += (slopes * shares[first:last].reshape(1, -1, *column)).sum(1)
    return total
