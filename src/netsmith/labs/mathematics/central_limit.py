"""Sums of independent numbers become normal: how fast, against the bound of Berry and Esseen."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Histograms, Lines, Panel
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import series
from netsmith.labs.mathematics._normal import binomial, normal_cdf

__all__ = ["CARD", "CentralLimit", "bernoulli_distance", "exponential_distance", "irwin_hall", "uniform_distance"]

CARD = {
    "title": "The central limit theorem and its speed",
    "paper": "Berry 1941; Esseen 1942; Shevtsova 2011, arXiv:1111.6554 (the constant 0.4748)",
    "shows": "histograms of sums, and their exact distance from the normal distribution by the number of summands",
    "quick": {"sizes": [1, 2, 4], "shown": [1, 4], "draws": 200},
}

_CONSTANT = 0.4748
_PARTS = 16  # places a unit at which uniform sums are compared
_BINS, _WIDE = 40, 4.0
_MOST = 5e7  # numbers that are drawn at once


def irwin_hall(n: int, at: int, parts: int) -> float:
    r"""Return the probability that n uniform numbers sum to at most ``at / parts``, in exact arithmetic.

    .. math:: F(x) = \frac{1}{n!} \sum_{k \le x} (-1)^k \binom nk (x - k)^n
    """
    total = sum((-1) ** k * math.comb(n, k) * (at - k * parts) ** n for k in range(at // parts + 1))
    return float(Fraction(total, parts**n * math.factorial(n)))


def uniform_distance(n: int) -> float:
    """Return the greatest difference from the normal of a sum of n numbers uniform in (0, 1)."""
    half, std = n * _PARTS // 2, math.sqrt(n / 12)
    places = range(max(0, half - round(_WIDE * std * _PARTS)), half + 1)  # the other half is its mirror image
    known = np.array([irwin_hall(n, at, _PARTS) for at in places])
    return float(np.abs(known - normal_cdf((np.array(places) / _PARTS - n / 2) / std)).max())


def exponential_distance(n: int) -> float:
    """Return the same for exponential numbers with mean 1: their sum has Erlang's distribution."""
    z = np.linspace(-_WIDE, _WIDE, 4001)
    x = np.maximum(n + math.sqrt(n) * z, 0)
    k = np.arange(n)[:, None]
    logs = np.array([math.lgamma(at + 1) for at in range(n)])[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(k == 0, 0.0, k * np.log(x)) - logs - x  # (n, Z)
    known = 1 - np.exp(terms).sum(0)
    return float(np.abs(known - normal_cdf(z)).max())


def bernoulli_distance(n: int, p: float) -> float:
    """Return the same for the number of successes in n trials; it is greatest on one side of a jump."""
    known = np.cumsum(binomial(n, p))
    normal = normal_cdf((np.arange(n + 1) - n * p) / math.sqrt(n * p * (1 - p)))
    below = np.concatenate(([0.0], known[:-1]))
    return float(max(np.abs(known - normal).max(), np.abs(below - normal).max()))


class _Summand(NamedTuple):
    key: str
    name: str
    mean: float
    std: float
    third: float  # E|X - mean|^3 / std^3
    distance: Callable[[int], float]
    draw: Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


class CentralLimit:
    r"""Add independent numbers, and compare the standardized sum with the normal distribution.

    .. math:: \sup_x |F_n(x) - \Phi(x)| \le 0.4748 \, \frac{E|X - \mu|^3}{\sigma^3 \sqrt n}

    The distances are exact (closed forms of the sums' distributions); the histograms are drawn.
    """

    class Config(LabConfig):
        """The sums.

        Attributes:
            sizes: Numbers of summands, ascending.
            shown: Numbers of summands that have a histogram.
            p: Of the Bernoulli numbers.
            draws: Sums in a histogram.
            seed: Of the histograms.
        """

        sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
        shown: tuple[int, ...] = (1, 2, 4, 16, 64)
        p: float = Field(default=0.2, ge=0.01, le=0.99)
        draws: int = Field(default=20_000, ge=100, le=1_000_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> CentralLimit.Config:
            if len(self.sizes) < 2 or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
                raise ValueError(f"sizes={self.sizes}: expected at least two, ascending, from 1")
            if not self.shown or min(self.shown) < 1 or max(*self.sizes, *self.shown) > 200:
                raise ValueError(f"sizes={self.sizes}, shown={self.shown}: expected numbers of 1 to 200")
            if self.draws * max(self.shown) > _MOST:
                raise ValueError(f"{self.draws} sums of {max(self.shown)}: expected at most {_MOST:.0e} numbers")
            return self

    def __init__(self, config: CentralLimit.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return distances by number of summands, and histograms."""
        sizes = self.config.sizes
        numbers: dict[str, float | tuple[float, ...]] = {}
        lines, rows, remarks, histograms = [], [], [], []
        for one in self._summands():
            distances = [one.distance(n) for n in sizes]
            bounds = [_CONSTANT * one.third / math.sqrt(n) for n in sizes]
            late = len(sizes) // 2
            slope = float(np.polyfit(np.log(sizes[late - 1 :]), np.log(distances[late - 1 :]), 1)[0])
            used = max(a / b for a, b in zip(distances, bounds, strict=True))
            numbers |= {f"distance/{one.key}": tuple(distances), f"slope/{one.key}": slope}
            numbers |= {f"bound/{one.key}": tuple(bounds), f"bound_used/{one.key}": used}
            lines.append(series(one.name, sizes, distances))
            rows.append((one.name, *distances))
            remarks.append(
                f"{one.name}: the distance from the normal is {distances[0]:.3g} at n = {sizes[0]} and "
                f"{distances[-1]:.3g} at {sizes[-1]}; from n = {sizes[late - 1]} on it goes with n to the {slope:.2f}. "
                f"It is at most {100 * used:.0f} % of the bound of Berry and Esseen."
            )
            histograms.append(self._histogram(one))
            if one.key == "exponential":
                lines.append(series("bound, exponential", sizes, bounds))
        chart = Lines(
            "distance",
            "Distance of a sum from the normal",
            "number of summands",
            "greatest difference of distribution functions",
            tuple(lines),
            log_x=True,
            log_y=True,
        )
        table = Grid("Kolmogorov distance", ("summands", *(f"n = {n}" for n in sizes)), tuple(rows))
        return Findings(numbers, (chart, *histograms), (table,), tuple(remarks))

    def _summands(self) -> tuple[_Summand, ...]:
        p, q = self.config.p, 1 - self.config.p
        bernoulli = ((p**2 + q**2) / math.sqrt(p * q), lambda n: bernoulli_distance(n, p))
        return (
            _Summand(
                "uniform", "uniform", 0.5, math.sqrt(1 / 12), 12**1.5 / 32, uniform_distance, lambda g, s: g.random(s)
            ),
            _Summand(
                "exponential",
                "exponential",
                1.0,
                1.0,
                12 / math.e - 2,
                exponential_distance,
                lambda g, s: g.standard_exponential(s),
            ),
            _Summand(
                "bernoulli", f"Bernoulli({p:g})", p, math.sqrt(p * q), *bernoulli, lambda g, s: (g.random(s) < p) * 1.0
            ),
        )

    def _histogram(self, one: _Summand) -> Histograms:
        panels = []
        for n in self.config.shown:
            generator = np.random.default_rng(key(self.config.seed, one.key, n))
            sums = one.draw(generator, (self.config.draws, n)).sum(1)
            z = (sums - n * one.mean) / (one.std * math.sqrt(n))
            counts, _ = np.histogram(z, bins=_BINS, range=(-_WIDE, _WIDE))
            panels.append(Panel(f"n = {n}", tuple((counts / len(z)).tolist())))
        title = f"Sums of {one.name} numbers"
        caption = f"{self.config.draws:,} sums each."
        return Histograms(f"sums_{one.key}", title, "standardized sum", -_WIDE, _WIDE, tuple(panels), caption)
