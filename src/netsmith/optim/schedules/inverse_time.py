"""The learning rate falls with the inverse of time (Robbins & Monro 1951, doi:10.1214/aoms/1177729586)."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps

__all__ = ["InverseTime"]


class InverseTime(Schedule):
    r"""Fall as 1/t does: the rates sum to infinity and their squares do not, which is what convergence is proved from.

    .. math:: \frac{1}{1 + k t / u}

    ``k`` is ``decay`` and ``u`` is ``unit``: after ``u / k`` steps half the rate is left. With ``k = u = 1`` it is the
    inverse of the number of the step, counted from 1.

    Example:
        >>> inverse = InverseTime.Config().build()
        >>> [inverse.factor(t, 8) for t in (0, 1, 3, 4)]
        [1.0, 0.5, 0.25, 0.2]
    """

    class Config(ScheduleConfig):
        """The curve.

        Attributes:
            decay: By how much the inverse of the factor grows in one unit.
            unit: What ``decay`` is counted in: an integer is steps, a float a fraction of all steps.
        """

        decay: float = Field(default=1.0, ge=0)
        unit: Span = 1

    def __init__(self, config: InverseTime.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        return 1 / (1 + self.config.decay * step / max(1, in_steps(self.config.unit, steps)))
