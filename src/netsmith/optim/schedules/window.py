"""Another schedule, played in a part of the run only."""

from __future__ import annotations

from pydantic import model_validator

from netsmith.core.errors import ConfigError
from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Part, Schedule, in_steps

__all__ = ["Window"]


class Window(Schedule):
    """Play a schedule between two steps: for players who learn one after the other (a teacher, then its student).

    Before the window the factor is the schedule's first, after it the schedule's last.

    Raises:
        ConfigError: In ``factor``: a window without a step.
    """

    class Config(ScheduleConfig):
        """What is played, and when.

        Attributes:
            schedule: The schedule.
            start: Its first step: an integer is a step, a float a fraction of all steps.
            stop: The step after its last, in the same way.
        """

        schedule: ScheduleConfig
        start: Part = 0
        stop: Part = 1.0

        @model_validator(mode="after")
        def _check(self) -> Window.Config:
            if type(self.start) is type(self.stop) and self.start >= self.stop:
                raise ValueError(f"start must lie before stop, got {self.start} and {self.stop}")
            return self

    def __init__(self, config: Window.Config) -> None:
        self.config = config
        self.schedule: Schedule = config.schedule.build()

    def factor(self, step: int, steps: int) -> float:
        start, stop = in_steps(self.config.start, steps), in_steps(self.config.stop, steps)
        if start >= stop and start < steps and isinstance(self.config.stop, float):
            stop = start + 1  # a part of a short run: at least one step
        if start >= stop:
            raise ConfigError(f"{self.config!r} holds no step of a run of {steps}: {start} to {stop}")
        return self.schedule.factor(min(max(step, start), stop - 1) - start, stop - start)
