"""Polynomials of rising degree on a few points of a cubic: too stiff, right, too loose."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Points, Series
from netsmith.core.roles import LabConfig
from netsmith.models.foundations.linear_regression import LinearRegression

__all__ = ["CARD", "PolynomialDegrees"]

CARD = {
    "title": "Under- and overfitting by degree",
    "paper": "Geman, Bienenstock & Doursat 1992, Neural Computation 4, 1-58",
    "shows": "training and test error of least-squares polynomials of degree 1 and up, fitted to points of a cubic",
    "quick": {"sets": 5, "degrees": 4},
}

_CUBIC = (4.0, -6.0, -5.0, 10.0)  # a + b x + c x^2 + d x^3
_TESTED = 1000
_DRAWN = (1, 3, 5)


class PolynomialDegrees:
    """Draw a few noisy points of a cubic, fit polynomials to them by least squares, and try each on fresh points.

    All degrees see the same points. This is done for many training sets; errors are means over them.
    """

    class Config(LabConfig):
        """What is drawn.

        Attributes:
            points: Points of a training set, x uniform in -1..1.
            noise: Standard deviation of the noise on y.
            degrees: The largest degree.
            sets: Training sets.
            seed: Of all draws.
        """

        points: int = Field(default=15, ge=3, le=1000)
        noise: float = Field(default=1.0, ge=0)
        degrees: int = Field(default=6, ge=2, le=12)
        sets: int = Field(default=200, ge=1, le=10_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: PolynomialDegrees.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return errors by degree, the polynomials of the first training set, and what they show."""
        generator = torch.Generator().manual_seed(self.config.seed)
        test_x, test_y = self._draw(_TESTED, generator)
        degrees = range(1, self.config.degrees + 1)
        errors = torch.zeros(2, self.config.sets, len(degrees), dtype=torch.float64)  # train, test
        first, fits = None, {}
        for number in range(self.config.sets):
            x, y = self._draw(self.config.points, generator)
            for at, degree in enumerate(degrees):
                model = LinearRegression.Config(degree=degree, in_features=1, num_outputs=1).build()
                model.absorb(x, y)
                errors[0, number, at] = _error(model, x, y)
                errors[1, number, at] = _error(model, test_x, test_y)
                if number == 0:
                    first, fits[degree] = (x, y), model
        assert first is not None
        train, test = errors.mean(1).tolist()
        spread = errors[1].std(0, correction=0).tolist()
        numbers = {"train": tuple(train), "test": tuple(test), "test_std": tuple(spread)}
        xs = tuple(map(float, degrees))
        chart = Lines(
            "errors",
            "Error by degree",
            "degree of the polynomial",
            "mean squared error",
            (Series("training points", xs, numbers["train"]), Series("fresh points", xs, numbers["test"])),
            log_y=min(train) > 0,
            caption=f"Means over {self.config.sets} training sets of {self.config.points} points, each tried on "
            f"the same {_TESTED} fresh points; the noise alone has variance {self.config.noise**2:g}.",
        )
        table = Grid(
            "Mean squared error",
            ("degree", "training points", "fresh points", "standard deviation over training sets"),
            tuple(zip(degrees, train, test, spread, strict=True)),
        )
        return Findings(numbers, (chart, self._picture(first, fits)), (table,), _remarks(train, test))

    def _draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = torch.rand(count, 1, generator=generator, dtype=torch.float64) * 2 - 1
        noise = self.config.noise * torch.randn(count, 1, generator=generator, dtype=torch.float64)
        return x, _cubic(x) + noise

    def _picture(self, first: tuple[Tensor, Tensor], fits: dict[int, LinearRegression]) -> Points:
        x, y = (part[:, 0].tolist() for part in first)
        grid = torch.linspace(-1, 1, 61, dtype=torch.float64)[:, None]
        low, high = min(y), max(y)
        low, high = low - (high - low), high + (high - low)
        lines = [Series("the cubic", tuple(grid[:, 0].tolist()), tuple(_cubic(grid)[:, 0].tolist()))]
        for degree in (degree for degree in _DRAWN if degree in fits):
            ys = fits[degree](grid)[:, 0].tolist()
            shown = [(a, b) for a, b in zip(grid[:, 0].tolist(), ys, strict=True) if low <= b <= high]
            lines.append(Series(f"degree {degree}", tuple(a for a, _ in shown), tuple(b for _, b in shown)))
        return Points(
            "fits",
            "Polynomials of the first training set",
            "x",
            "y",
            (Series("training points", tuple(x), tuple(y)),),
            tuple(lines),
            caption="A line ends where it leaves the window.",
        )


def _cubic(x: Tensor) -> Tensor:
    return sum((weight * x**power for power, weight in enumerate(_CUBIC)), torch.zeros_like(x))


def _error(model: LinearRegression, x: Tensor, y: Tensor) -> float:
    return float((model(x) - y).square().mean())


def _remarks(train: list[float], test: list[float]) -> tuple[str, ...]:
    best = min(range(len(test)), key=test.__getitem__)
    falls = all(after <= before for before, after in pairwise(train))
    remarks = [
        f"On fresh points the error is lowest at degree {best + 1}: {test[best]:.3g}; on the training points it is "
        f"{train[best]:.3g} there.",
        f"On the training points the error {'falls with each degree' if falls else 'does not fall with each degree'}, "
        f"from {train[0]:.3g} at degree 1 to {train[-1]:.3g} at degree {len(train)}.",
    ]
    if best > 0:
        remarks.append(
            f"Degree 1 is too stiff: on fresh points its error is {test[0] / test[best]:.3g} times the lowest."
        )
    if best < len(test) - 1:
        later = ", ".join(f"{test[at] / test[best]:.3g} at {at + 1}" for at in range(best + 1, len(test)))
        remarks.append(f"Beyond degree {best + 1} the error on fresh points is, in multiples of the lowest: {later}.")
    return tuple(remarks)
