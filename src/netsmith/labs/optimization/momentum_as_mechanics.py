"""Momentum as a damped mechanical system, stepped through time in two ways."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Number, Points, Series
from netsmith.core.roles import LabConfig
from netsmith.labs.optimization._surfaces import Plane, Walk, walk
from netsmith.optim.momentum import Momentum

__all__ = ["CARD", "MomentumAsMechanics", "euler", "exact"]

CARD = {
    "title": "Momentum as mechanics",
    "paper": "Polyak 1964; Qian 1999, Neural Networks 12:145",
    "shows": "gradient descent with momentum as Euler's steps of a mass on a damped spring, against the exact motion",
    "quick": {"time": 2.0},
}

_HALVINGS = 5
_NAMES = {"explicit": "explicit Euler", "semi": "semi-implicit Euler"}


class MomentumAsMechanics:
    r"""Let a unit mass slide down :math:`f` with friction: :math:`\ddot{p} = -\nabla f(p) - \gamma \dot{p}`.

    Steps of length h that renew the velocity first and move with the new one (semi-implicit Euler) are momentum:

    .. math:: v \leftarrow (1 - \gamma h) v - h^2 \nabla f(p), \quad p \leftarrow p + v
              \qquad (\mu = 1 - \gamma h,\ \eta = h^2)

    with :math:`v` the way of one step. Explicit Euler moves with the old velocity. The function is
    :math:`f = (k_1 x^2 + k_2 y^2) / 2`, for which the motion is known exactly.
    """

    class Config(LabConfig):
        """The springs, the friction, the steps.

        Attributes:
            stiffness: k of x and of y.
            friction: gamma, above 0 and below ``1 / step``.
            step: h, in time.
            time: Length of the motion, from (1, 1) at rest.
        """

        stiffness: tuple[float, float] = (1.0, 0.25)
        friction: float = Field(default=0.1, gt=0)
        step: float = Field(default=0.2, gt=0)
        time: float = Field(default=20.0, gt=0)

        @model_validator(mode="after")
        def _check(self) -> MomentumAsMechanics.Config:
            if min(self.stiffness) <= 0 or self.friction * self.step >= 1 or self.time < 2 * self.step:
                raise ValueError(
                    f"stiffness={self.stiffness}, friction={self.friction}, step={self.step}, time={self.time}: "
                    "expected a stiffness above 0, friction * step below 1 (momentum is 1 less that), and at least two "
                    "steps"
                )
            limit = 2 / math.sqrt(max(self.stiffness))
            if self.step >= limit:
                raise ValueError(
                    f"step={self.step}: semi-implicit steps diverge from {limit:.3g} on at stiffness={self.stiffness}; "
                    "take a smaller step"
                )
            return self

    def __init__(self, config: MomentumAsMechanics.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return motions, energies, errors by step length, and what they show."""
        config = self.config
        count = round(config.time / config.step)
        times = torch.arange(count + 1, dtype=torch.float64) * config.step
        true = exact(config.stiffness, config.friction, times)
        steps = {name: self._euler(config.step, count, semi=name == "semi") for name in _NAMES}
        way = self._optimizer(count)
        places = torch.tensor([way.xs, way.ys], dtype=torch.float64).T
        apart = float((places - steps["semi"][: len(places), 0]).abs().max())
        errors: dict[str, list[float]] = {name: [] for name in _NAMES}
        lengths = [config.step / 2**halving for halving in range(_HALVINGS)]
        for halving, length in enumerate(lengths):
            for name in _NAMES:
                found = self._euler(length, count * 2**halving, semi=name == "semi")[:: 2**halving]
                errors[name].append(float((found[:, 0] - true[:, 0]).norm(dim=1).max()))
        orders = {name: math.log2(found[-2] / found[-1]) for name, found in errors.items()}
        energies = {"exact": self._energy(true)} | {name: self._energy(found) for name, found in steps.items()}
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "momentum": 1 - config.friction * config.step,
            "rate": config.step**2,
            "optimizer_apart": apart,
        }
        for name in _NAMES:
            numbers |= {f"error/{name}": tuple(errors[name]), f"order/{name}": orders[name]}
        numbers |= {f"energy/{name}": float(found[-1] / found[0]) for name, found in energies.items()}
        table = Grid(
            "Largest distance from the exact motion",
            ("step h", *_NAMES.values()),
            tuple((length, *(errors[name][at] for name in _NAMES)) for at, length in enumerate(lengths)),
            f"At times that are multiples of {config.step:g}, up to {config.time:g}.",
        )
        return Findings(numbers, self._figures(times, true, steps, energies), (table,), self._remarks(numbers))

    def _euler(self, step: float, count: int, *, semi: bool) -> Tensor:
        return euler(self.config.stiffness, self.config.friction, step=step, count=count, semi=semi)

    def _optimizer(self, count: int) -> Walk:
        config = self.config
        a, b = config.stiffness

        def value(x: Tensor, y: Tensor) -> Tensor:
            return (a * x**2 + b * y**2) / 2

        plane = Plane("springs", "", value, ((0.0, 0.0),), (1.0, 1.0), (-1.0, 1.0, -1.0, 1.0))
        optimizer = Momentum.Config(lr=config.step**2, momentum=1 - config.friction * config.step)
        return walk(plane, optimizer, count)

    def _energy(self, states: Tensor) -> Tensor:
        """Return kinetic and potential energy of ``(T, 2, 2)`` states."""
        springs = torch.tensor(self.config.stiffness, dtype=torch.float64)
        return (states[:, 1].square() + springs * states[:, 0].square()).sum(1) / 2

    def _figures(
        self, times: Tensor, true: Tensor, steps: Mapping[str, Tensor], energies: Mapping[str, Tensor]
    ) -> tuple[Lines | Points, ...]:
        ways = {"exact": true} | {_NAMES[name]: found for name, found in steps.items()}
        at = tuple(times.tolist())
        motion = Lines(
            "motion",
            "Place x by time",
            "time",
            "x",
            tuple(Series(name, at, tuple(found[:, 0, 0].tolist())) for name, found in ways.items()),
            caption=f"Steps of {self.config.step:g}; stiffness {self.config.stiffness[0]:g}, friction "
            f"{self.config.friction:g}.",
        )
        phase = Points(
            "phase",
            "Place and velocity",
            "x",
            "velocity of x",
            (),
            tuple(
                Series(name, tuple(found[:, 0, 0].tolist()), tuple(found[:, 1, 0].tolist()))
                for name, found in ways.items()
            ),
            equal=True,
        )
        energy = Lines(
            "energy",
            "Energy by time",
            "time",
            "kinetic and potential energy",
            tuple(Series(_NAMES.get(name, name), at, tuple(found.tolist())) for name, found in energies.items()),
            log_y=True,
        )
        return motion, phase, energy

    def _remarks(self, numbers: Mapping[str, Number | tuple[Number, ...]]) -> tuple[str, ...]:
        told = [
            f"The optimizer momentum at rate {numbers['rate']:.3g} (h²) with momentum {numbers['momentum']:.3g} (1 - "
            f"friction h) is at most {numbers['optimizer_apart']:.2g} away from the semi-implicit steps, all the way.",
        ]
        for name, title in _NAMES.items():
            first, last = numbers[f"error/{name}"][0], numbers[f"error/{name}"][-1]
            told.append(
                f"{title[0].upper()}{title[1:]}: at most {first:.2g} away from the exact motion with h = "
                f"{self.config.step:g} and {last:.2g} with a step {2 ** (_HALVINGS - 1)} times as short; the last "
                f"halving divides it by {2 ** numbers[f'order/{name}']:.3g}."
            )
        parts = [f"{numbers[f'energy/{name}']:.3g} ({title})" for name, title in ({"exact": "exact"} | _NAMES).items()]
        told.append(f"Share of the first energy that is left at the end: {', '.join(parts)}.")
        return tuple(told)


def exact(stiffness: tuple[float, ...], friction: float, times: Tensor) -> Tensor:
    r"""Return places and velocities of damped springs that start at 1 at rest.

    .. math:: (p, \dot{p})(t) = e^{A t} (1, 0), \qquad A = \begin{pmatrix} 0 & 1 \\ -k & -\gamma \end{pmatrix}

    Args:
        stiffness: k of each spring.
        friction: gamma of all.
        times: ``(T,)`` float64.

    Returns:
        ``(T, 2, K)``: places, then velocities.
    """
    systems = torch.tensor([[[0.0, 1.0], [-k, -friction]] for k in stiffness], dtype=torch.float64)  # (K, 2, 2)
    return torch.linalg.matrix_exp(times[:, None, None, None] * systems)[..., 0].mT  # (T, K, 2) to (T, 2, K)


def euler(stiffness: tuple[float, ...], friction: float, *, step: float, count: int, semi: bool) -> Tensor:
    """Return the same by Euler's steps.

    Args:
        stiffness: k of each spring.
        friction: gamma of all.
        step: h.
        count: How many.
        semi: Move with the new velocity (semi-implicit) rather than with the old one (explicit).

    Returns:
        ``(count + 1, 2, K)``: places, then velocities.
    """
    springs = torch.tensor(stiffness, dtype=torch.float64)
    place, velocity = torch.ones_like(springs), torch.zeros_like(springs)
    states = [torch.stack([place, velocity])]
    for _ in range(count):
        after = velocity + step * (-springs * place - friction * velocity)
        place = place + step * (after if semi else velocity)
        velocity = after
        states.append(torch.stack([place, velocity]))
    return torch.stack(states)
