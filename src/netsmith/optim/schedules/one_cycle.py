"""One cycle: up to a peak, then down to almost nothing (Smith & Topin 2018, arXiv:1708.07120)."""

from __future__ import annotations

import math

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule

__all__ = ["OneCycle"]


class OneCycle(Schedule):
    r"""Rise linearly to the peak, then fall along half a cosine; short trainings with a high rate.

    The optimizer's ``lr`` is the peak. With :math:`u = pT - 1` the step of the peak, the factor is

    .. math:: i + (1 - i)\, t/u \quad (t \le u), \qquad
              f + (1 - f) \tfrac12 (1 + \cos(\pi (t - u) / (T - 1 - u))) \quad (t > u)

    Deviations: momentum is not cycled; the way down is a cosine (the paper: linear, then a further drop).
    """

    class Config(ScheduleConfig):
        """The cycle.

        Attributes:
            peak: Where the peak lies, as a fraction of all steps, in (0, 1).
            initial: The factor at the first step.
            final: The factor at the last step.
        """

        peak: float = Field(default=0.3, gt=0, lt=1)
        initial: float = Field(default=0.04, ge=0, le=1)
        final: float = Field(default=4e-6, ge=0, le=1)

    def __init__(self, config: OneCycle.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        config = self.config
        top = max(0.0, config.peak * steps - 1)
        if step < top:
            return config.initial + (1 - config.initial) * step / top
        span = steps - 1 - top  # 0 only for a run of one step
        progress = min(1.0, (step - top) / span) if span > 0 else 0.0
        return config.final + (1 - config.final) * (1 + math.cos(math.pi * progress)) / 2
