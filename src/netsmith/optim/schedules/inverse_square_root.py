"""The learning rate falls with the inverse square root of time."""

from __future__ import annotations

import math

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps

__all__ = ["InverseSquareRoot"]


class InverseSquareRoot(Schedule):
    r"""Fall as one over the square root of t does: the rate of online gradient descent (Zinkevich 2003).

    .. math:: \frac{1}{\sqrt{1 + t / u}}

    ``u`` is ``unit``. After a warm-up of ``u`` steps (``warm_up``, with this schedule within) it is
    :math:`\sqrt{u / t}` of the global step, the usual form for transformers; ``noam`` is their original.

    Example:
        >>> inverse = InverseSquareRoot.Config().build()
        >>> [inverse.factor(t, 100) for t in (0, 3, 24)]
        [1.0, 0.5, 0.2]
    """

    class Config(ScheduleConfig):
        """The curve.

        Attributes:
            unit: After how long half the squared rate is left: an integer is steps, a float a fraction of all steps.
        """

        unit: Span = 1

    def __init__(self, config: InverseSquareRoot.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        return 1 / math.sqrt(1 + step / max(1, in_steps(self.config.unit, steps)))
