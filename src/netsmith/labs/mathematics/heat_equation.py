"""The heat equation by the explicit scheme: where it is right, and where it explodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import series

__all__ = ["CARD", "HeatEquation", "exact_heat", "explicit_heat", "growth"]

CARD = {
    "title": "The heat equation and its largest step",
    "paper": "Courant, Friedrichs & Lewy 1928; Richtmyer & Morton 1967, Difference Methods, chapter 1",
    "shows": "a hot spot in a rod against Fourier's solution, and the explicit scheme on both sides of r = 1/2",
    "quick": {"cells": 10, "steps": 20},
}


_MOST = 2e7  # temperatures that are kept


def explicit_heat(start: NDArray[np.float64], ratio: float, steps: int) -> NDArray[np.float64]:
    r"""Return the temperatures at every step ``(steps + 1, N + 1)``; both ends stay at 0.

    .. math:: u_j \leftarrow u_j + r (u_{j-1} - 2 u_j + u_{j+1}), \qquad r = \alpha \Delta t / \Delta x^2
    """
    states = np.empty((steps + 1, len(start)))
    states[0] = start
    for before, after in pairwise(states):
        after[0] = after[-1] = 0
        after[1:-1] = before[1:-1] + ratio * (before[:-2] - 2 * before[1:-1] + before[2:])
    return states


def exact_heat(amplitudes: NDArray[np.float64], x: NDArray[np.float64], time: float, *, rate: float) -> NDArray:
    r"""Return Fourier's solution on a rod of length 1: :math:`\sum_k b_k e^{-\alpha (k\pi)^2 t} \sin k \pi x`."""
    k = np.arange(1, len(amplitudes) + 1)
    return (amplitudes * np.exp(-rate * (k * math.pi) ** 2 * time) * np.sin(math.pi * np.multiply.outer(x, k))).sum(-1)


def growth(ratio: float, cells: int) -> float:
    r"""Return the largest factor of a step, :math:`\max_k |1 - 4 r \sin^2 (k \pi / 2N)|`."""
    k = np.arange(1, cells)
    return float(np.abs(1 - 4 * ratio * np.sin(k * math.pi / (2 * cells)) ** 2).max())


class HeatEquation:
    r"""Let a rod of 1 m cool whose middle was hot, its ends held at 0.

    .. math:: \frac{\partial u}{\partial t} = \alpha \frac{\partial^2 u}{\partial x^2}
    """

    class Config(LabConfig):
        """The rod and the scheme.

        Attributes:
            rate: alpha, in m²/s (1.1e-4 is copper's).
            cells: N, parts of the rod.
            ratio: r of the run that is compared with the exact solution.
            ratios: Of the runs whose largest temperature is followed.
            seconds: How long the rod cools in the run that is compared.
            steps: Of the runs whose largest temperature is followed.
        """

        rate: float = Field(default=1.1e-4, gt=0)
        cells: int = Field(default=40, ge=4, le=400)
        ratio: float = Field(default=0.4, gt=0, le=0.5)
        ratios: tuple[float, ...] = (0.25, 0.5, 0.51, 0.515)
        seconds: float = Field(default=400.0, gt=0)
        steps: int = Field(default=600, ge=10, le=1000)

        @model_validator(mode="after")
        def _check(self) -> HeatEquation.Config:
            if not self.ratios or not all(0 < one <= 0.6 for one in self.ratios):
                raise ValueError(f"ratios={self.ratios}: expected some above 0, up to 0.6")
            steps = self.seconds * self.rate * (2 * self.cells) ** 2 / self.ratio
            if steps * 2 * self.cells > _MOST:
                raise ValueError(f"{steps:.3g} steps of {2 * self.cells} cells; expected at most {_MOST:.0e} numbers")
            return self

    def __init__(self, config: HeatEquation.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return profiles, errors and what grows."""
        cells = self.config.cells
        x = np.linspace(0, 1, cells + 1)
        amplitudes = self._amplitudes()
        errors = {n: self._error(n, amplitudes) for n in (cells // 2, cells, 2 * cells)}
        coarse, fine = errors[cells // 2], errors[2 * cells]
        order = math.log(coarse / fine) / math.log(2 * cells / (cells // 2))
        peaks = {ratio: self._peaks(ratio) for ratio in self.config.ratios}
        numbers: dict[str, float | tuple[float, ...]] = {f"error/{n}": error for n, error in errors.items()}
        numbers |= {"order": order} | {f"growth/{ratio:g}": growth(ratio, cells) for ratio in peaks}
        numbers |= {f"largest/{ratio:g}": float(ys[-1]) for ratio, ys in peaks.items()}
        remarks = [
            f"r = {self.config.ratio:g}, {cells} cells: after {self.config.seconds:g} s the temperature errs by at "
            f"most {errors[cells]:.2g} °C; from {cells // 2} to {2 * cells} cells the error falls from {coarse:.2g} to "
            f"{fine:.2g} °C, with the cell's length to the {order:.3g}."
        ]
        for ratio, ys in peaks.items():
            most = growth(ratio, cells)
            far = f"{ys[-1]:.3g} °C after {len(ys) - 1} steps, {ys[0]:.3g} °C before them"
            remarks.append(f"r = {ratio:g}: the largest factor of a step is {most:.6g}; the hottest place has {far}.")
        rows = tuple((ratio, growth(ratio, cells), len(ys) - 1, float(ys[-1])) for ratio, ys in peaks.items())
        table = Grid("Both sides of 1/2", ("r", "largest factor of a step", "steps", "largest |u| at last (°C)"), rows)
        return Findings(numbers, (self._profiles(x, amplitudes), _chart(peaks)), (table,), tuple(remarks))

    def _start(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """100 °C in the middle, a smooth hill."""
        return 100 * np.sin(math.pi * x) ** 8

    def _amplitudes(self) -> NDArray[np.float64]:
        """Return the sine series of the start: a sum over a grid that is finer than any of its parts."""
        x = np.arange(1, 2048) / 2048
        k = np.arange(1, 64)
        return 2 / 2048 * np.sin(math.pi * np.outer(k, x)) @ self._start(x)

    def _run(self, cells: int) -> tuple[NDArray[np.float64], float]:
        """Return the run that is compared, and the length of its step."""
        steps = math.ceil(self.config.seconds * self.config.rate * cells**2 / self.config.ratio)
        step = self.config.seconds / steps
        start = self._start(np.linspace(0, 1, cells + 1))
        return explicit_heat(start, self.config.rate * step * cells**2, steps), step

    def _error(self, cells: int, amplitudes: NDArray[np.float64]) -> float:
        states, _ = self._run(cells)
        truth = exact_heat(amplitudes, np.linspace(0, 1, cells + 1), self.config.seconds, rate=self.config.rate)
        return float(np.abs(states[-1] - truth).max())

    def _peaks(self, ratio: float) -> NDArray[np.float64]:
        """Return the largest temperature by step of a run with one rough place, so that every sine has a part."""
        start = self._start(np.linspace(0, 1, self.config.cells + 1))
        start[self.config.cells // 3] += 1e-6
        return np.abs(explicit_heat(start, ratio, self.config.steps)).max(1)

    def _profiles(self, x: NDArray[np.float64], amplitudes: NDArray[np.float64]) -> Lines:
        states, step = self._run(self.config.cells)
        looks = [round(part * (len(states) - 1)) for part in (0, 0.25, 1)]
        lines = [series(f"{at * step:.4g} s", x, states[at]) for at in looks]
        truth = exact_heat(amplitudes, x, looks[-1] * step, rate=self.config.rate)
        lines.append(series(f"{looks[-1] * step:.4g} s, exact", x, truth))
        title = f"A rod cools, r = {self.config.ratio:g}"
        return Lines("profiles", title, "place (m)", "temperature (°C)", tuple(lines))


def _chart(peaks: Mapping[float, NDArray[np.float64]]) -> Lines:
    shown = []
    for ratio, ys in peaks.items():
        thin = np.unique(np.linspace(0, len(ys) - 1, 240).astype(int))
        shown.append(series(f"r = {ratio:g}", thin, ys[thin]))
    caption = "At the start one place is 0.000001 °C too warm."
    title, labels = "Both sides of r = 1/2", ("step", "largest |temperature| (°C)")
    return Lines("stability", title, *labels, tuple(shown), log_y=True, caption=caption)
