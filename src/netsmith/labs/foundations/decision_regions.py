"""Where five learners draw the line between two half-moons."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Points, Series
from netsmith.core.roles import LabConfig, ModelConfig
from netsmith.models.foundations.decision_tree import DecisionTree
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors
from netsmith.models.foundations.logistic_regression import LogisticRegression
from netsmith.models.foundations.svm import Svm

__all__ = ["CARD", "DecisionRegions"]

CARD = {
    "title": "Decision regions of five classic learners",
    "paper": "Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, chapter 2",
    "shows": "the boundary each learner draws in the plane, and its accuracy on training and on fresh points",
    "quick": {"points": 40, "steps": 40},
}

_FRESH = 2000
_HALVINGS = 8  # of the step between two places of the grid, to where the answer changes
_PLACE: dict[str, int] = {"in_features": 2, "num_classes": 2}


class DecisionRegions:
    """Two classes of points, each along half a circle, with noise; five learners of the same points."""

    class Config(LabConfig):
        """The points and the learners.

        Attributes:
            points: Training points, half of them of each class.
            noise: Standard deviation of a point around its half circle, whose radius is 1.
            strength: C of logistic regression and of both support vector machines.
            neighbors: k.
            steps: Places on each axis at which the learners are asked for the boundary.
            seed: Of the points.
        """

        points: int = Field(default=120, ge=10, le=2000)
        noise: float = Field(default=0.3, ge=0)
        strength: float = Field(default=1.0, gt=0)
        neighbors: int = Field(default=5, ge=1)
        steps: int = Field(default=160, ge=10, le=1000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: DecisionRegions.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies, a picture of each learner, and what they show."""
        generator = torch.Generator().manual_seed(self.config.seed)
        x, y = self._moons(self.config.points, generator)
        fresh_x, fresh_y = self._moons(_FRESH, generator)
        numbers: dict[str, float] = {}
        figures, rows = [], []
        for key, name, config in self._learners():
            model = config.derive(**_PLACE).build()
            model.fit(x, y)
            train, fresh = (
                float((model(at).argmax(1) == wanted).double().mean()) for at, wanted in ((x, y), (fresh_x, fresh_y))
            )
            numbers |= {f"train/{key}": train, f"fresh/{key}": fresh}
            rows.append((name, train, fresh))
            boundary = _boundary(model, x, steps=self.config.steps)
            figures.append(
                Points(
                    f"regions_{key}",
                    name,
                    "first coordinate",
                    "second coordinate",
                    tuple(_series(f"class {label}", x[y == label]) for label in (0, 1)),
                    (boundary,) if boundary.xs else (),
                    equal=True,
                    caption=f"Right on {100 * train:.3g} % of the {len(y)} points shown and {100 * fresh:.3g} % of "
                    f"{_FRESH} fresh ones.",
                )
            )
        table = Grid("Accuracy, 0 to 1", ("learner", "training points", "fresh points"), tuple(rows))
        return Findings(numbers, tuple(figures), (table,), _remarks(rows))

    def _learners(self) -> tuple[tuple[str, str, ModelConfig], ...]:
        strength, k = self.config.strength, self.config.neighbors
        return (
            ("logistic", "Logistic regression", LogisticRegression.Config(strength=strength)),
            ("svm_linear", "Support vector machine, linear", Svm.Config(kernel="linear", strength=strength)),
            ("svm_rbf", "Support vector machine, Gaussian kernel", Svm.Config(strength=strength)),
            ("tree", "Decision tree", DecisionTree.Config()),
            ("neighbors", f"{k} nearest neighbors", KNearestNeighbors.Config(neighbors=k)),
        )

    def _moons(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        y = torch.arange(count) % 2
        angle = math.pi * torch.rand(count, generator=generator)
        x = torch.stack([angle.cos(), angle.sin()], 1)
        x = torch.where(y[:, None] == 1, torch.tensor([1.0, 0.5]) - x, x)  # the second moon hangs the other way
        return x + self.config.noise * torch.randn(count, 2, generator=generator), y


def _series(name: str, places: Tensor) -> Series:
    return Series(name, tuple(places[:, 0].tolist()), tuple(places[:, 1].tolist()))


def _boundary(model: torch.nn.Module, x: Tensor, *, steps: int) -> Series:
    """Return where the answer changes around the points: lines with a break after each."""
    low, high = x.amin(0) - 0.2, x.amax(0) + 0.2
    first, second = (torch.linspace(float(low[axis]), float(high[axis]), steps) for axis in (0, 1))
    grid = torch.stack(torch.meshgrid(first, second, indexing="ij"), -1)  # (S, S, 2)
    answer = model(grid.flatten(0, 1)).argmax(1).view(steps, steps)
    contours = require("contourpy", extra="plot").contour_generator(z=answer.T.double().numpy())  # in steps of the grid
    xs: list[float] = []
    ys: list[float] = []
    for line in contours.lines(0.5):
        middle = torch.from_numpy(line)  # (N, 2), each half-way between two neighbors with different answers
        one, other = middle.floor(), middle.ceil()
        first_answer = answer[one[:, 0].long(), one[:, 1].long()]
        for _ in range(_HALVINGS):
            middle = (one + other) / 2
            same = model((low + (high - low) * middle / (steps - 1)).float()).argmax(1) == first_answer
            one, other = torch.where(same[:, None], middle, one), torch.where(same[:, None], other, middle)
        places = low + (high - low) * (one + other) / 2 / (steps - 1)
        xs += [*places[:, 0].tolist(), math.nan]
        ys += [*places[:, 1].tolist(), math.nan]
    return Series("boundary", tuple(xs), tuple(ys))


def _remarks(rows: list[tuple[str, float, float]]) -> tuple[str, ...]:
    worst = max(rows, key=lambda row: row[1] - row[2])
    by_fresh = sorted(rows, key=lambda row: -row[2])
    remarks = [
        "On fresh points: " + ", ".join(f"{name} {100 * fresh:.3g} %" for name, _, fresh in by_fresh) + ".",
        f"From training to fresh points {worst[0]} loses most: {100 * worst[1]:.3g} to {100 * worst[2]:.3g} %.",
    ]
    perfect = [name for name, train, _ in rows if train == 1]
    if perfect:
        remarks.append(f"Without an error on its training points: {', '.join(perfect)}.")
    return tuple(remarks)
