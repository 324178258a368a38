"""A network that looks for short tours (Hopfield & Tank 1985, Biological Cybernetics 52, 141-152)."""

from __future__ import annotations

import itertools
import math
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig

__all__ = ["HopfieldTsp", "Tours", "best_tour", "tour_length"]


class Tours(NamedTuple):
    """What each trial came to.

    Attributes:
        activity: ``(T, n, n)`` in 0..1, V of city by position at the end.
        valid: ``(T,)``, whether exactly one city is above one half at each position, and each city once.
        orders: ``(T, n)`` int64, the city at each position; of meaning where valid.
        lengths: ``(T,)``, of the closed tours; NaN where not valid.
        energies: ``(steps / 100 + 1, T)``, every hundredth step and at the end.
    """

    activity: Tensor
    valid: Tensor
    orders: Tensor
    lengths: Tensor
    energies: Tensor


class HopfieldTsp(nn.Module):
    r"""n x n analog units, V_Xi for "city X is the i-th stop", whose energy punishes what is no tour, and its length.

    .. math::
        E =& \tfrac A2 \sum_X \sum_i \sum_{j \ne i} V_{Xi} V_{Xj} + \tfrac B2 \sum_i \sum_X \sum_{Y \ne X} V_{Xi} V_{Yi}
            + \tfrac C2 \Big(\sum_{Xi} V_{Xi} - n'\Big)^2 \\
           &+ \tfrac D2 \sum_{X, Y \ne X, i} d_{XY} V_{Xi} (V_{Y,i+1} + V_{Y,i-1})

    The units follow :math:`\dot u = -u / \tau - \partial E / \partial V` by Euler's method, with
    :math:`V = \tfrac12 (1 + \tanh(u / u_0))`. The defaults are the paper's constants, with n' = 15 for ten cities. It
    starts near the center, with ``sum V = n`` and noise of ``0.1 u0`` that breaks the tie between all tours. How many
    trials end in a tour is another matter: Wilson & Pawley 1988 (Biological Cybernetics 58, 63-70) could not repeat the
    paper's share.

    Deviations: the step of time and the number of steps are ours.

    Shapes:
        :meth:`forward`: distances ``(n, n)`` and starts ``(T, n, n)`` to :class:`Tours`.

    Example:
        >>> model = HopfieldTsp.Config(steps=100).build()
        >>> places = torch.rand(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        >>> distances = torch.cdist(places, places)
        >>> model(distances, model.starts(3, cities=5, generator=torch.Generator())).valid.shape
        torch.Size([3])
    """

    class Config(ModelConfig):
        """The constants.

        Attributes:
            a: A, against a city at two positions.
            b: B, against two cities at a position.
            c: C, for the right sum of all activities.
            d: D, for short tours.
            u0: Width of the transfer function.
            excess: n' - n, by which the sum that C asks for exceeds the number of cities.
            tau: Time constant.
            time_step: Of Euler's method.
            steps: How many.
            noise: Largest noise of the start, in units of u0.
        """

        uncounted: ClassVar[str] = "it takes as many steps as are set, and answers with a tour"
        a: float = Field(default=500.0, ge=0)
        b: float = Field(default=500.0, ge=0)
        c: float = Field(default=200.0, ge=0)
        d: float = Field(default=500.0, ge=0)
        u0: float = Field(default=0.02, gt=0)
        excess: float = Field(default=5.0, ge=0)
        tau: float = Field(default=1.0, gt=0)
        time_step: float = Field(default=1e-5, gt=0)
        steps: int = Field(default=3000, ge=1)
        noise: float = Field(default=0.1, ge=0)

    def __init__(self, config: HopfieldTsp.Config) -> None:
        super().__init__()
        self.config = config

    def starts(self, trials: int, *, cities: int, generator: torch.Generator) -> Tensor:
        """Draw where the trials start, u of ``(trials, cities, cities)``."""
        u0 = self.config.u0
        noise = 2 * torch.rand(trials, cities, cities, generator=generator, dtype=torch.float64) - 1
        return u0 * math.atanh(2 / cities - 1) + self.config.noise * u0 * noise

    def energy(self, activity: Tensor, distances: Tensor) -> Tensor:
        """Return E of activities ``(..., n, n)``."""
        at = self.config
        rows, columns = activity.sum(-1), activity.sum(-2)
        power = activity.square().sum((-1, -2))
        target = len(distances) + at.excess
        near = activity.roll(1, -1) + activity.roll(-1, -1)
        return 0.5 * (
            at.a * (rows.square().sum(-1) - power)
            + at.b * (columns.square().sum(-1) - power)
            + at.c * (rows.sum(-1) - target).square()
            + at.d * (activity * (distances @ near)).sum((-1, -2))
        )

    def slope(self, activity: Tensor, distances: Tensor) -> Tensor:
        """Return the derivative of E by each activity, ``(..., n, n)``."""
        at = self.config
        rows, columns = activity.sum(-1, keepdim=True), activity.sum(-2, keepdim=True)
        near = activity.roll(1, -1) + activity.roll(-1, -1)
        return (
            at.a * (rows - activity)
            + at.b * (columns - activity)
            + at.c * (rows.sum(-2, keepdim=True) - len(distances) - at.excess)
            + at.d * distances @ near
        )

    @torch.no_grad()
    def forward(self, distances: Tensor, starts: Tensor) -> Tours:
        """Let trials run.

        Args:
            distances: ``(n, n)``, symmetric, zero diagonal, n at least 3.
            starts: ``(T, n, n)``, from :meth:`starts`.

        Raises:
            DataError: Distances of another form.
        """
        distances = distances.to(starts.dtype)
        if len(distances) < 3 or not torch.equal(distances, distances.T) or bool(distances.diagonal().any()):
            raise DataError("expected symmetric distances with a zero diagonal between at least 3 cities")
        at, potential, energies = self.config, starts.clone(), []
        for step in range(at.steps):
            activity = 0.5 * (1 + torch.tanh(potential / at.u0))
            if step % 100 == 0:
                energies.append(self.energy(activity, distances))
            potential -= at.time_step * (potential / at.tau + self.slope(activity, distances))
        activity = 0.5 * (1 + torch.tanh(potential / at.u0))
        energies.append(self.energy(activity, distances))
        on = activity > 0.5
        valid = (on.sum(1) == 1).all(1) & (on.sum(2) == 1).all(1)
        orders = activity.argmax(1)
        lengths = tour_length(distances, orders).masked_fill(~valid, math.nan)
        return Tours(activity, valid, orders, lengths, torch.stack(energies))


def tour_length(distances: Tensor, orders: Tensor) -> Tensor:
    """Return the lengths of closed tours: cities ``(..., n)`` in the order of the visit."""
    return distances[orders, orders.roll(-1, -1)].sum(-1)


def best_tour(distances: Tensor) -> tuple[Tensor, float]:
    """Return the shortest closed tour and its length, by going through all of them (at most 10 cities).

    Raises:
        DataError: More than 10 cities.
    """
    cities = len(distances)
    if cities > 10:
        raise DataError(f"{cities} cities have {math.factorial(cities - 1) // 2} tours; expected at most 10 cities")
    others = torch.tensor(list(itertools.permutations(range(1, cities))))
    others = others[others[:, 0] <= others[:, -1]]  # each tour has two directions
    orders = torch.cat([others.new_zeros(len(others), 1), others], 1)
    lengths = tour_length(distances, orders)
    at = int(lengths.argmin())
    return orders[at], float(lengths[at])
