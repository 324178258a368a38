"""What the sign of the gradient does to a linear network, measured beside the formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from netsmith.layers.attacks import fgsm

__all__ = ["Leads", "falling_leads"]


@dataclass(frozen=True)
class Leads:
    """How leads of a right class over another fall.

    Attributes:
        count: How many there are: examples times other classes.
        apart: The largest difference between the fall and epsilon |w|_1.
        fall: Its mean.
        random: The mean of epsilon |w|_2, by which random signs move a lead (standard deviation).
    """

    count: int
    apart: float
    fall: float
    random: float


def falling_leads(network: Callable[[Tensor], Tensor], inputs: Tensor, labels: Tensor, *, epsilon: float) -> Leads:
    """Attack each lead of a linear network by FGSM, without regard to the inputs' range.

    Args:
        network: From ``(B, ...)`` to logits ``(B, K)``, linear but for a constant.
        inputs: ``(B, ...)``, in double precision.
        labels: ``(B,)``.
        epsilon: Size of the change.
    """
    zero = torch.zeros_like(inputs[:1])
    slopes = torch.autograd.functional.jacobian(lambda at: network(at)[0], zero)[:, 0]  # (K, ...)
    falls, formula, sizes = [], [], []
    for other in range(len(slopes)):
        rows = labels != other
        right = labels[rows, None]

        def lead(at: Tensor, right: Tensor = right, other: int = other) -> Tensor:
            logits = network(at)
            return logits.gather(1, right)[:, 0] - logits[:, other]

        worst = fgsm(lambda at, lead=lead: -lead(at), inputs[rows], epsilon=epsilon)
        with torch.no_grad():
            falls.append(lead(inputs[rows]) - lead(worst))
        w = (slopes[right[:, 0]] - slopes[other]).flatten(1)
        formula.append(epsilon * w.abs().sum(1))
        sizes.append(epsilon * w.norm(dim=1))
    fall = torch.cat(falls)
    apart = (fall - torch.cat(formula)).abs().max()
    return Leads(len(fall), float(apart), float(fall.mean()), float(torch.cat(sizes).mean()))
