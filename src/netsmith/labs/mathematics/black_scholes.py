"""The price of a European option in three ways: closed form, simulation, finite differences."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, series
from netsmith.labs.mathematics._normal import normal_cdf

__all__ = ["CARD", "BlackScholes", "black_scholes", "crank_nicolson", "simulated"]

CARD = {
    "title": "The Black-Scholes price in three ways",
    "paper": "Black & Scholes 1973 (Journal of Political Economy 81); Glasserman 2003, Monte Carlo Methods, chapter 1",
    "shows": "the price of a call by spot price, and the errors of simulation and finite differences",
    "quick": {"paths": 1000, "cells": 64},
}

_WIDE = 6.0  # standard deviations of the log price on each side of the grid


def black_scholes(
    spot: ArrayLike, *, strike: float, rate: float, volatility: float, years: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the prices of a call and a put.

    .. math:: C = S \Phi(d_1) - K e^{-rT} \Phi(d_2), \qquad
        d_{1,2} = \frac{\ln(S/K) + (r \pm \sigma^2/2) T}{\sigma \sqrt T}
    """
    s, spread = np.asarray(spot, dtype=np.float64), volatility * math.sqrt(years)
    above = (np.log(s / strike) + (rate + volatility**2 / 2) * years) / spread
    below, paid = above - spread, strike * math.exp(-rate * years)
    call = s * normal_cdf(above) - paid * normal_cdf(below)
    return call, paid * normal_cdf(-below) - s * normal_cdf(-above)


def simulated(
    spot: float, *, strike: float, rate: float, volatility: float, years: float, paths: int, seed: int
) -> tuple[float, float]:
    """Return the mean discounted payoff of a call over random prices at its end, and its standard error."""
    noise = np.random.default_rng(seed).normal(size=paths)
    last = spot * np.exp((rate - volatility**2 / 2) * years + volatility * math.sqrt(years) * noise)
    paid = math.exp(-rate * years) * np.maximum(last - strike, 0)
    return float(paid.mean()), float(paid.std(ddof=1) / math.sqrt(paths))


def crank_nicolson(spot: float, *, strike: float, rate: float, volatility: float, years: float, cells: int) -> float:
    r"""Return a call's price by finite differences in the logarithm of the price, half implicit in time.

    .. math:: V_\tau = \tfrac12 \sigma^2 V_{xx} + (r - \tfrac12 \sigma^2) V_x - r V, \qquad x = \ln S

    Args:
        spot: The price today.
        strike: The price at which the call buys.
        rate: Of interest, per year.
        volatility: Per square root of a year.
        years: Until then.
        cells: Of the grid, even: the spot price lies in its middle. There are as many steps in time.
    """
    reach = _WIDE * volatility * math.sqrt(years) + abs(rate) * years
    x = math.log(spot) + np.linspace(-reach, reach, cells + 1)
    width, step = x[1] - x[0], years / cells
    value = np.maximum(np.exp(x) - strike, 0)
    middle = -(volatility**2) / width**2 - rate
    drift = (rate - volatility**2 / 2) / (2 * width)
    side = volatility**2 / (2 * width**2)
    inner = (
        middle * np.eye(cells - 1) + (side + drift) * np.eye(cells - 1, k=1) + (side - drift) * np.eye(cells - 1, k=-1)
    )
    forth, back = np.eye(cells - 1) + step / 2 * inner, np.eye(cells - 1) - step / 2 * inner
    once, edge = np.linalg.solve(back, forth), np.linalg.solve(back, np.eye(cells - 1)[:, -1])
    for at in range(cells):
        top = [math.exp(x[-1]) - strike * math.exp(-rate * step * now) for now in (at, at + 1)]
        value[1:-1] = once @ value[1:-1] + edge * step / 2 * (side + drift) * sum(top)
        value[-1] = top[1]
    return float(value[cells // 2])


class BlackScholes:
    """Price a European call, check put-call parity, and measure what approximations miss."""

    class Config(LabConfig):
        """The option.

        Attributes:
            spot: S, the price today.
            strike: K, the price at which the option buys or sells.
            rate: r, of interest, per year.
            volatility: sigma, per square root of a year.
            years: T, until the option ends.
            paths: Of the largest simulation.
            cells: Of the finest grid; each before it has half as many.
            seed: Of the simulations.
        """

        spot: float = Field(default=100.0, gt=0)
        strike: float = Field(default=100.0, gt=0)
        rate: float = Field(default=0.05, ge=-0.5, le=0.5)
        volatility: float = Field(default=0.2, ge=0.01, le=2)
        years: float = Field(default=1.0, gt=0, le=10)
        paths: int = Field(default=1_000_000, ge=1000, le=10_000_000)
        cells: int = Field(default=480, ge=64, le=1000, multiple_of=32)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: BlackScholes.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return prices and errors."""
        spot, terms = self.config.spot, self._terms()
        call, put = (float(one) for one in black_scholes(spot, **terms))
        owed = spot - self.config.strike * math.exp(-self.config.rate * self.config.years)
        counts = [int(n) for n in np.geomspace(100, self.config.paths, 9)]
        runs = [simulated(spot, **terms, paths=n, seed=key(self.config.seed, "paths", n)) for n in counts]
        misses, spreads = [abs(price - call) for price, _ in runs], [spread for _, spread in runs]
        cells = [self.config.cells >> by for by in (4, 3, 2, 1, 0)]
        stepped = [crank_nicolson(spot, **terms, cells=n) for n in cells]
        differences = [abs(price - call) for price in stepped]
        parity = abs(call - put - owed)
        numbers: dict[str, float | tuple[float, ...]] = {"call": call, "put": put, "parity_apart": parity}
        numbers |= {"paths": floats(counts), "simulation_error": floats(misses), "standard_error": floats(spreads)}
        numbers |= {"cells": floats(cells), "difference_error": floats(differences)}
        inside = sum(miss < 2 * spread for miss, spread in zip(misses, spreads, strict=True))
        remarks = (
            f"The call costs {call:.4f}, the put {put:.4f}; call less put is the price less the discounted strike up "
            f"to {parity:.2g}.",
            f"{counts[-1]:,} simulated prices give {runs[-1][0]:.4f}, standard error {spreads[-1]:.2g}; {inside} of "
            f"{len(runs)} simulations lie within two standard errors.",
            f"Finite differences err by {differences[0]:.2g} with {cells[0]} cells and {differences[-1]:.2g} with "
            f"{cells[-1]}.",
        )
        rows = tuple(
            (f"simulation, {n:,} paths", f"{p:.4f}", m, s) for n, (p, s), m in zip(counts, runs, misses, strict=True)
        )
        rows += tuple(
            (f"differences, {n} cells", f"{p:.4f}", m, None)
            for n, p, m in zip(cells, stepped, differences, strict=True)
        )
        table = Grid("Ways to the call's price", ("way", "price", "error", "standard error"), rows)
        return Findings(numbers, self._charts(counts, misses, spreads, cells, differences), (table,), remarks)

    def _terms(self) -> dict[str, float]:
        """Return what all three ways are told, but for the spot price."""
        names = ("strike", "rate", "volatility", "years")
        return {name: getattr(self.config, name) for name in names}

    def _charts(
        self, counts: list[int], misses: list[float], spreads: list[float], cells: list[int], differences: list[float]
    ) -> tuple[Lines, ...]:
        spots = np.linspace(0.5, 1.5, 101) * self.config.strike
        terms = self._terms()
        times = (self.config.years, self.config.years / 4)
        lines = [series(f"T = {t:g} years", spots, black_scholes(spots, **{**terms, "years": t})[0]) for t in times]
        lines.append(series("at the end", spots, np.maximum(spots - self.config.strike, 0)))
        root = spreads[0] * np.sqrt(counts[0] / np.array(counts))
        simulation = (("error", misses), ("standard error", spreads), ("1 / sqrt(paths)", root))
        logs = {"log_x": True, "log_y": True}
        return (
            Lines("price", "Price of the call", "price of the share", "price of the call", tuple(lines)),
            Lines(
                "simulation",
                "Simulation",
                "paths",
                "error of the price",
                tuple(series(name, counts, np.maximum(ys, 1e-9)) for name, ys in simulation),
                **logs,
            ),
            Lines(
                "differences",
                "Finite differences",
                "cells and steps",
                "error of the price",
                (series("Finite differences", cells, np.maximum(differences, 1e-12)),),
                **logs,
            ),
        )
