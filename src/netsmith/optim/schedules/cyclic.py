"""The learning rate goes up and down between two bounds (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule, Span, in_steps

__all__ = ["Cyclic"]


class Cyclic(Schedule):
    r"""Rise and fall along straight lines; a range test (``workflows.rate_range``) finds the bounds.

    .. math:: b + (1 - b) \max(0, 1 - x)\, a, \qquad x = |t / h - 2 c + 1|, \quad c = \lfloor 1 + t / 2h \rfloor

    ``b`` is ``low`` and ``h`` is ``half``, the paper's stepsize. The optimizer's ``lr`` is the upper bound. The peaks'
    factor ``a`` is 1 (``triangular``), :math:`2^{1-c}` (``triangular2``: each half as high above the lower bound as the
    one before it), or :math:`\gamma^t` (``exp_range``).

    Example:
        >>> cyclic = Cyclic.Config(half=4).build()
        >>> [round(cyclic.factor(t, 8), 6) for t in range(6)]
        [0.1, 0.325, 0.55, 0.775, 1.0, 0.775]
    """

    class Config(ScheduleConfig):
        """The cycles.

        Attributes:
            low: The factor at the lower bound.
            half: Length of half a cycle: an integer is steps, a float a fraction of all steps.
            form: How the peaks change.
            gamma: Their factor at each step, for ``exp_range``.
        """

        low: float = Field(default=0.1, ge=0, le=1)
        half: Span = 0.1
        form: Literal["triangular", "triangular2", "exp_range"] = "triangular"
        gamma: float = Field(default=1.0, gt=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Cyclic.Config:
            if self.gamma != 1 and self.form != "exp_range":
                raise ValueError(f"gamma={self.gamma} means nothing with form={self.form!r}; leave it out")
            return self

    def __init__(self, config: Cyclic.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        half = max(1, in_steps(self.config.half, steps))
        cycle = math.floor(1 + step / (2 * half))  # the paper's three lines, in section 3.2
        x = abs(step / half - 2 * cycle + 1)
        heights = {"triangular": 1.0, "triangular2": 2.0 ** (1 - cycle), "exp_range": self.config.gamma**step}
        return self.config.low + (1 - self.config.low) * max(0.0, 1 - x) * heights[self.config.form]
