"""A warm-up before, or over the beginning of, any other schedule (Goyal et al. 2017, arXiv:1706.02677, section 2.2)."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps, warm_up

__all__ = ["WarmUp"]


class WarmUp(Schedule):
    r"""Rise along a straight line to the first rate of another schedule: large batches and fresh moments need it.

    .. math:: \left(i + (1 - i) \tfrac{t + 1}{w + 1}\right) s(0) \quad (t < w), \qquad s(t - w) \quad (t \ge w)

    ``s`` is the schedule within, over the ``T - w`` steps that are left. It is what ``warmup`` of ``cosine`` and
    ``linear`` does. With ``delay=False`` the schedule runs from the first step on, as the milestones of Goyal et al.
    do, and the line multiplies it.
    """

    class Config(ScheduleConfig):
        """What is warmed up, and how.

        Attributes:
            schedule: The schedule.
            warmup: Length of the rise: an integer is steps, a float a fraction of all steps.
            initial: The factor that the line comes from, one step before the first.
            delay: Whether the schedule begins only after the rise.
        """

        schedule: ScheduleConfig
        warmup: Span = 0.05
        initial: float = Field(default=0.0, ge=0, lt=1)
        delay: bool = True

    def __init__(self, config: WarmUp.Config) -> None:
        self.config = config
        self.schedule: Schedule = config.schedule.build()

    def factor(self, step: int, steps: int) -> float:
        warmup = max(1, in_steps(self.config.warmup, steps))
        line = self.config.initial + (1 - self.config.initial) * warm_up(step, warmup)
        if not self.config.delay:
            return line * self.schedule.factor(step, steps)
        return line * self.schedule.factor(max(0, step - warmup), max(1, steps - warmup))
