"""Adversarial examples: small changes of an input that raise a loss (Goodfellow et al. 2015; Madry et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import Config as BaseConfig
from netsmith.core.errors import UnsupportedError
from netsmith.engine.random import keyed_normal, keyed_uniform

__all__ = ["Attack", "LossFunction", "Norm", "fgsm", "pgd", "slope", "units"]

Norm = Literal["inf", "l2"]
LossFunction = Callable[[Tensor], Tensor]
"""From inputs ``(B, ...)`` to the loss of each, ``(B,)``, or their sum: no example's loss may depend on another's."""


def slope(loss: LossFunction, at: Tensor) -> Tensor:
    """Return the gradient of each example's loss with respect to the example; no parameter gets one.

    Raises:
        UnsupportedError: No differentiable path leads from the inputs to the loss.
    """
    with torch.enable_grad():
        point = at.detach().requires_grad_()
        total = loss(point).sum()
        found = torch.autograd.grad(total, point, allow_unused=True)[0] if total.requires_grad else None
    if found is None:
        raise UnsupportedError(
            "the loss does not depend on the inputs by a differentiable path, and an attack climbs along its gradient; "
            "take a network that is differentiable in its inputs"
        )
    return found


def units(x: Tensor) -> Tensor:
    """Return each example at Euclidean length 1, however short or long it is; one of zeros stays so.

    Args:
        x: ``(B, ...)``.

    Example:
        >>> units(torch.tensor([[3e-30, 4e-30], [3e30, 4e30], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    rows = x.flatten(1)
    largest = rows.abs().amax(1, keepdim=True)  # by it first: the squares of small numbers are 0, of large ones inf
    rows = rows / largest.where(largest > 0, 1.0)
    return (rows / rows.norm(dim=1, keepdim=True).clamp(min=1.0)).view_as(x)


def fgsm(
    loss: LossFunction, inputs: Tensor, *, epsilon: float, low: float = -torch.inf, high: float = torch.inf
) -> Tensor:
    r"""Go as far as allowed along the sign of the gradient, once (Goodfellow et al. 2015, section 4).

    .. math:: x' = x + \epsilon \, \mathrm{sign}(\nabla_x L(x, y))

    For a loss that is linear in x, with slope w, this is the worst point there is: the loss rises by
    :math:`\epsilon \lVert w \rVert_1`, which grows with the number of inputs while none changes by more than epsilon.

    Args:
        loss: What is raised.
        inputs: ``(B, ...)`` x.
        epsilon: The most that an input may change, in its own unit.
        low: The least an input may be.
        high: The most an input may be.

    Example:
        >>> w = torch.tensor([3.0, -4.0])
        >>> fgsm(lambda x: x @ w, torch.zeros(1, 2), epsilon=0.5)
        tensor([[ 0.5000, -0.5000]])
    """
    return pgd(loss, inputs, epsilon=epsilon, step=epsilon, steps=1, low=low, high=high)


def pgd(
    loss: LossFunction,
    inputs: Tensor,
    *,
    epsilon: float,
    step: float,
    steps: int,
    norm: Norm = "inf",
    start: Tensor | None = None,
    low: float = -torch.inf,
    high: float = torch.inf,
) -> Tensor:
    r"""Climb in steps, and go back into the ball after each (Madry et al. 2018, section 2.1).

    .. math:: x^{t+1} = \Pi_{x + S} \left( x^t + \alpha \, \mathrm{sign}(\nabla_x L(x^t, y)) \right)

    In the norm ``l2`` a step has length alpha along the gradient. The last point is returned, not the best one.

    Args:
        loss: What is raised.
        inputs: ``(B, ...)`` x.
        epsilon: Radius of the ball S around each example, in the unit of the inputs.
        step: The paper's alpha.
        steps: How many there are.
        norm: Of the ball: ``inf``, the largest change of any input; ``l2``, the Euclidean length of all.
        start: ``(B, ...)``, where to begin, brought into the ball first; x itself where there is none.
        low: The least an input may be.
        high: The most an input may be.

    Returns:
        ``(B, ...)``, within the range and, if x is, within the ball: to the last bit in the norm ``inf``, up to
        rounding in ``l2``.
    """
    if norm == "inf":
        lower, upper = (end.clamp(low, high) for end in _box(inputs, epsilon))

    def back(point: Tensor) -> Tensor:
        if norm == "inf":
            return point.clamp(lower, upper)
        change = point - inputs
        length = change.flatten(1).norm(dim=1).view(-1, *[1] * (change.dim() - 1))
        return (inputs + torch.where(length > epsilon, epsilon * units(change), change)).clamp(low, high)

    at = inputs if start is None else back(start)
    for _ in range(steps):
        gradient = slope(loss, at)
        at = back(at + step * (gradient.sign() if norm == "inf" else units(gradient)))
    return at


class Attack:
    """An attack of one strength: :func:`pgd` from where the examples' own keys say, so that it never depends on chance.

    Its starts differ by example and epoch, and stay the same however a batch is cut, resumed or loaded.

    Example:
        >>> attack = Attack.Config(epsilon=0.5, step=0.5, steps=1, random_start=False).build()
        >>> attack(lambda x: x.square(), torch.ones(2, 1), keys=torch.arange(2))
        tensor([[1.5000],
                [1.5000]])
    """

    class Config(BaseConfig):
        """How strong it is; ``steps=1, step=epsilon, random_start=False`` is the fast gradient sign method.

        Attributes:
            norm: ``inf`` or ``l2``.
            epsilon: Radius of the ball.
            step: Length of a step, in the same unit; the paper's alpha.
            steps: Steps of the climb.
            random_start: Begin anywhere in the ball, with equal probability, instead of at its center.
        """

        norm: Norm = "inf"
        epsilon: float = Field(default=0.3, ge=0)
        step: float = Field(default=0.01, gt=0)
        steps: int = Field(default=40, ge=1)
        random_start: bool = True

    def __init__(self, config: Attack.Config) -> None:
        self.config = config

    def __call__(
        self, loss: LossFunction, inputs: Tensor, *, keys: Tensor, low: float = -torch.inf, high: float = torch.inf
    ) -> Tensor:
        """Return what the attack makes of each example.

        Args:
            loss: What is raised.
            inputs: ``(B, ...)``.
            keys: ``(B,)`` int64, one per example.
            low: The least an input may be.
            high: The most an input may be.
        """
        config = self.config
        start = None
        if config.random_start:
            drawn = _drawn(keys, tuple(inputs.shape[1:]), norm=config.norm)
            start = inputs + config.epsilon * drawn.to(inputs.dtype)
        return pgd(
            loss,
            inputs,
            epsilon=config.epsilon,
            step=config.step,
            steps=config.steps,
            norm=config.norm,
            start=start,
            low=low,
            high=high,
        )


def _box(inputs: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the ends of what lies within epsilon; where rounding puts one beyond, the next number inside."""
    lower, upper = inputs - epsilon, inputs + epsilon
    lower = torch.where(inputs - lower > epsilon, torch.nextafter(lower, inputs), lower)
    return lower, torch.where(upper - inputs > epsilon, torch.nextafter(upper, inputs), upper)


def _drawn(keys: Tensor, shape: tuple[int, ...], *, norm: Norm) -> Tensor:
    """Return a point of the unit ball for each key, uniformly distributed: ``(B, *shape)`` float64."""
    if norm == "inf":
        return 2 * keyed_uniform(keys, *shape, stream="attack") - 1
    way = keyed_normal(keys, *shape, stream="attack")
    radius = keyed_uniform(keys, 1, stream="attack radius") ** (1 / math.prod(shape))
    return units(way) * radius.view(-1, *[1] * len(shape))
