"""What every schedule is: a factor on the learning rate that depends on the global step and on nothing else."""

from __future__ import annotations

import abc
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Part", "Schedule", "Span", "in_steps", "warm_up"]


def _check(part: float) -> float:
    if part < 0 or (isinstance(part, float) and part > 1):
        raise ValueError("an integer counts steps, a float is a fraction of all steps in 0..1")
    return part


Part = Annotated[int | float, AfterValidator(_check)]
"""A number of steps (an integer), or a fraction of all steps (a float in 0..1)."""


def _some(part: float) -> float:
    if not part:
        raise ValueError("expected at least one step, or a fraction of all steps above 0")
    return part


Span = Annotated[Part, AfterValidator(_some)]
"""A :data:`Part` that is not nothing; in a short run it is one step at least."""


class Schedule(abc.ABC):
    """A factor on the learning rate.

    Being a pure function of the step, it needs no state in a checkpoint.
    """

    @abc.abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """Return the factor.

        Args:
            step: The global step, from 0.
            steps: How many steps the run has.
        """


def in_steps(part: float, steps: int) -> int:
    """Return a :data:`Part` of ``steps`` in steps: an integer is one already, a float is a fraction.

    Example:
        >>> in_steps(3, 100), in_steps(0.3, 100)
        (3, 30)
    """
    return part if isinstance(part, int) else round(part * steps)


def warm_up(step: int, warmup: int) -> float:
    """Return the factor of a linear warm-up: ``(step + 1) / (warmup + 1)``, never 0, and 1 from step ``warmup`` on."""
    return min(1.0, (step + 1) / (warmup + 1))
