"""The coefficients of linear regression under L1 and L2 penalties of all strengths."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, OptimizerConfig
from netsmith.labs.regularization._descent import descend
from netsmith.labs.regularization._diabetes import read_diabetes
from netsmith.optim.l1_penalty import L1Penalty
from netsmith.optim.proximal_sgd import ProximalSGD
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "Penalties"]

CARD = {
    "title": "Coefficients under L1 and L2 penalties",
    "paper": "Tibshirani 1996 (J. R. Stat. Soc. B 58:267); Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634",
    "shows": "which coefficients become exactly zero, by descent; against coordinate descent and ridge's closed form",
    "quick": {"steps": 20},
}

_WAYS = (
    ("l1", "L1, soft threshold"),
    ("subgradient", "L1, subgradient"),
    ("l2", "L2"),
)
_DRAWN = 5


class Penalties:
    r"""Descend on half the mean squared error of a linear regression plus a penalty, from strong to weak.

    .. math:: \frac{1}{2 n} \lVert y - X w \rVert^2 + \lambda \lVert w \rVert_1 \qquad \text{or} \qquad
              + \frac{\lambda}{2} \lVert w \rVert_2^2

    by the optimizers ``proximal_sgd``, ``l1_penalty`` and ``sgd`` with ``weight_decay``. Each strength starts where the
    one before ended; the subgradient starts where the soft threshold ended at the same strength.
    """

    class Config(LabConfig):
        """The path.

        Attributes:
            strengths: lambda.
            rate: Of the descents, below 2 / the largest curvature; the subgradient has a hundredth of it, L2 no more
                than 1.8 / its largest curvature.
            steps: Of each descent with the soft threshold; a fifth of them of each other.
        """

        strengths: tuple[Annotated[float, Field(gt=0)], ...] = Field(
            default=(50.0, 30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5), min_length=1
        )
        rate: float = Field(default=0.45, gt=0)
        steps: int = Field(default=2000, ge=5, le=100_000)

    def __init__(self, config: Penalties.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the paths, how many coefficients are zero, and how far they are from the reference solutions."""
        names, x, y = read_diabetes()
        hessian, slope = x.T @ x / len(x), x.T @ y / len(x)
        bound = 2 / float(torch.linalg.eigvalsh(hessian)[-1])
        if self.config.rate >= bound:
            raise ConfigError(
                f"rate={self.config.rate:g}: the descent runs away from {bound:.4g} on, which is 2 / the largest "
                "curvature of these data; expected less"
            )
        strengths = tuple(sorted(set(self.config.strengths), reverse=True))
        thresholded = self._path("l1", hessian, slope, strengths)
        paths = {
            "l1": thresholded,
            "subgradient": self._path("subgradient", hessian, slope, strengths, thresholded),
            "l2": self._path("l2", hessian, slope, strengths),
        }
        lasso = require("sklearn.linear_model", extra="classic").Lasso
        peers = torch.stack(
            [
                torch.from_numpy(
                    lasso(alpha=one, fit_intercept=False, tol=1e-12, max_iter=1_000_000).fit(x.numpy(), y.numpy()).coef_
                )
                for one in strengths
            ]
        )
        eye = torch.eye(x.shape[1], dtype=x.dtype)
        ridge = torch.stack([torch.linalg.solve(hessian + one * eye, slope) for one in strengths])
        zeros = {way: tuple(int(count) for count in (path == 0).sum(1)) for way, path in paths.items()}
        errors = {
            "l1": float((paths["l1"] - peers).abs().max()),
            "subgradient": float((paths["subgradient"] - peers).abs().max()),
            "l2": float((paths["l2"] - ridge).abs().max()),
        }
        same = bool(((paths["l1"] == 0) == (peers == 0)).all())
        entering = [names[at] for at in _entering(paths["l1"])]
        numbers = {
            "strengths": strengths,
            **{f"zeros/{way}": found for way, found in zeros.items()},
            **{f"distance/{way}": found for way, found in errors.items()},
            "same_zeros_as_coordinate_descent": str(same),
            "entering": tuple(entering),
        }
        ordinary = torch.linalg.solve(hessian, slope)
        drawn = ordinary.abs().argsort(descending=True)[:_DRAWN].tolist()
        figures = tuple(
            _chart(way, f"Coefficients by strength: {title}", strengths, paths[way], [(names[at], at) for at in drawn])
            for way, title in (_WAYS[0], _WAYS[2])
        )
        rising = tuple(reversed(strengths))
        counts = Lines(
            "zeros",
            "Coefficients that are exactly zero",
            "strength of the penalty",
            f"zeros among {len(names)}",
            tuple(Series(title, rising, tuple(map(float, reversed(zeros[way])))) for way, title in _WAYS),
            log_x=True,
            caption="Where lines coincide, the last named is on top.",
        )
        table = Grid(
            "Coefficients under L1, soft threshold",
            ("strength", *names),
            tuple((one, *map(float, row)) for one, row in zip(strengths, paths["l1"].tolist(), strict=True)),
            "Columns have mean 0 and deviation 1.",
        )
        remarks = (
            f"L1 by the soft threshold: {zeros['l1'][0]} of {len(names)} coefficients are exactly zero at strength "
            f"{strengths[0]:g} and {zeros['l1'][-1]} at {strengths[-1]:g}; the first to enter as it falls: "
            f"{', '.join(entering[:3]) or 'none'}.",
            f"From coordinate descent it is at most {errors['l1']:.2g} away, and the zeros are "
            f"{'the same' if same else 'not all the same'}.",
            f"L1 by the subgradient, {self.config.steps // 5} steps from there: at most "
            f"{errors['subgradient']:.2g} away, and at most {max(zeros['subgradient'])} zeros.",
            f"L2: at most {errors['l2']:.2g} away from the closed form, and at most {max(zeros['l2'])} zeros.",
        )
        return Findings(numbers, (*figures, counts), (table,), remarks)

    def _path(
        self, way: str, hessian: Tensor, slope: Tensor, strengths: tuple[float, ...], starts: Tensor | None = None
    ) -> Tensor:
        """Return the coefficients at the end of each descent, ``(strengths, D)``."""
        largest = float(torch.linalg.eigvalsh(hessian)[-1])
        steps = self.config.steps if way == "l1" else self.config.steps // 5
        place, found = torch.zeros_like(slope), []
        for row, strength in enumerate(strengths):
            rate = min(self.config.rate, 1.8 / (largest + strength)) if way == "l2" else self.config.rate
            start = place if starts is None else starts[row]
            place = descend(hessian, slope, _optimizer(way, rate, strength), start=start, steps=steps)[-1]
            found.append(place)
        return torch.stack(found)


def _optimizer(way: str, rate: float, strength: float) -> OptimizerConfig:
    if way == "l1":
        return ProximalSGD.Config(lr=rate, l1=strength)
    if way == "subgradient":
        return L1Penalty.Config(inner=SGD.Config(lr=rate / 100), strength=strength)
    return SGD.Config(lr=rate, weight_decay=strength)


def _entering(path: Tensor) -> list[int]:
    """Return the columns that are ever not zero, in the order in which they first are."""
    first = [next((row for row, value in enumerate(column) if value != 0), len(path)) for column in path.T.tolist()]
    return sorted((at for at, row in enumerate(first) if row < len(path)), key=lambda at: first[at])


def _chart(way: str, title: str, strengths: tuple[float, ...], path: Tensor, drawn: list[tuple[str, int]]) -> Lines:
    rising, rows = tuple(reversed(strengths)), path.flip(0)
    return Lines(
        f"path_{way}",
        title,
        "strength of the penalty",
        "coefficient",
        tuple(Series(name, rising, tuple(rows[:, at].tolist())) for name, at in drawn),
        log_x=True,
        caption=f"The {len(drawn)} columns with the greatest coefficients without a penalty.",
    )
