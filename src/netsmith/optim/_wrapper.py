"""An optimizer around another one."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from netsmith.core.roles import OptimizerConfig, ScheduleConfig

__all__ = ["Wrapper", "WrapperConfig", "refuse_asking"]


class WrapperConfig(OptimizerConfig):
    """The fields of every optimizer that wraps another one.

    The rate, its schedule and the weight decay are those of ``inner``.

    Attributes:
        inner: What makes the steps.
    """

    inner: OptimizerConfig

    @property
    def schedule(self) -> ScheduleConfig:
        """The factor on the inner learning rate."""
        return self.inner.schedule  # type: ignore[attr-defined]

    @property
    def rate(self) -> float:
        """The inner learning rate."""
        return self.inner.rate

    def times(self, factor: float) -> WrapperConfig:
        """Return the config with the inner learning rate times ``factor``."""
        return self.derive(inner=self.inner.times(factor))

    def at_rate(self, rate: float, schedule: ScheduleConfig) -> WrapperConfig:
        """Return the config with another inner learning rate and schedule."""
        return self.derive(inner=self.inner.at_rate(rate, schedule))


def refuse_asking(config: WrapperConfig) -> None:
    """Refuse an inner optimizer that asks for the loss itself, where the wrapper has one gradient for it.

    Raises:
        ValueError: It does.
    """
    if config.inner.needs_closure:
        raise ValueError(
            f"inner={config.inner.kind_name()} asks for the loss itself, and {config.kind_name()} gives it one "
            "gradient; use sgd, adam or another that takes the gradient as it is"
        )


class Wrapper(torch.optim.Optimizer, abc.ABC):
    """An optimizer whose groups and state are the inner one's own, so that schedules and checkpoints reach both.

    Entries that a wrapper adds to a parameter's state come after the inner's first step: most optimizers take a state
    that is not empty for one they have set up.

    Args:
        config: Names the inner optimizer, which makes the steps.
        parameters: A player's parameters by name.
    """

    def __init__(self, config: WrapperConfig, parameters: Mapping[str, nn.Parameter]) -> None:
        self.inner: torch.optim.Optimizer = config.inner.build(parameters)
        super().__init__(self.inner.param_groups, {})
        self.config = config
        self._share()

    def _share(self) -> None:
        self.param_groups = self.inner.param_groups
        self.state = self.inner.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what ``state_dict`` returned."""
        self.inner.load_state_dict(state_dict)
        self._share()
