"""Minimum, maximum or saddle: critical points named by their Hessian (Dauphin et al. 2014, arXiv:1406.2572).

For functions of a few variables, whose Hessian fits: in many variables nearly all critical points with a high value are
saddles, which is the paper's point. A network's spectrum is looked at with :mod:`netsmith.explain.hessian`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError

__all__ = ["CriticalPoint", "critical_point"]


class CriticalPoint(NamedTuple):
    r"""What a place of a function is.

    Attributes:
        name: ``"minimum"`` (all eigenvalues above 0), ``"maximum"`` (all below), ``"saddle"`` (some of each),
            ``"degenerate"`` (some 0 and the rest of one sign: the second derivatives do not decide), or
            ``"no critical point"``.
        gradient_norm: Euclidean.
        eigenvalues: ``(N,)`` of the Hessian, ascending.
        negative_share: The share of eigenvalues below 0 (Dauphin et al.'s index :math:`\alpha`).
    """

    name: Literal["minimum", "maximum", "saddle", "degenerate", "no critical point"]
    gradient_norm: float
    eigenvalues: Tensor
    negative_share: float


def critical_point(
    function: Callable[[Tensor], Tensor], point: Tensor, *, gradient_tolerance: float = 1e-6, flat: float = 1e-6
) -> CriticalPoint:
    """Name the critical point of a function of a few variables from its whole Hessian.

    Args:
        function: Takes a tensor of the point's shape and returns one number; of torch operations.
        point: Floating-point, any shape; double precision is advised.
        gradient_tolerance: A gradient up to this norm counts as 0.
        flat: An eigenvalue up to this size counts as 0.

    Raises:
        UserError: A point that is not floating-point, or a function that returns no single finite number.

    Example:
        >>> critical_point(lambda p: p[0] ** 2 - p[1] ** 2, torch.zeros(2)).name
        'saddle'
    """
    if not point.is_floating_point() or not point.numel():
        raise UserError(f"the point is {point.dtype} of {point.numel()} numbers; expected floating-point variables")
    shape, variables = point.shape, point.detach().flatten()

    def at(flattened: Tensor) -> Tensor:
        return function(flattened.reshape(shape)).reshape(())

    value = function(point.detach())
    if value.numel() != 1 or not bool(value.isfinite().all()):
        got = f"shape {tuple(value.shape)}" if value.numel() != 1 else f"{float(value)}"
        raise UserError(f"the function returned {got} at the point; expected one finite number")
    gradient_norm = float(torch.func.grad(at)(variables).norm())
    # Reverse over reverse; torch.func.hessian is the same by forward mode, which not every function has.
    hessian = torch.func.jacrev(torch.func.grad(at))(variables)
    if not bool(hessian.isfinite().all()):
        raise UserError("the function's second derivatives are not finite at the point; expected a smooth function")
    eigenvalues = torch.linalg.eigvalsh((hessian + hessian.T) / 2)
    up, down = int((eigenvalues > flat).sum()), int((eigenvalues < -flat).sum())
    name: Literal["minimum", "maximum", "saddle", "degenerate", "no critical point"]
    if not gradient_norm <= gradient_tolerance:
        name = "no critical point"
    elif up and down:
        name = "saddle"
    elif up + down < len(eigenvalues):
        name = "degenerate"
    else:
        name = "minimum" if up else "maximum"
    return CriticalPoint(name, gradient_norm, eigenvalues, down / len(eigenvalues))
