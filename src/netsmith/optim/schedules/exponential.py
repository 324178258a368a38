"""The learning rate falls by the same share at every step."""

from __future__ import annotations

import math

from pydantic import Field

from netsmith.core.errors import ConfigError
from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps

__all__ = ["Exponential"]

_MOST = 700  # e to it is nearly the largest number there is


class Exponential(Schedule):
    r"""Fall fast and then ever slower, never to 0; it needs no end of the run to be known.

    .. math:: e^{-k t / u}

    ``k`` is ``decay`` and ``u`` is ``unit``. A negative ``k`` makes the rate rise, as a range test wants it.

    Example:
        >>> exponential = Exponential.Config(decay=0.5, unit=1).build()
        >>> [round(exponential.factor(t, 8), 6) for t in range(3)]
        [1.0, 0.606531, 0.367879]
    """

    class Config(ScheduleConfig):
        """The curve.

        Attributes:
            decay: The natural logarithm of how many times smaller the rate is after one unit.
            unit: What ``decay`` is counted in: an integer is steps, a float a fraction of all steps.
        """

        decay: float = Field(default=5.0)
        unit: Span = 1.0

    def __init__(self, config: Exponential.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        power = -self.config.decay * step / max(1, in_steps(self.config.unit, steps))
        if power > _MOST:
            raise ConfigError(f"{self.config!r} makes the rate e^{power:.0f} times larger by step {step}; lower -decay")
        return math.exp(power)
