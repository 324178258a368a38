"""Nesterov's accelerated gradient in the look-ahead form (Nesterov 1983; Sutskever et al. 2013, ICML)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._closure import Closure
from netsmith.optim._groups import DecayedConfig, parameter_groups
from netsmith.optim._look_ahead import gradients_ahead

__all__ = ["Nesterov"]


class Nesterov(torch.optim.Optimizer):
    r"""Take the gradient where the velocity is about to carry the parameters, then step; as the paper writes it.

    .. math:: v \leftarrow \mu v - \eta \nabla f(p + \mu v), \qquad p \leftarrow p + v

    The engine computes the one gradient of a step at :math:`y = p + \mu v`, so the loss in the log is that of ``y``;
    what is evaluated and saved is ``p``. In terms of ``y`` it is, exactly and under any schedule, :math:`y \leftarrow y
    + \mu v - \eta \nabla f(y)`: ``momentum`` with ``nesterov=True``. torch's form, ``sgd`` with ``nesterov=True``, has
    the rate outside its velocity and follows the same ``y`` exactly while the rate is constant; from the first step at
    another rate on they part. ``weight_decay`` is added to the gradient, at ``y`` (L2). Ours: torch has only its own
    form.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            momentum: mu, the share of the velocity that is kept, in (0, 1).
        """

        needs_closure: ClassVar[bool] = True

        momentum: float = Field(default=0.9, gt=0, lt=1)

    def __init__(self, config: Nesterov.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), {"lr": config.lr})
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float:  # type: ignore[override]
        """Step once; return the loss at the point looked ahead."""
        momentum = self.config.momentum
        loss, found = gradients_ahead(self, closure, momentum=momentum)
        for parameter, gradient, rate in found:
            state = self.state[parameter]
            if not state:
                state["velocity"] = torch.zeros_like(parameter)
            velocity = state["velocity"].mul_(momentum).sub_(gradient, alpha=rate)  # Eq. 3
            parameter.add_(velocity)  # Eq. 4
        return loss
