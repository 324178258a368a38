"""The learning rate falls along a straight line."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Part, Schedule, in_steps, warm_up

__all__ = ["Linear"]


class Linear(Schedule):
    r"""Fall at a constant pace, after an optional linear warm-up; the usual choice for fine-tuning transformers.

    .. math:: f + (1 - f) (1 - t / T)

    ``t`` and ``T`` count from the end of the warm-up; ``f`` is ``final``.
    """

    class Config(ScheduleConfig):
        """The line.

        Attributes:
            warmup: Length of the linear warm-up: an integer is steps, a float a fraction of all steps.
            final: The factor at the end.
        """

        warmup: Part = 0
        final: float = Field(default=0.0, ge=0, le=1)

    def __init__(self, config: Linear.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps(self.config.warmup, steps)
        if step < warmup:
            return warm_up(step, warmup)
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return self.config.final + (1 - self.config.final) * (1 - progress)
