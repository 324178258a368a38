"""The learning rate drops at milestones."""

from __future__ import annotations

import itertools

from pydantic import Field, model_validator

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Part, Schedule, in_steps

__all__ = ["Step"]


class Step(Schedule):
    r"""Multiply the rate by ``gamma`` at each milestone, as He et al. (2016) do at 32k and 48k of 64k steps.

    .. math:: \gamma^{|\{m : m \le t\}|}
    """

    class Config(ScheduleConfig):
        """When and how much.

        Attributes:
            milestones: In rising order: integers are steps, floats fractions of all steps.
            gamma: The factor at each milestone.
        """

        milestones: tuple[Part, ...] = (0.5, 0.75)
        gamma: float = Field(default=0.1, gt=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Step.Config:
            if len({type(milestone) for milestone in self.milestones}) > 1:
                raise ValueError("milestones must be all integers (steps) or all floats (fractions)")
            if any(a >= b for a, b in itertools.pairwise(self.milestones)):
                raise ValueError("milestones must rise")
            return self

    def __init__(self, config: Step.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:
        passed = sum(in_steps(milestone, steps) <= step for milestone in self.config.milestones)
        return self.config.gamma**passed
