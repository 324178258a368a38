"""Optimizers race down a surface of two dimensions."""

from __future__ import annotations

import math

from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Series, Surface
from netsmith.core.roles import LabConfig, OptimizerConfig
from netsmith.labs.optimization._surfaces import SURFACES, Name, Walk, contours, named, walk
from netsmith.optim.adadelta import Adadelta
from netsmith.optim.adagrad import Adagrad
from netsmith.optim.adam import Adam
from netsmith.optim.adamax import Adamax
from netsmith.optim.adamw import AdamW
from netsmith.optim.lamb import Lamb
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.momentum import Momentum
from netsmith.optim.nadam import Nadam
from netsmith.optim.nesterov import Nesterov
from netsmith.optim.radam import RAdam
from netsmith.optim.rmsprop import RMSProp
from netsmith.optim.rmsprop_nesterov import RMSPropNesterov
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "Race"]

CARD = {
    "title": "Optimizers racing down a surface",
    "paper": "of each optimizer: see its file under optim; Beale 1958; Rosenbrock 1960",
    "shows": "the paths of optimizers over a surface, their distance to its minimum by step, and who arrives when",
    "quick": {"steps": 10, "rates": [0.01]},
}

_TOGETHER = 4  # paths in one picture, at most

_RUNNERS: tuple[OptimizerConfig, ...] = (
    SGD.Config(lr=0.01),
    Momentum.Config(lr=0.01),
    Nesterov.Config(lr=0.01),
    Adagrad.Config(lr=0.01),
    Adadelta.Config(lr=1.0),
    RMSProp.Config(lr=0.01),
    RMSPropNesterov.Config(lr=0.01),
    Adam.Config(lr=0.01),
    Adam.Config(lr=0.01, amsgrad=True),
    Adamax.Config(lr=0.01),
    Nadam.Config(lr=0.01),
    AdamW.Config(lr=0.01),
    RAdam.Config(lr=0.01),
    Lamb.Config(lr=0.01),
    SAM.Config(inner=SGD.Config(lr=0.01)),
    Lookahead.Config(inner=SGD.Config(lr=0.01)),
)


class Race:
    """Let optimizers go down the same surface from the same start, each at the best of the same few rates.

    A race at one rate for all would compare rates, not optimizers: 0.01 means a step of a hundredth to Adam, and a
    hundredth of the gradient to SGD. Best is the rate at which it arrives first; where it never does, the rate at which
    it ends nearest.
    """

    class Config(LabConfig):
        """The surface and who races.

        Attributes:
            surface: ``beale``, ``rosenbrock``, ``valley`` (50 times as steep across as along) or ``saddle``.
            optimizers: Who races; each with a rate of its own, which is replaced by each of ``rates``.
            rates: Tried with every optimizer; empty: each at its own.
            steps: Length of the race.
        """

        surface: Name = "beale"
        optimizers: tuple[OptimizerConfig, ...] = Field(default=_RUNNERS, min_length=1)
        rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
        steps: int = Field(default=300, ge=2, le=100_000)

    def __init__(self, config: Race.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the paths, the distances, and a table of arrivals."""
        plane = SURFACES[self.config.surface]
        runs = [(named(one), *self._best(one)) for one in self.config.optimizers]
        runs = [(f"{name} #{at}" if _is_twice(runs, name) else name, *rest) for at, (name, *rest) in enumerate(runs, 1)]
        order = sorted(runs, key=lambda run: _rank(run[2], plane.reach))
        size = math.ceil(len(runs) / math.ceil(len(runs) / _TOGETHER))  # as many in each picture
        groups = [runs[at : at + size] for at in range(0, len(runs), size)]
        base = contours(plane)
        start = {"marks": (*base.pop("marks"), ("start", *plane.start))}
        surfaces = tuple(
            Surface(
                name=f"paths_{number}",
                title=f"{plane.title}: paths",
                paths=tuple(Series(f"{name}, rate {rate:g}", way.xs, way.ys) for name, rate, way in group),
                caption=f"f = {plane.formula}. Each at its best rate; dots at every tenth of the steps.",
                **base,
                **start,
            )
            for number, group in enumerate(groups, 1)
        )
        charts = tuple(
            Lines(
                f"distance_{number}",
                "Distance to the nearest minimum" if len(plane.minima) > 1 else "Distance to the minimum",
                "step",
                "distance",
                tuple(
                    Series(f"{name}, rate {rate:g}", tuple(map(float, range(len(way.xs)))), way.distances)
                    for name, rate, way in group
                ),
                log_y=True,
            )
            for number, group in enumerate(groups, 1)
        )
        rows = tuple(
            (
                name,
                rate,
                way.arrived(plane.reach),
                None if way.diverged else way.distances[-1],
                "yes" if way.diverged else "no",
            )
            for name, rate, way in order
        )
        table = Grid(
            f"Steps until the distance is at most {plane.reach:g} and stays there",
            ("optimizer", "rate", "steps", f"distance after {self.config.steps}", "diverged"),
            rows,
            f"Rates tried: {', '.join(f'{rate:g}' for rate in self.config.rates)}."
            if self.config.rates
            else "Each at its own rate.",
        )
        numbers: dict[str, float | int | None] = {"reach": plane.reach}
        for name, rate, steps, distance, _ in rows:
            numbers |= {f"rate/{name}": rate, f"steps/{name}": steps, f"distance/{name}": distance}
        figures = tuple(one for pair in zip(surfaces, charts, strict=True) for one in pair)
        return Findings(numbers, figures, (table,), self._remarks(order))

    def _best(self, optimizer: OptimizerConfig) -> tuple[float, Walk]:
        plane, own = SURFACES[self.config.surface], optimizer.rate
        tried = [
            (rate, walk(plane, optimizer.times(rate / own), self.config.steps)) for rate in self.config.rates or (own,)
        ]
        return min(tried, key=lambda one: _rank(one[1], plane.reach))

    def _remarks(self, order: list[tuple[str, float, Walk]]) -> tuple[str, ...]:
        reach, rates = SURFACES[self.config.surface].reach, self.config.rates
        arrived = [(name, rate, at) for name, rate, way in order if (at := way.arrived(reach)) is not None]
        remarks = [
            f"{len(arrived)} of {len(order)} come within {reach:g} of a minimum and stay there until the last of "
            f"{self.config.steps} steps."
        ]
        if arrived:
            soonest, latest = arrived[0][2], arrived[-1][2]
            remarks.append(f"First, after {soonest} steps: {_at(arrived, soonest)}.")
            if soonest < latest:
                remarks.append(f"Last of them, after {latest} steps: {_at(arrived, latest)}.")
        left = [(name, way) for name, _, way in order if way.arrived(reach) is None]
        away = [f"{name} ({way.distances[-1]:.3g} away)" for name, way in left if not way.diverged]
        if away:
            remarks.append(f"Not there at the end: {', '.join(away)}.")
        lost = [name for name, way in left if way.diverged]
        if lost:
            remarks.append(f"Diverged at every rate tried: {', '.join(lost)}.")
        ends = (min(rates, default=0), max(rates, default=0))
        edge = [name for name, rate, way in order if rate in ends and not way.diverged]
        if len(rates) > 1 and edge:
            remarks.append(
                f"Best at the lowest or the highest rate tried, so that a better one may lie beyond: {', '.join(edge)}."
            )
        return tuple(remarks)


def _at(arrived: list[tuple[str, float, int]], step: int) -> str:
    return ", ".join(f"{name} at rate {rate:g}" for name, rate, at in arrived if at == step)


def _rank(way: Walk, reach: float) -> tuple[float, float]:
    arrived = way.arrived(reach)
    return (math.inf if arrived is None else arrived, math.inf if way.diverged else way.distances[-1])


def _is_twice(runs: list[tuple[str, float, Walk]], name: str) -> bool:
    return sum(other == name for other, _, _ in runs) > 1
