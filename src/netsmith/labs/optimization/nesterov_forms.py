"""Nesterov's momentum as the paper writes it, against the two forms without a look ahead."""

from __future__ import annotations

import math
from itertools import pairwise

from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, OptimizerConfig, ScheduleConfig
from netsmith.labs.optimization._surfaces import SURFACES, Name, Walk, walk
from netsmith.optim.momentum import Momentum
from netsmith.optim.nesterov import Nesterov
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.schedules.step import Step
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "NesterovForms"]

CARD = {
    "title": "Nesterov's momentum in three forms",
    "paper": "Nesterov 1983; Sutskever et al. 2013 (ICML)",
    "shows": "how far the look-ahead form is from the two reformulated ones, under constant and falling rates",
    "quick": {"steps": 20},
}

_EQUAL = 1e-9  # forms that are the same differ by rounding alone


class NesterovForms:
    r"""Follow the point that the look-ahead form looks at, and the forms that have only that point.

    .. math:: y_t = p_t + \mu v_t, \qquad v_t = p_t - p_{t-1}

    The reformulated ones are ``momentum(nesterov)``, with the rate inside the velocity, and torch's ``sgd(nesterov)``,
    with the rate outside.
    """

    class Config(LabConfig):
        """The surface and the optimizer.

        Attributes:
            surface: ``beale``, ``rosenbrock``, ``valley`` or ``saddle``.
            lr: The rate.
            momentum: mu, in (0, 1).
            falling: The schedule that stands against a constant rate.
            steps: How many are taken.
        """

        surface: Name = "valley"
        lr: float = Field(default=0.3, gt=0)
        momentum: float = Field(default=0.9, gt=0, lt=1)
        falling: ScheduleConfig = Step.Config()
        steps: int = Field(default=100, ge=2, le=100_000)

    def __init__(self, config: NesterovForms.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the distances between the forms by step."""
        numbers: dict[str, float | int | str | None] = {}
        figures, rows, remarks = [], [], []
        for key, schedule in (("constant", Constant.Config()), ("falling", self.config.falling)):
            rate = "constant" if key == "constant" else f"falling ({schedule.kind_name()})"
            first = self._walk(Nesterov.Config(**self._fields(schedule)))
            if first.diverged:
                remarks.append(f"The look-ahead form, {rate} rate, diverges at step {len(first.xs) - 1}.")
            ahead = self._ahead(first)
            series = []
            for name, config in (
                ("momentum(nesterov)", Momentum.Config(**self._fields(schedule), nesterov=True)),
                ("sgd(nesterov)", SGD.Config(**self._fields(schedule), nesterov=True)),
            ):
                way = self._walk(config)
                apart = tuple(math.dist(a, b) for a, b in zip(ahead, zip(way.xs, way.ys, strict=True), strict=False))
                numbers[f"apart/{key}/{name}"] = most = max(apart)
                parted = next((step for step, one in enumerate(apart) if one > _EQUAL), None)
                numbers[f"parted_at/{key}/{name}"] = parted
                rows.append((name, rate, most, parted))
                series.append(Series(name, tuple(map(float, range(len(apart)))), apart))
                text = (
                    f"{name}, {rate} rate: in {len(apart) - 1} steps at most {most:.2g} away from the look-ahead form"
                )
                text += "" if parted is None else f", first more than {_EQUAL:g} at step {parted}"
                ended = f"; it diverges at step {len(way.xs) - 1}" if way.diverged else ""
                remarks.append(f"{text}{ended}.")
            caption = "In double precision; steps at which it is exactly 0 are not drawn."
            title = f"Distance from the look-ahead form, {rate} rate"
            labels = ("step", "distance")
            figures.append(Lines(f"apart_{key}", title, *labels, tuple(series), log_y=True, caption=caption))
        table = Grid(
            "Greatest distances",
            ("form", "rate", "distance from look-ahead", f"first step above {_EQUAL:g}"),
            tuple(rows),
            f"On {SURFACES[self.config.surface].formula}.",
        )
        return Findings(numbers, tuple(figures), (table,), tuple(remarks))

    def _fields(self, schedule: ScheduleConfig) -> dict[str, float | ScheduleConfig]:
        return {"lr": self.config.lr, "momentum": self.config.momentum, "schedule": schedule}

    def _walk(self, optimizer: OptimizerConfig) -> Walk:
        return walk(SURFACES[self.config.surface], optimizer, self.config.steps)

    def _ahead(self, way: Walk) -> list[tuple[float, float]]:
        """Return the points that the look-ahead form looks at: its first velocity is 0."""
        places = list(zip(way.xs, way.ys, strict=True))
        mu = self.config.momentum
        return [
            places[0],
            *((x + mu * (x - old_x), y + mu * (y - old_y)) for (old_x, old_y), (x, y) in pairwise(places)),
        ]
