"""Nadam: Adam with Nesterov's momentum (Dozat 2016, "Incorporating Nesterov Momentum into Adam")."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["Nadam"]


class Nadam(torch.optim.NAdam):
    r"""Adam that looks ahead along its momentum, which grows during the run; for what Adam trains.

    .. math::

        \mu_t = \beta_1 (1 - \tfrac12 \, 0.96^{t \psi}), \qquad
        p \leftarrow p - \eta \left( \frac{\mu_{t+1} m}{1 - \prod_{i \le t+1} \mu_i}
        + \frac{(1 - \mu_t) g}{1 - \prod_{i \le t} \mu_i} \right) / (\sqrt{\hat v} + \epsilon)

    torch's own rule, which keeps the product of the :math:`\mu_i` in torch's default precision (single) whatever that
    of the parameters. ``weight_decay`` is added to the gradient (L2), so it is scaled like it.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            betas: Decay of the first and of the second moment, each in [0, 1).
            momentum_decay: psi, how fast the momentum grows toward the first beta.
            eps: Added to the root of the second moment.
        """

        lr: float = Field(default=2e-3, gt=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        momentum_decay: float = Field(default=0.004, ge=0)
        eps: float = Field(default=1e-8, ge=0)

    def __init__(self, config: Nadam.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, betas=config.betas, eps=config.eps, momentum_decay=config.momentum_decay)
