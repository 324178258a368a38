"""The normal distribution: its integral, and the binomial distribution on its way to it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, series
from netsmith.labs.mathematics._normal import binomial, normal_cdf, normal_density

__all__ = ["CARD", "Distributions", "binomial_distance", "gaussian_integral", "polar_integral"]

CARD = {
    "title": "The Gaussian integral, and the binomial on its way to the normal",
    "paper": "de Moivre 1733; Feller 1968, An Introduction to Probability Theory, volume 1, chapter VII",
    "shows": "the bell curve's area in two ways, and the distance of the binomial from the normal by its size",
    "quick": {"sizes": [1, 5, 20]},
}

_REACH = 10.0  # e^-100 is beyond double precision next to 1


def gaussian_integral(step: float) -> float:
    r"""Return :math:`\int e^{-x^2} dx` by a sum over places ``step`` apart (the trapezoid rule).

    Its error is :math:`2 \sqrt\pi e^{-\pi^2 / h^2}` and less than that to come: it falls faster than any power of h.
    """
    x = np.arange(-math.floor(_REACH / step), math.floor(_REACH / step) + 1) * step
    return float(step * np.exp(-(x**2)).sum())


def polar_integral(nodes: int) -> float:
    r"""Return the integral's square as one over rings, :math:`\int_0^\infty 2 \pi r e^{-r^2} dr`, by quadrature."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    r = (places + 1) * _REACH / 2
    return float((weights * 2 * math.pi * r * np.exp(-(r**2))).sum() * _REACH / 2)


def binomial_distance(n: int, p: float, *, correction: float) -> float:
    """Return the greatest difference of distribution functions, at the whole numbers the binomial has."""
    k = np.arange(n + 1)
    z = (k + correction - n * p) / math.sqrt(n * p * (1 - p))
    return float(np.abs(np.cumsum(binomial(n, p)) - normal_cdf(z)).max())


class Distributions:
    r"""Measure the area under the bell, and how near the binomial comes to it.

    .. math:: \int_{-\infty}^\infty e^{-x^2} dx = \sqrt\pi, \qquad \binom nk p^k q^{n-k} \approx
        \frac{1}{\sqrt{2 \pi n p q}} e^{-(k - np)^2 / 2npq}
    """

    class Config(LabConfig):
        """What is measured.

        Attributes:
            p: The probability of a success.
            sizes: n of the binomial distributions, ascending.
            shown: The n whose probabilities are drawn.
        """

        p: float = Field(default=0.3, ge=0.01, le=0.99)
        sizes: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
        shown: int = Field(default=40, ge=1, le=1000)

        @model_validator(mode="after")
        def _check(self) -> Distributions.Config:
            if len(self.sizes) < 2 or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
                raise ValueError(f"sizes={self.sizes}: expected at least two, ascending, from 1")
            if self.sizes[-1] > 100_000:
                raise ValueError(f"sizes={self.sizes}: expected at most 100,000")
            return self

    def __init__(self, config: Distributions.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return areas, distances and shares."""
        p, sizes = self.config.p, self.config.sizes
        steps = np.arange(2.0, 0.29, -0.05)
        areas = [gaussian_integral(step) for step in steps]
        errors = np.abs(np.array(areas) - math.sqrt(math.pi))
        polar = polar_integral(80)
        plain, corrected = ([binomial_distance(n, p, correction=by) for n in sizes] for by in (0.0, 0.5))
        slope = float(np.polyfit(np.log(sizes), np.log(plain), 1)[0])
        within = [float(normal_cdf(k) - normal_cdf(-k)) for k in (1, 2, 3)]
        numbers: dict[str, float | tuple[float, ...]] = {"integral": areas[-1], "polar_integral": polar}
        numbers |= {"steps": floats(steps), "integral_error": floats(errors), "polar_error": abs(polar - math.pi)}
        numbers |= {"distance": tuple(plain), "distance_corrected": tuple(corrected), "slope": slope}
        numbers["within"] = tuple(within)
        remarks = (
            f"The sum with step {steps[-1]:.2g} gives {areas[-1]:.15g}, sqrt(pi) is {math.sqrt(math.pi):.15g}; with "
            f"step {steps[0]:.2g} it misses by {errors[0]:.2g}.",
            f"Over rings the square of the integral is {polar:.15g}, {abs(polar - math.pi):.2g} from pi.",
            f"Within 1, 2 and 3 standard deviations lie {', '.join(f'{100 * one:.2f}' for one in within)} % of the "
            "normal distribution.",
            f"Binomial, p = {p:g}: the greatest difference from the normal is {plain[0]:.3g} at n = {sizes[0]} and "
            f"{plain[-1]:.3g} at {sizes[-1]:,} (with half a step of correction {corrected[-1]:.2g}); it goes with n to "
            f"the {slope:.2f}.",
        )
        rows = tuple(zip(sizes, plain, corrected, strict=True))
        columns = ("n", "greatest difference", "with correction by 1/2")
        table = Grid(f"Binomial against normal, p = {p:g}", columns, rows)
        return Findings(numbers, (self._bell(), *self._errors(steps, errors, plain, corrected)), (table,), remarks)

    def _bell(self) -> Points:
        n, p = self.config.shown, self.config.p
        chances = binomial(n, p)
        k = np.arange(n + 1)[chances > 1e-6]
        x = np.linspace(k[0], k[-1], 200)
        density = normal_density(x, n * p, math.sqrt(n * p * (1 - p)))
        title = f"Binomial, n = {n}, p = {p:g}"
        groups = (series("binomial", k, chances[k]),)
        return Points("bell", title, "successes", "probability", groups, (series("normal density", x, density),))

    def _errors(
        self, steps: ArrayLike, errors: NDArray[np.float64], plain: list[float], corrected: list[float]
    ) -> tuple[Lines, Lines]:
        small = np.asarray(steps)[::-1]
        known = 2 * math.sqrt(math.pi) * np.exp(-((math.pi / small) ** 2))
        area = (("measured", errors[::-1]), ("2 √π exp(-π²/h²)", known))
        away = (("as it is", plain), ("corrected by 1/2", corrected))
        caption = "An error of 0 is drawn at 1e-17."
        title, of = "Gaussian integral by a sum", "Binomial against normal"
        return (
            Lines(
                "integral",
                title,
                "step h",
                "error of the area",
                tuple(series(name, small, np.maximum(ys, 1e-17)) for name, ys in area),
                log_y=True,
                caption=caption,
            ),
            Lines(
                "distance",
                of,
                "n",
                "greatest difference of distribution functions",
                tuple(series(name, self.config.sizes, ys) for name, ys in away),
                log_x=True,
                log_y=True,
            ),
        )
