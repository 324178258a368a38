"""The learning rate falls along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

from __future__ import annotations

import math

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Part, Schedule, in_steps, warm_up

__all__ = ["Cosine"]


class Cosine(Schedule):
    r"""Fall slowly, fast, slowly; one cycle without restart, after an optional linear warm-up.

    .. math:: f + (1 - f) \tfrac12 (1 + \cos(\pi t / T))

    ``t`` and ``T`` count from the end of the warm-up; ``f`` is ``final``.

    Example:
        >>> cosine = Cosine.Config().build()
        >>> [round(cosine.factor(t, 8), 6) for t in range(5)]
        [1.0, 0.96194, 0.853553, 0.691342, 0.5]
    """

    class Config(ScheduleConfig):
        """The curve.

        Attributes:
            warmup: Length of the linear warm-up: an integer is steps, a float a fraction of all steps.
            final: The factor at the end.
        """

        warmup: Part = 0
        final: float = Field(default=0.0, ge=0, le=1)

    def __init__(self, config: Cosine.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps(self.config.warmup, steps)
        if step < warmup:
            return warm_up(step, warmup)
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return self.config.final + (1 - self.config.final) * (1 + math.cos(math.pi * progress)) / 2  # Eq. 5
