"""Adaline's rule on both sides of the rate at which it stops to converge."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.roles import LabConfig
from netsmith.engine.batch import Batch
from netsmith.models.foundations.adaline import Adaline

__all__ = ["CARD", "LeastMeanSquares"]

CARD = {
    "title": "Least mean squares below and above its limit",
    "paper": "Widrow & Hoff 1960, Adaptive switching circuits",
    "shows": "distance from the least-squares answer and error by step, for rates around 2 / lambda_max, on iris",
    "quick": {"steps": 20, "passes": 2},
}

_POINTS = 150  # of a drawn line
_GONE = 1e100  # a distance beyond which a course is not followed


class _Course(NamedTuple):
    """How one rate went.

    Attributes:
        name: In legends.
        rate: eta.
        distances: From the least-squares weights, by step, the first weights' too.
        errors: Mean square error by step, in cm^2.
        expected: The last distance that theory gives; None where it gives none.
    """

    name: str
    rate: float
    distances: tuple[float, ...]
    errors: tuple[float, ...]
    expected: float | None

    @property
    def growth(self) -> float:
        """The factor on the distance in the last step."""
        return self.distances[-1] / self.distances[-2] if self.distances[-2] else 0.0


class LeastMeanSquares:
    r"""Learn the petal width of iris (cm) from its three other measurements, each with mean 0 and deviation 1.

    By the batch rule the vector from the least-squares weights to the current ones becomes :math:`(I - \eta R)^t` times
    the first one, R the inputs' correlation with the bias's 1 among them; each course's last distance is held against
    that. Online, a step is one pass over all flowers in the same order.
    """

    class Config(LabConfig):
        """The rates.

        Attributes:
            factors: Rates of the batch rule, as parts of 2 / lambda_max.
            online: Rate of the online rule, as a part of 2 / lambda_max.
            steps: Of the batch rule.
            passes: Of the online rule.
        """

        factors: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(0.1, 0.5, 0.99, 1.01), min_length=1)
        online: float = Field(default=0.01, gt=0)
        steps: int = Field(default=300, ge=1, le=100_000)
        passes: int = Field(default=60, ge=1, le=100_000)

    def __init__(self, config: LeastMeanSquares.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return distances and errors by step, and what theory says of them."""
        x, t = _iris()
        inputs = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)  # (N, 4)
        answer = torch.linalg.solve(inputs.T @ inputs, inputs.T @ t)  # (4, 1)
        best = float((t - inputs @ answer).square().mean())
        correlation = inputs.T @ inputs / len(inputs)
        values = torch.linalg.eigvalsh(correlation)
        limit = 2 / float(values[-1])
        batch = Batch(x, t)
        courses = []
        for factor in self.config.factors:
            distances, errors = self._walk(batch, answer, factor * limit, online=False)
            left = torch.eye(4, dtype=x.dtype) - factor * limit * correlation
            away = torch.linalg.matrix_power(left, len(distances) - 1) @ answer  # from weights of 0
            courses.append(_Course(f"{factor:g} of the limit", factor * limit, distances, errors, float(away.norm())))
        rate = self.config.online * limit
        courses.append(
            _Course(f"online, {self.config.online:g}", rate, *self._walk(batch, answer, rate, online=True), None)
        )
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "lambda_max": float(values[-1]),
            "lambda_min": float(values[0]),
            "limit": limit,
            "error/least_squares": best,
        }
        for one in courses:
            numbers |= {f"distance/{one.name}": one.distances[-1], f"error/{one.name}": one.errors[-1]}
            numbers |= {f"expected/{one.name}": one.expected, f"growth/{one.name}": one.growth}
        charts = (
            self._chart("distances", "Distance from the least-squares weights", "distance, cm", courses),
            self._chart("errors", "Mean square error", "mean square error, cm^2", courses, best=best),
        )
        table = Grid(
            "At the end",
            ("course", "steps", "rate", "distance, cm", "expected", "last factor on it", "error, cm^2"),
            tuple(
                (c.name, len(c.distances) - 1, c.rate, c.distances[-1], c.expected, c.growth, c.errors[-1])
                for c in courses
            ),
            f"The least-squares answer has error {best:.4g} cm^2; the limit 2 / lambda_max is {limit:.4g}.",
        )
        return Findings(numbers, charts, (table,), _remarks(courses, limit, best))

    def _walk(
        self, batch: Batch, answer: Tensor, rate: float, *, online: bool
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        config = Adaline.Config(updates="online" if online else "batch", in_features=len(answer) - 1, num_outputs=1)
        model: Adaline = config.build()
        distances, errors = list[float](), list[float]()
        while True:
            held = torch.cat([model.weight, model.bias[:, None]], 1)  # (1, 4)
            distances.append(float((held.T - answer).norm()))
            errors.append(float((batch.targets - model(batch.inputs)).square().mean()))
            if len(distances) > (self.config.passes if online else self.config.steps) or not distances[-1] < _GONE:
                return tuple(distances), tuple(errors)
            model.learn(batch, rate=rate)

    def _chart(self, name: str, title: str, label: str, courses: list[_Course], *, best: float | None = None) -> Lines:
        series = []
        for one in courses:
            values = one.errors if best is not None else one.distances
            at = range(0, len(values), max(1, len(values) // _POINTS))
            series.append(Series(one.name, tuple(map(float, at)), tuple(values[step] for step in at)))
        caption = "" if best is None else f"Least squares: {best:.4g} cm^2."
        return Lines(name, title, "step (online: pass)", label, tuple(series), log_y=True, caption=caption)


def _iris() -> tuple[Tensor, Tensor]:
    data = torch.from_numpy(require("sklearn.datasets", extra="classic").load_iris(return_X_y=True)[0]).double()
    x, t = data[:, :3], data[:, 3:]
    return (x - x.mean(0)) / x.std(0, correction=0), t


def _remarks(courses: list[_Course], limit: float, best: float) -> tuple[str, ...]:
    remarks = [f"2 / lambda_max is {limit:.4g}; the least-squares answer's mean square error is {best:.4g} cm^2."]
    for one in courses:
        first, last = one.distances[0], one.distances[-1]
        text = f"{one.name}: in {len(one.distances) - 1} steps the distance goes from {first:.3g} to {last:.3g} cm"
        text += f", the last step times {one.growth:.4g}"
        if one.expected:
            text += f"; (I - eta R)^t gives {one.expected:.3g}, {abs(last / one.expected - 1):.1e} beside it"
        remarks.append(f"{text}.")
    return tuple(remarks)
