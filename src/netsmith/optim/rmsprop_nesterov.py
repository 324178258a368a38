"""RMSProp with Nesterov's momentum (Goodfellow, Bengio & Courville 2016, "Deep Learning", algorithm 8.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._closure import Closure
from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups
from netsmith.optim._look_ahead import gradients_ahead

__all__ = ["RMSPropNesterov"]


class RMSPropNesterov(torch.optim.Optimizer):
    r"""RMSProp whose gradient is taken where its velocity is about to carry the parameters.

    .. math::

        g = \nabla f(p + \alpha v), \quad r \leftarrow \rho r + (1 - \rho) g^2, \quad
        v \leftarrow \alpha v - \frac{\eta}{\sqrt{r} + \epsilon} g, \quad p \leftarrow p + v

    Our ``momentum`` is the book's alpha, ``decay`` its rho, ``lr`` its epsilon. Deviation: our epsilon, which algorithm
    8.6 has not, keeps a gradient that is always zero from dividing by its root. The loss in the log is that of the
    point looked ahead. ``weight_decay`` is added to the gradient there (L2), so it is scaled like it. Ours: torch's
    RMSprop knows the heavy ball only, with the rate outside the velocity.

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
            momentum: alpha, the share of the velocity that is kept, in (0, 1).
            eps: Added to the root, above 0.
        """

        needs_closure: ClassVar[bool] = True

        lr: float = Field(default=1e-3, gt=0)
        decay: Beta = 0.9
        momentum: float = Field(default=0.9, gt=0, lt=1)
        eps: float = Field(default=1e-8, gt=0)

    def __init__(self, config: RMSPropNesterov.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), {"lr": config.lr})
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float:  # type: ignore[override]
        """Step once; return the loss at the point looked ahead."""
        config = self.config
        loss, found = gradients_ahead(self, closure, momentum=config.momentum)
        for parameter, gradient, rate in found:
            state = self.state[parameter]
            if not state:
                state |= {name: torch.zeros_like(parameter) for name in ("square_avg", "velocity")}
            square = state["square_avg"].mul_(config.decay).addcmul_(gradient, gradient, value=1 - config.decay)
            velocity = state["velocity"].mul_(config.momentum)
            parameter.add_(velocity.addcdiv_(gradient, square.sqrt().add_(config.eps), value=-rate))
        return loss
