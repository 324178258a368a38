"""Two bodies under gravity: Kepler's orbit, and what stepping makes of its energy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, series
from netsmith.labs.mathematics._motion import Force, State, euler, follow, leapfrog, runge_kutta

__all__ = ["CARD", "TwoBodies", "angular_momentum", "gravity", "orbit_energy", "perihelion"]

CARD = {
    "title": "Two bodies: what stays on Kepler's orbit",
    "paper": "Hairer, Lubich & Wanner 2006, Geometric Numerical Integration, chapter I.2",
    "shows": "orbits, energy and angular momentum under Euler's, leapfrog and Runge-Kutta steps of the same length",
    "quick": {"steps": 50, "periods": 2},
}

G = 4 * math.pi**2  # AU³ / (solar mass · year²)
_WAYS = (("Euler", euler), ("leapfrog", leapfrog), ("Runge-Kutta 4", runge_kutta))
_SHOWN = 240
_Mass = Annotated[float, Field(ge=1e-9, le=1e9)]


def gravity(masses: tuple[float, float]) -> Force:
    """Return the accelerations of two bodies in the plane, in AU / year²; a row holds x, y of one, then the other."""

    def force(place: State, _: State) -> State:
        apart = place[2:] - place[:2]
        pull = G * apart / float(apart @ apart) ** 1.5
        return np.concatenate((masses[1] * pull, -masses[0] * pull))

    return force


def perihelion(masses: tuple[float, float], *, axis: float, eccentricity: float) -> State:
    """Return places (AU) and velocities (AU / year) where both are nearest, their center of mass at rest at 0."""
    total = sum(masses)
    near = axis * (1 - eccentricity)
    speed = math.sqrt(G * total * (1 + eccentricity) / near)
    shares = np.array([-masses[1] / total, masses[0] / total])
    return np.array([np.outer(shares, (near, 0)).ravel(), np.outer(shares, (0, speed)).ravel()])


def orbit_energy(states: NDArray[np.float64], masses: tuple[float, float]) -> NDArray[np.float64]:
    """Return kinetic and potential energy together, in solar mass · AU² / year²: ``(T,)``."""
    place, velocity = states[:, 0], states[:, 1]
    moving = masses[0] * (velocity[:, :2] ** 2).sum(1) / 2 + masses[1] * (velocity[:, 2:] ** 2).sum(1) / 2
    return moving - G * masses[0] * masses[1] / np.linalg.norm(place[:, 2:] - place[:, :2], axis=1)


def angular_momentum(states: NDArray[np.float64], masses: tuple[float, float]) -> NDArray[np.float64]:
    """Return the angular momentum about 0, in solar mass · AU² / year: ``(T,)``."""
    (x, y, a, b), (u, v, c, d) = states[:, 0].T, states[:, 1].T
    return masses[0] * (x * v - y * u) + masses[1] * (a * d - b * c)


class TwoBodies:
    r"""Send two bodies round each other from the point where they are nearest.

    The orbit closes after :math:`T = \sqrt{a^3 / (m_1 + m_2)}` years (Kepler's third law), with energy
    :math:`-G m_1 m_2 / 2a`.
    """

    class Config(LabConfig):
        """The orbit.

        Attributes:
            masses: Of both, in masses of the sun.
            axis: a, half the long axis of the relative orbit, in AU.
            eccentricity: Of the orbit.
            steps: In a period.
            periods: How many are followed.
        """

        masses: tuple[_Mass, _Mass] = (1.0, 0.5)
        axis: float = Field(default=1.0, ge=1e-3, le=1e3)
        eccentricity: float = Field(default=0.5, ge=0, lt=0.95)
        steps: int = Field(default=1000, ge=20, le=10_000)
        periods: int = Field(default=5, ge=1, le=20)

    def __init__(self, config: TwoBodies.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return orbits and what is kept."""
        masses, axis = self.config.masses, self.config.axis
        period = math.sqrt(axis**3 / sum(masses))
        start = perihelion(masses, axis=axis, eccentricity=self.config.eccentricity)
        size = {"step": period / self.config.steps, "steps": self.config.steps * self.config.periods}
        ways = {name: follow(stepper, gravity(masses), start, **size) for name, stepper in _WAYS}
        first = -G * masses[0] * masses[1] / (2 * axis)
        numbers: dict[str, float | tuple[float, ...]] = {"period_years": period, "energy": first}
        changes = {name: orbit_energy(states, masses) / first - 1 for name, states in ways.items()}
        rows, remarks = [], [f"One period is {period:.4g} years, the energy {first:.5g} solar mass AU² / year²."]
        for name, states in ways.items():
            turning = angular_momentum(states, masses)
            spin = float(np.abs(turning / turning[0] - 1).max())
            missed = float(np.linalg.norm(states[self.config.steps, 0] - start[0]))
            change = float(np.abs(changes[name]).max())
            last = float(changes[name][-1])
            numbers |= {f"energy_change/{name}": change, f"momentum_change/{name}": spin, f"missed_au/{name}": missed}
            numbers |= {
                f"energy_at_end/{name}": last,
                f"distance/{name}": floats(_distance(states)[:: self.config.steps]),
            }
            rows.append((name, change, last, spin, missed))
            remarks.append(
                f"{name}: in {self.config.periods} periods of {self.config.steps} steps the energy changes by at most "
                f"a part of {change:.2g} ({abs(last):.2g} at the end), the angular momentum by {spin:.2g}; after one "
                f"period the bodies are {missed:.2g} AU from where they began."
            )
        columns = ("step", "energy, greatest change", "at the end", "angular momentum", "missed after a period (AU)")
        table = Grid("What is kept", columns, tuple(rows), "Changes are parts of the first value.")
        figures = (
            self._orbit("leapfrog", ways["leapfrog"]),
            self._orbit("Euler", ways["Euler"]),
            self._energies(period, changes),
        )
        return Findings(numbers, figures, (table,), tuple(remarks))

    def _orbit(self, name: str, states: NDArray[np.float64]) -> Points:
        thin = np.unique(np.linspace(0, len(states) - 1, 10 * _SHOWN).astype(int))
        names = [f"{mass:g} solar mass{'es' if mass != 1 else ''}" for mass in self.config.masses]
        names = [f"{one} ({at})" for at, one in zip("AB", names, strict=True)]
        lines = tuple(series(one, *states[thin, 0, 2 * at : 2 * at + 2].T) for at, one in enumerate(names))
        title = f"Orbits by {name}, {self.config.steps} steps a period"
        center = (series("center of mass", (0,), (0,)),)
        return Points(f"orbit_{name.lower()}", title, "x (AU)", "y (AU)", center, lines, equal=True)

    def _energies(self, period: float, changes: Mapping[str, NDArray[np.float64]]) -> Lines:
        times = np.arange(len(next(iter(changes.values())))) * period / self.config.steps
        thin = np.unique(np.linspace(1, len(times) - 1, _SHOWN).astype(int))
        lines = tuple(series(name, times[thin], np.maximum(np.abs(ys[thin]), 1e-17)) for name, ys in changes.items())
        return Lines("energy", "Change of energy", "time (years)", "change, as a part of the first", lines, log_y=True)


def _distance(states: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(states[:, 0, 2:] - states[:, 0, :2], axis=1)
