"""The learning rate drops at milestones."""

from __future__ import annotations

import itertools

from pydantic import Field, model_validator

from netsmith.core.config import later
from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Part, Schedule, in_steps

__all__ = ["Step"]


class Step(Schedule):
    r"""Multiply the rate by ``gamma`` at each milestone, as He et al. (2016) do at 32k and 48k of 64k steps.

    .. math:: \gamma^{|\{m : m \le t\}|}

    Before step ``warmup`` it is multiplied by ``warmup_factor`` too, a constant: their network of 110 layers begins
    with a tenth of the rate.
    """

    class Config(ScheduleConfig):
        """When and how much.

        Attributes:
            milestones: In rising order: integers are steps, floats fractions of all steps.
            gamma: The factor at each milestone.
            warmup: Length of the start at a lower rate: an integer is steps, a float a fraction of all steps.
            warmup_factor: The factor there.
        """

        milestones: tuple[Part, ...] = (0.5, 0.75)
        gamma: float = Field(default=0.1, gt=0, le=1)
        warmup: Part = later(0)
        warmup_factor: float = later(0.1, gt=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Step.Config:
            if len({type(milestone) for milestone in self.milestones}) > 1:
                raise ValueError("milestones must be all integers (steps) or all floats (fractions)")
            if any(a >= b for a, b in itertools.pairwise(self.milestones)):
                raise ValueError("milestones must rise")
            if not self.warmup and self.warmup_factor != 0.1:
                raise ValueError(f"warmup_factor={self.warmup_factor} means nothing with warmup=0; leave it out")
            return self

    def __init__(self, config: Step.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        passed = sum(in_steps(milestone, steps) <= step for milestone in self.config.milestones)
        start = self.config.warmup_factor if step < in_steps(self.config.warmup, steps) else 1.0
        return start * self.config.gamma**passed
