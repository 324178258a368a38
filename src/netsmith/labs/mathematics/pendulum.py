"""A pendulum with friction: its phase portrait, and what three ways of stepping make of its angle and energy."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, series
from netsmith.labs.mathematics._motion import STEPPERS, Force, State, Stepper, follow, runge_kutta

__all__ = ["CARD", "Pendulum", "energy", "pendulum_force"]

CARD = {
    "title": "A pendulum in phase space",
    "paper": "Hairer, Lubich & Wanner 2006, Geometric Numerical Integration, chapter I",
    "shows": "the phase portrait of a damped pendulum, and angle and energy under three ways of stepping",
    "quick": {"seconds": 1.0},
}

_PORTRAIT = ((math.pi / 3, 0.0), (2.0, 0.0), (3.1, 0.0), (-3.1, 2.5))
_SHOWN = 240


def pendulum_force(*, length: float, gravity: float, friction: float) -> Force:
    r"""Return the angular acceleration :math:`-\mu \dot\theta - (g / L) \sin\theta`, in rad/s²."""

    def force(angle: State, speed: State) -> State:
        return -friction * speed - gravity / length * np.sin(angle)

    return force


def energy(states: NDArray[np.float64], *, length: float, gravity: float) -> NDArray[np.float64]:
    r"""Return the energy per mass, :math:`\frac12 L^2 \dot\theta^2 + g L (1 - \cos\theta)`, in J/kg: ``(T, n)``."""
    angle, speed = states[:, 0], states[:, 1]
    raised = 2 * np.sin(angle / 2) ** 2  # 1 - cos, which would cancel at a small angle
    return 0.5 * (length * speed) ** 2 + gravity * length * raised


class Pendulum:
    r"""Let a pendulum go, and follow it by Euler's steps and by better ones.

    .. math:: \ddot\theta = -\mu \dot\theta - \frac{g}{L} \sin\theta

    The truth is Runge-Kutta of order 4 at a tenth of the step, checked against a fifth of it. Energies are compared
    without friction, where they should stay.
    """

    class Config(LabConfig):
        """The pendulum.

        Attributes:
            length: L, in m.
            gravity: g, in m/s².
            friction: mu, in 1/s.
            angle: Where it is let go, in rad.
            step: In s.
            seconds: How long it is followed.
        """

        length: float = Field(default=2.0, ge=0.01)
        gravity: float = Field(default=9.8, gt=0, le=1000)
        friction: float = Field(default=0.1, ge=0, le=10)
        angle: float = Field(default=math.pi / 3, ge=0.001, lt=math.pi)
        step: float = Field(default=0.01, ge=0.001, le=0.1)
        seconds: float = Field(default=10.0, ge=1, le=20)

    def __init__(self, config: Pendulum.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return portraits, angles and energies."""
        step, steps = self.config.step, round(self.config.seconds / self.config.step)
        truth = self._follow(runge_kutta, fine=10)
        sure = float(np.abs(truth - self._follow(runge_kutta, fine=5))[:, 0].max())
        ways = {name: self._follow(stepper) for name, stepper in STEPPERS}
        energies = {name: self._energy(stepper) for name, stepper in STEPPERS}
        times = np.arange(steps + 1) * step
        looks = [second for second in (1.0, 5.0, 10.0, self.config.seconds) if second <= self.config.seconds]
        marks = sorted({round(second / step) for second in looks})
        numbers: dict[str, float | tuple[float, ...]] = {"seconds": floats(times[marks]), "truth_error": sure}
        numbers["angle/true"] = floats(truth[marks, 0, 0])
        remarks = [
            f"Halving the step of the truth changes its angle by at most {sure:.2g} rad.",
        ]
        for name, states in ways.items():
            error = float(np.abs(states - truth)[:, 0].max())
            drift = float(energies[name][-1] / energies[name][0] - 1)
            change = f"{100 * abs(drift):.2g} % {'above' if drift > 0 else 'below'}"
            numbers |= {f"angle/{name}": floats(states[marks, 0, 0]), f"angle_error/{name}": error}
            numbers |= {f"energy_drift/{name}": drift}
            remarks.append(
                f"{name}, step {step:g} s: the angle errs by at most {error:.2g} rad in {self.config.seconds:g} s; "
                f"without friction the energy at the end is {change} the first."
            )
        rows = tuple(
            (f"{times[at]:g}", *(f"{states[at, 0, 0]:.7f}" for states in (truth, *ways.values()))) for at in marks
        )
        table = Grid("Angle (rad)", ("time (s)", "true", *ways), rows)
        return Findings(
            numbers, (self._portrait(), *self._charts(times, truth, ways, energies)), (table,), tuple(remarks)
        )

    def _follow(self, stepper: Stepper, *, fine: int = 1, friction: float | None = None) -> NDArray[np.float64]:
        mu = self.config.friction if friction is None else friction
        force = pendulum_force(length=self.config.length, gravity=self.config.gravity, friction=mu)
        steps = round(self.config.seconds / self.config.step) * fine
        start = [[self.config.angle], [0.0]]
        return follow(stepper, force, start, step=self.config.step / fine, steps=steps)[::fine]

    def _energy(self, stepper: Stepper) -> NDArray[np.float64]:
        states = self._follow(stepper, friction=0.0)
        return energy(states, length=self.config.length, gravity=self.config.gravity)[:, 0]

    def _portrait(self) -> Points:
        """Return orbits from several starts, with friction."""
        force = pendulum_force(length=self.config.length, gravity=self.config.gravity, friction=self.config.friction)
        start = np.array(_PORTRAIT).T
        states = follow(runge_kutta, force, start, step=0.02, steps=round(self.config.seconds / 0.02))
        names = [f"from {angle:.3g} rad, {speed:g} rad/s" for angle, speed in _PORTRAIT]
        lines = tuple(series(name, states[:, 0, at], states[:, 1, at]) for at, name in enumerate(names))
        starts = (series("start", *start),)
        title = f"Phase portrait, friction {self.config.friction:g} / s"
        caption = f"{self.config.seconds:g} s from each start."
        return Points("portrait", title, "angle (rad)", "angular velocity (rad/s)", starts, lines, caption=caption)

    def _charts(
        self,
        times: NDArray[np.float64],
        truth: NDArray[np.float64],
        ways: Mapping[str, NDArray[np.float64]],
        energies: Mapping[str, NDArray[np.float64]],
    ) -> tuple[Lines, Lines]:
        thin = np.unique(np.linspace(0, len(times) - 1, _SHOWN).astype(int))
        angles = [("true", truth[:, 0, 0]), ("Euler", ways["Euler"][:, 0, 0])]
        drifts = [(name, 100 * (one / one[0] - 1)) for name, one in energies.items()]
        seconds = "time (s)"
        return (
            Lines(
                "angle",
                f"Angle, step {self.config.step:g} s",
                seconds,
                "angle (rad)",
                tuple(series(name, times[thin], ys[thin]) for name, ys in angles),
            ),
            Lines(
                "energy",
                "Energy without friction",
                seconds,
                "change of energy (%)",
                tuple(series(name, times[thin], ys[thin]) for name, ys in drifts),
            ),
        )
