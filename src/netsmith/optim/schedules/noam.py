"""The transformer's learning rate (Vaswani et al. 2017, arXiv:1706.03762, section 5.3)."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps

__all__ = ["Noam"]


class Noam(Schedule):
    r"""Rise linearly for ``w`` steps, then fall with the inverse square root of the step.

    .. math:: d^{-1/2} \min(n^{-1/2}, n\, w^{-3/2}), \qquad n = t + 1

    It is the rate itself, so the optimizer's ``lr`` is 1, or a factor on it. At its peak, at ``n = w``, it is
    :math:`(d w)^{-1/2}`.

    Example:
        >>> f"{Noam.Config(hidden_size=512, warmup=4000).build().factor(3999, 100_000):.5e}"
        '6.98771e-04'
    """

    class Config(ScheduleConfig):
        """The curve.

        Attributes:
            hidden_size: Width of the network's residual stream, the paper's d_model.
            warmup: Length of the rise: an integer is steps, a float a fraction of all steps.
        """

        hidden_size: int = Field(default=512, ge=1)
        warmup: Span = 4000

    def __init__(self, config: Noam.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        number, warmup = step + 1, max(1, in_steps(self.config.warmup, steps))
        return self.config.hidden_size**-0.5 * min(number**-0.5, number * warmup**-1.5)  # Eq. 3
