"""Stopping gradient descent early on a quadratic, against an L2 penalty."""

from __future__ import annotations

import math

import torch
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series, Surface
from netsmith.core.roles import LabConfig
from netsmith.labs.regularization._descent import descend
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "EarlyStoppingIsL2"]

CARD = {
    "title": "Stopping early is an L2 penalty",
    "paper": "Bishop 1995 (ICANN); Goodfellow et al. 2016, Deep Learning, section 7.8",
    "shows": "how near gradient descent from zero after tau steps is to the minimum under a penalty of 1 / (tau rate)",
    "quick": {"steps": 10},
}

_POINTS = 120


class EarlyStoppingIsL2:
    r"""Descend from 0 on a quadratic with Hessian H and minimum w*, and minimize it under a penalty.

    .. math:: w_\tau = Q (I - (I - \epsilon \Lambda)^\tau) Q^\top w^*, \qquad
              \tilde w = Q (\Lambda + \alpha I)^{-1} \Lambda Q^\top w^*

    In a direction of curvature :math:`\lambda` both are the same where :math:`(1 - \epsilon \lambda)^\tau = \alpha /
    (\lambda + \alpha)`; for small :math:`\epsilon \lambda` and :math:`\lambda / \alpha` that is :math:`\alpha = 1 /
    (\tau \epsilon)` for all of them.
    """

    class Config(LabConfig):
        """The quadratic and the descent.

        Attributes:
            curvatures: The eigenvalues of its Hessian.
            angle: By how much its axes are turned, in degrees.
            rate: epsilon; times the largest curvature below 1, so that no direction overshoots.
            steps: tau, where the descent is stopped.
        """

        curvatures: tuple[PositiveFloat, PositiveFloat] = (0.1, 1.0)
        angle: float = 30.0
        rate: float = Field(default=0.05, gt=0)
        steps: int = Field(default=60, ge=1, le=20_000)

        @model_validator(mode="after")
        def _check(self) -> EarlyStoppingIsL2.Config:
            if self.rate * max(self.curvatures) >= 1:
                raise ValueError(
                    f"rate={self.rate:g} times the largest curvature {max(self.curvatures):g} must be below 1, or the "
                    "descent overshoots and no penalty stands for it"
                )
            return self

    def __init__(self, config: EarlyStoppingIsL2.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return both paths, what each keeps of the minimum by curvature, and how far they are apart."""
        rate, tau = self.config.rate, self.config.steps
        alpha = 1 / (tau * rate)
        turn = math.radians(self.config.angle)
        axes = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=torch.float64)
        curvatures = torch.tensor(self.config.curvatures, dtype=torch.float64)
        hessian = axes @ curvatures.diag() @ axes.T
        minimum = axes.sum(1)  # 1 along each axis
        start, steps = torch.zeros_like(minimum), max(4 * tau, 200)
        walked = descend(hessian, hessian @ minimum, SGD.Config(lr=rate), start=start, steps=steps)
        shares = 1 - (1 - rate * curvatures) ** tau
        formula = float((axes @ (shares * (axes.T @ minimum)) - walked[tau]).abs().max())
        penalized = _penalized(hessian, minimum, alpha)
        apart = float((walked[tau] - penalized).norm() / minimum.norm())
        exact = [_equal_alpha(float(one), rate, tau) for one in curvatures]
        at_exact = _penalized(
            axes @ (curvatures / torch.tensor(exact, dtype=torch.float64)).diag() @ axes.T, minimum, 1.0
        )
        equal = float((at_exact - walked[tau]).abs().max())
        x = torch.logspace(-2, 2, 801, dtype=torch.float64)
        x = x[x < tau]  # where the rate times the curvature is below 1
        stopped, held = 1 - (1 - x / tau) ** tau, x / (1 + x)
        widest = int((stopped - held).abs().argmax())
        numbers = {
            "alpha": alpha,
            "formula_error": formula,
            "apart": apart,
            "exact_alpha": tuple(exact),
            "exact_error": equal,
            "widest_gap": float(stopped[widest] - held[widest]),
            "widest_gap_at": float(x[widest]),
        }
        names = tuple(f"curvature {one:g}" for one in self.config.curvatures)
        table = Grid(
            f"Stopped after {tau} steps at rate {rate:g}",
            ("direction", "kept by stopping", f"kept by alpha = {alpha:.4g}", "alpha that keeps as much"),
            tuple(
                (name, float(share), float(one / (one + alpha)), found)
                for name, share, one, found in zip(names, shares, curvatures, exact, strict=True)
            ),
            "Kept: share of the minimum's coordinate in the direction of an axis.",
        )
        remarks = (
            f"After {tau} steps the descent is {formula:.2g} away from its closed form, in the greater coordinate.",
            f"It is {100 * apart:.3g} % of the minimum's length away from the minimum under a penalty of "
            f"alpha = 1 / (tau rate) = {alpha:.4g}.",
            f"With an alpha for each direction ({exact[0]:.4g} and {exact[1]:.4g}) the two are {equal:.2g} apart.",
            f"Over all curvatures, what the two keep differs by at most {abs(numbers['widest_gap']):.3g}, at curvature "
            f"{numbers['widest_gap_at']:.3g} / (tau rate).",
        )
        return Findings(numbers, (self._paths(hessian, minimum, walked), _kept(x, stopped, held)), (table,), remarks)

    def _paths(self, hessian: Tensor, minimum: Tensor, walked: Tensor) -> Surface:
        alphas = torch.logspace(3, -4, _POINTS, dtype=torch.float64)
        held = torch.stack([_penalized(hessian, minimum, float(alpha)) for alpha in alphas])
        corners = torch.stack([torch.zeros(2, dtype=torch.float64), minimum])
        low, high = (corners.amin(0) - 0.4).tolist(), (corners.amax(0) + 0.4).tolist()
        xs, ys = (torch.linspace(a, b, 61, dtype=torch.float64) for a, b in zip(low, high, strict=True))
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1) - minimum  # (61, 61, 2)
        values = 0.5 * torch.einsum("yxi,ij,yxj->yx", grid, hessian, grid)
        levels = tuple(float(values.max()) * (step / 9) ** 2 for step in range(1, 9))
        pieces = walked[torch.linspace(0, len(walked) - 1, min(len(walked), _POINTS)).long()]
        stop, alpha = walked[self.config.steps].tolist(), 1 / (self.config.steps * self.config.rate)
        held_here = _penalized(hessian, minimum, alpha).tolist()
        return Surface(
            "paths",
            "The paths to the minimum",
            "first weight",
            "second weight",
            tuple(xs.tolist()),
            tuple(ys.tolist()),
            tuple(map(tuple, values.tolist())),
            levels,
            (
                Series("descent, by steps", tuple(pieces[:, 0].tolist()), tuple(pieces[:, 1].tolist())),
                Series("L2, by alpha", tuple(held[:, 0].tolist()), tuple(held[:, 1].tolist())),
            ),
            (("minimum", *minimum.tolist()), (f"step {self.config.steps}", *stop), (f"alpha {alpha:.3g}", *held_here)),
            f"Descent takes {len(walked) - 1} steps from 0; alpha falls from 1000 to 0.0001.",
        )


def _penalized(hessian: Tensor, minimum: Tensor, alpha: float) -> Tensor:
    return torch.linalg.solve(hessian + alpha * torch.eye(2, dtype=hessian.dtype), hessian @ minimum)


def _equal_alpha(curvature: float, rate: float, steps: int) -> float:
    """Return the alpha under which the penalty keeps what ``steps`` steps have reached."""
    left = (1 - rate * curvature) ** steps
    return curvature * left / (1 - left)


def _kept(x: Tensor, stopped: Tensor, held: Tensor) -> Lines:
    places = tuple(x[::8].tolist())
    return Lines(
        "kept",
        "What is kept of the minimum, by curvature",
        "curvature times tau times rate",
        "share of the minimum's coordinate",
        (
            Series("stopped after tau steps", places, tuple(stopped[::8].tolist())),
            Series("L2, alpha = 1 / (tau rate)", places, tuple(held[::8].tolist())),
        ),
        log_x=True,
    )
