"""The learning rate never changes."""

from __future__ import annotations

from netsmith.core.roles import ScheduleConfig
from netsmith.optim.schedules._schedule import Schedule

__all__ = ["Constant"]


class Constant(Schedule):
    """The factor 1 at every step; the default."""

    class Config(ScheduleConfig):
        """Nothing to choose."""

    def __init__(self, config: Constant.Config) -> None:
        self.config = config

    def factor(self, step: int, steps: int) -> float:  # noqa: ARG002
        return 1.0
