"""Dropout of the inputs of a generalized linear model, and the L2 penalty it is."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig
from netsmith.labs.regularization._diabetes import read_diabetes
from netsmith.labs.regularization.dropout_ensemble import all_masks

__all__ = ["CARD", "DropoutIsL2", "logistic_fit"]

CARD = {
    "title": "Dropout is an L2 penalty, weighted by the data",
    "paper": "Wager, Wang & Liang 2013, arXiv:1307.1493",
    "shows": "dropout's expected loss of linear and logistic regression over all masks, against its L2 form",
    "quick": {"shares": [0.5]},
}

_SIZES = (0.25, 0.5, 1.0, 2.0)
_SHOWN = 0.5


class DropoutIsL2:
    r"""Average the loss over every mask of the inputs, exactly, and compare what dropout adds with a penalty.

    Linear regression, exact:

    .. math:: E \lVert y - \tilde X w \rVert^2 = \lVert y - X w \rVert^2 + \frac{p}{1 - p} \sum_j w_j^2 \sum_i x_{ij}^2

    A generalized linear model with log-partition A (logistic: :math:`A(z) = \log(1 + e^z)`), to second order:

    .. math:: \sum_i E[A(\tilde x_i \cdot w)] - A(x_i \cdot w) \approx
              \frac{1}{2} \frac{p}{1 - p} \sum_j w_j^2 \sum_i A''(x_i \cdot w) \, x_{ij}^2

    with inverted dropout, :math:`\tilde x = m \star x / (1 - p)`. The logistic target is whether the disease went
    further than the median.
    """

    class Config(LabConfig):
        """What is dropped.

        Attributes:
            shares: p, the shares of the inputs dropped.
            decay: The L2 penalty under which the logistic weights are fitted, over the number of examples.
        """

        shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
            default=(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), min_length=1
        )
        decay: float = Field(default=0.01, gt=0)

    def __init__(self, config: DropoutIsL2.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return what dropout adds to both losses, by share and by size of the weights."""
        _, x, y = read_diabetes()
        shares = tuple(sorted(set(self.config.shares)))
        ordinary = torch.linalg.solve(x.T @ x, x.T @ y)
        linear = max(_linear_error(x, y, ordinary, p) for p in shares)
        classes = (y > y.median()).double()
        fitted = logistic_fit(x, classes, self.config.decay)
        numbers: dict[str, float | tuple[float, ...]] = {"linear_error": linear, "shares": shares}
        rows, lines = [], []
        for size in _SIZES:
            weights = size * fitted
            exact, form = zip(*(_logistic_penalties(x, weights, p) for p in shares), strict=True)
            errors = tuple(b / a - 1 for a, b in zip(exact, form, strict=True))
            numbers |= {f"exact/{size:g}": exact, f"form/{size:g}": form, f"error/{size:g}": errors}
            lines.append(Series(f"weights times {size:g}", shares, tuple(100 * one for one in errors)))
            rows += [(size, p, *one) for p, *one in zip(shares, exact, form, errors, strict=True)]
        figures = (
            Lines(
                "penalty",
                "What dropout adds to the logistic loss",
                "share dropped",
                "added loss, sum over examples (nat)",
                (
                    Series("all masks", shares, numbers["exact/1"]),  # type: ignore[arg-type]
                    Series("L2 form", shares, numbers["form/1"]),  # type: ignore[arg-type]
                ),
                caption=f"At fitted weights; {len(y)} examples, {2 ** x.shape[1]} masks each.",
            ),
            Lines(
                "error",
                "How far off the L2 form is",
                "share dropped",
                "L2 form above the added loss (%)",
                tuple(lines),
            ),
        )
        table = Grid(
            "What dropout adds to the logistic loss",
            ("factor on weights", "share dropped", "all masks", "L2 form", "L2 form / all masks - 1"),
            tuple(row for row in rows if row[1] in (shares[0], shares[len(shares) // 2], shares[-1])),
        )
        middle = min(range(len(shares)), key=lambda at: abs(shares[at] - _SHOWN))
        by_size = {size: numbers[f"error/{size:g}"] for size in _SIZES}
        remarks = (
            f"Linear regression: over all {2 ** x.shape[1]} masks the loss is that with the penalty, to within "
            f"{linear:.2g} of itself, at {len(shares)} shares from {shares[0]:g} to {shares[-1]:g}.",
            f"Logistic regression at p = {shares[middle]:g}: the L2 form is "
            + ", ".join(f"{100 * errors[middle]:+.3g} % off at weights times {s:g}" for s, errors in by_size.items())
            + ".",
            f"At fitted weights it is {100 * by_size[1.0][0]:+.3g} % off at p = {shares[0]:g} and "
            f"{100 * by_size[1.0][-1]:+.3g} % at p = {shares[-1]:g}.",
        )
        return Findings(numbers, figures, (table,), remarks)


def _linear_error(x: Tensor, y: Tensor, w: Tensor, p: float) -> float:
    masks, chances = all_masks(x.shape[1], p)
    expected = (y[:, None] - (x * w) @ masks.T / (1 - p)).square() @ chances  # (N,)
    penalty = p / (1 - p) * (w.square() * x.square().sum(0)).sum()
    return abs(float(((y - x @ w).square().sum() + penalty) / expected.sum()) - 1)


def _logistic_penalties(x: Tensor, w: Tensor, p: float) -> tuple[float, float]:
    """Return what dropout adds to the loss, over all masks, and its L2 form."""
    masks, chances = all_masks(x.shape[1], p)
    z = x @ w
    exact = F.softplus((x * w) @ masks.T / (1 - p)) @ chances - F.softplus(z)
    curvature = torch.sigmoid(z) * torch.sigmoid(-z)  # A''
    form = 0.5 * p / (1 - p) * (w.square() * (curvature[:, None] * x.square()).sum(0)).sum()
    return float(exact.sum()), float(form)


def logistic_fit(x: Tensor, classes: Tensor, decay: float) -> Tensor:
    """Return the weights of a logistic regression through the origin with an L2 penalty, by Newton's method.

    Args:
        x: ``(N, D)``.
        classes: ``(N,)`` of 0 and 1.
        decay: The penalty is ``decay * N / 2`` times the squared norm.
    """
    w = torch.zeros(x.shape[1], dtype=x.dtype)
    pull = decay * len(x)
    for _ in range(30):
        chance = torch.sigmoid(x @ w)
        hessian = x.T @ (x * (chance * (1 - chance))[:, None]) + pull * torch.eye(len(w), dtype=x.dtype)
        w = w - torch.linalg.solve(hessian, x.T @ (chance - classes) + pull * w)
    return w
