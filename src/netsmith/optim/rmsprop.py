"""RMSProp (Tieleman & Hinton 2012, "Neural Networks for Machine Learning", lecture 6.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from netsmith.core.config import later
from netsmith.optim._closure import Closure, ask
from netsmith.optim._groups import Beta, DecayedConfig, descents, parameter_groups

__all__ = ["RMSProp"]


class RMSProp(torch.optim.RMSprop):
    r"""Divide each coordinate's gradient by a running root mean square of it; for recurrent and older networks.

    .. math::

        v \leftarrow \rho v + (1 - \rho) g^2, \qquad p \leftarrow p - \eta \, g / (\sqrt{v} + \epsilon)

    With ``momentum`` the quotients run into a velocity, which is what is subtracted. Unlike Adam's, ``v`` starts at
    zero without a correction, so that the first steps are larger: by :math:`1 / \sqrt{1 - \rho}` at the first. With
    ``start="gradient"`` it starts at the square of the first gradient, and the first step is :math:`\eta \,
    \mathrm{sign}(g)`. Otherwise torch's own rule. ``weight_decay`` is added to the gradient (L2), so it is scaled like
    it.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            decay: rho, the decay of the mean square, in [0, 1).
            momentum: Of the quotients; 0 for none.
            eps: Added to the root.
            start: What the mean square starts from: "zero", or the first "gradient".
        """

        lr: float = Field(default=1e-3, gt=0)
        decay: Beta = 0.9
        momentum: Beta = 0.0
        eps: float = Field(default=1e-8, ge=0)
        start: Literal["zero", "gradient"] = later("zero")

    def __init__(self, config: RMSProp.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, alpha=config.decay, momentum=config.momentum, eps=config.eps)
        self._from_gradient = config.start == "gradient"

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        if self._from_gradient:
            for parameter, gradient, _ in descents(self):
                state = self.state[parameter]
                if not state:  # all that torch would set up, since it takes a state that is not empty for its own
                    state["step"] = torch.zeros(())
                    state["square_avg"] = torch.zeros_like(parameter).addcmul_(gradient, gradient)
                    if self.defaults["momentum"]:
                        state["momentum_buffer"] = torch.zeros_like(parameter)
        super().step()
        return loss
