"""Steps of differential equations: a state a row in, the state a step later out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["STEPPERS", "Force", "State", "Stepper", "euler", "follow", "leapfrog", "runge_kutta", "semi_implicit"]

State = NDArray[np.float64]
"""Places and velocities, ``(2, n)``."""
Force = Callable[[State, State], State]
"""The acceleration, of places and velocities."""
Stepper = Callable[[Force, State, float], State]


def euler(force: Force, state: State, step: float) -> State:
    """Return Euler's explicit step: both the place and the velocity move by their rates before it."""
    place, velocity = state
    return np.stack((place + step * velocity, velocity + step * force(place, velocity)))


def semi_implicit(force: Force, state: State, step: float) -> State:
    """Return the semi-implicit step: the place moves with the velocity after it."""
    place, velocity = state
    velocity = velocity + step * force(place, velocity)
    return np.stack((place + step * velocity, velocity))


def leapfrog(force: Force, state: State, step: float) -> State:
    """Return half a kick, a drift, half a kick (velocity Verlet); for forces that do not ask for the velocity."""
    place, velocity = state
    velocity = velocity + step / 2 * force(place, velocity)
    place = place + step * velocity
    return np.stack((place, velocity + step / 2 * force(place, velocity)))


def runge_kutta(force: Force, state: State, step: float) -> State:
    """Return the classic step of order 4."""

    def rate(at: State) -> State:
        return np.stack((at[1], force(*at)))

    one = rate(state)
    two = rate(state + step / 2 * one)
    three = rate(state + step / 2 * two)
    four = rate(state + step * three)
    return state + step / 6 * (one + 2 * two + 2 * three + four)


STEPPERS: tuple[tuple[str, Stepper], ...] = (
    ("Euler", euler),
    ("semi-implicit Euler", semi_implicit),
    ("Runge-Kutta 4", runge_kutta),
)


def follow(stepper: Stepper, force: Force, start: ArrayLike, *, step: float, steps: int) -> NDArray[np.float64]:
    """Return the states ``(steps + 1, 2, n)``, the start first."""
    states = [np.array(start, dtype=np.float64)]
    for _ in range(steps):
        states.append(stepper(force, states[-1], step))
    return np.array(states)
