"""Every schedule of the catalogue, drawn over a run."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from netsmith.core.config import Config
from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.registry import kinds
from netsmith.core.roles import LabConfig, ScheduleConfig
from netsmith.optim.schedules.cosine import Cosine

__all__ = ["CARD", "Schedules"]

CARD = {
    "title": "Schedules of the learning rate",
    "paper": "of each schedule: see its file under optim/schedules",
    "shows": "the factor on the learning rate at every step, for each schedule of the catalogue",
    "quick": {"steps": 50},
}

_MOST = 200  # points of a drawn line; a longer run is drawn at as many steps, ends and extremes included


class Schedules:
    """Draw the factor of each schedule by step; a schedule that is added to the catalogue is drawn too."""

    class Config(LabConfig):
        """The run, and what is drawn.

        Attributes:
            steps: Length of the run.
            schedules: What is drawn; by default every kind of the catalogue at its own defaults (one that plays
                another takes ``inner``).
            inner: What is played within those that play another schedule.
        """

        steps: int = Field(default=10_000, ge=2, le=1_000_000)
        schedules: tuple[ScheduleConfig, ...] = ()
        inner: ScheduleConfig = Cosine.Config()

    def __init__(self, config: Schedules.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return a chart and a row for each schedule."""
        steps = self.config.steps
        numbers: dict[str, float | int | str] = {"steps": steps}
        figures, rows = [], []
        names: dict[str, int] = {}
        for config in self.config.schedules or self._all():
            kind = config.kind_name()
            names[kind] = names.get(kind, 0) + 1
            name = kind if names[kind] == 1 else f"{kind}_{names[kind]}"
            schedule = config.build()
            factors = [float(schedule.factor(step, steps)) for step in range(steps)]
            peak, least = max(factors), min(factors)
            top, rest = factors.index(peak), factors.index(least)
            mean = sum(factors) / steps
            row = (factors[0], peak, top, factors[-1], mean)
            fields = ("first", "highest", "highest_at", "last", "mean")
            numbers |= {f"{field}/{name}": value for field, value in zip(fields, row, strict=True)}
            numbers[f"config/{name}"] = repr(config)
            stride = max(1, -(-steps // _MOST))
            # the extremes and what surrounds them are drawn, wherever the stride would pass them over
            near = {at + by for at in (top, rest) for by in (-1, 0, 1) if 0 <= at + by < steps}
            at = sorted({*range(0, steps, stride), *near, steps - 1})
            line = Series(name, tuple(map(float, at)), tuple(factors[step] for step in at))
            figures.append(
                Lines(f"schedule_{name}", name, "step", "factor on the rate", (line,), caption=_text(config))
            )
            rows.append((name, *row))
        table = Grid(
            f"Factors in a run of {steps:,} steps",
            ("schedule", "first", "highest", "at step", "last", "mean"),
            tuple(rows),
            "The mean is the length of the whole way, in rates of a constant schedule.",
        )
        return Findings(numbers, tuple(figures), (table,), _remarks(rows))

    def _all(self) -> list[ScheduleConfig]:
        found = []
        for config in kinds(ScheduleConfig).values():
            needed = {name for name, field in config.model_fields.items() if field.is_required()}
            found.append(config(**dict.fromkeys(needed, self.config.inner)))
        return found


def _text(config: Config) -> str:
    """Return a config with all its fields: ``cosine(warmup=0, final=0.0)``."""
    fields = ((name, getattr(config, name)) for name in type(config).model_fields)
    parts = (f"{name}={_text(value) if isinstance(value, Config) else value}" for name, value in fields)
    return f"{config.kind_name()}({', '.join(parts)})"


def _remarks(rows: Sequence[tuple[str, float, float, int, float, float]]) -> tuple[str, ...]:
    """Return what rows of name, first, highest and its step, last and mean show together."""
    highest_first = [name for name, first, highest, _, last, _ in rows if first == highest and last < first]
    later = [f"{name} (step {at:,})" for name, first, highest, at, _, _ in rows if highest > first]
    low = [name for name, _, highest, _, last, _ in rows if last < 0.01 * highest]
    means = sorted((mean, name) for name, *_, mean in rows)
    remarks = [
        f"Highest at the first step, and lower at the last: {', '.join(highest_first)}." if highest_first else "",
        f"Highest later: {', '.join(later)}." if later else "",
        f"Below a hundredth of their highest factor at the last step: {', '.join(low)}." if low else "",
        f"The mean factor is largest for {means[-1][1]} ({means[-1][0]:.3g}) and smallest for {means[0][1]} "
        f"({means[0][0]:.3g})."
        if means[0][0] < means[-1][0]
        else "",
    ]
    return tuple(filter(None, remarks))
