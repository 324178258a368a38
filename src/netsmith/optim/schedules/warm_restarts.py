"""Another schedule, played again and again (SGDR: Loshchilov & Hutter 2017, arXiv:1608.03983)."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps
from netsmith.optim.schedules.cosine import Cosine

__all__ = ["WarmRestarts"]


class WarmRestarts(Schedule):
    r"""Begin a schedule anew when it has ended, each time for longer; the network at each end is worth keeping.

    .. math:: s(t - \textstyle\sum_{j<i} T_j) \text{ over } T_i = T_0 m^i \text{ steps}

    ``T_0`` is ``first``, ``m`` is ``grow`` (the paper's T_mult), ``s`` half a cosine. The last round is cut where the
    run ends.

    Example:
        >>> restarts = WarmRestarts.Config(first=2).build()
        >>> [round(restarts.factor(t, 6), 6) for t in range(6)]
        [1.0, 0.5, 1.0, 0.853553, 0.5, 0.146447]
    """

    class Config(ScheduleConfig):
        """What is played, and for how long.

        Attributes:
            first: Length of the first round: an integer is steps, a float a fraction of all steps.
            grow: How many times longer each round is than the one before it.
            schedule: The schedule.
        """

        first: Span = 0.1
        grow: int = Field(default=2, ge=1)
        schedule: ScheduleConfig = Cosine.Config()

    def __init__(self, config: WarmRestarts.Config) -> None:
        self.config = config
        self.schedule: Schedule = config.schedule.build()

    def factor(self, step: int, steps: int) -> float:
        length = max(1, in_steps(self.config.first, steps))
        if self.config.grow == 1:
            return self.schedule.factor(step % length, length)
        while step >= length:  # rounds grow at least twofold: a handful
            step -= length
            length *= self.config.grow
        return self.schedule.factor(step, length)
