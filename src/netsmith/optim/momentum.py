"""Momentum with the rate inside the velocity (Rumelhart, Hinton & Williams 1986; Polyak 1964)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._groups import DecayedConfig, descents, parameter_groups

__all__ = ["Momentum"]


class Momentum(torch.optim.Optimizer):
    r"""Descend with a velocity that remembers the rates of its time; as textbooks write momentum.

    .. math:: v \leftarrow \mu v - \eta (g + \lambda p), \qquad p \leftarrow p + v

    With ``nesterov`` the step is :math:`\mu v - \eta (g + \lambda p)` of the new ``v``: the look-ahead form
    (``nesterov``) seen from the point it looks at, equal to it under any schedule.

    torch, and so ``sgd``, has the rate outside: :math:`p \leftarrow p - \eta b`, :math:`b \leftarrow \mu b + g`. The
    two are the same, with :math:`v = -\eta b`, exactly while the rate is constant. Where it falls, the velocity here
    coasts on at the old rate; there it is scaled down at once. ``weight_decay`` is added to the gradient (L2). Ours;
    torch has none.

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
            nesterov: Step as if the gradient had been taken ahead.
        """

        momentum: float = Field(default=0.9, gt=0, lt=1)
        nesterov: bool = False

    def __init__(self, config: Momentum.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), {"lr": config.lr})
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        momentum = self.config.momentum
        for parameter, gradient, rate in descents(self):
            state = self.state[parameter]
            if not state:
                state["velocity"] = torch.zeros_like(parameter)
            velocity = state["velocity"].mul_(momentum).sub_(gradient, alpha=rate)
            if self.config.nesterov:
                parameter.add_(velocity, alpha=momentum).sub_(gradient, alpha=rate)
            else:
                parameter.add_(velocity)
        return loss
