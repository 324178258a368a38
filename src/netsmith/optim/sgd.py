"""Stochastic gradient descent with momentum (Robbins & Monro 1951; Polyak 1964; Nesterov 1983)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import nn

from netsmith.optim._groups import DecayedConfig, parameter_groups

__all__ = ["SGD"]


class SGD(torch.optim.SGD):
    r"""Descend along the gradient with momentum; the usual choice for convolutional networks.

    .. math:: v \leftarrow \mu v + g + \lambda p, \qquad p \leftarrow p - \eta v

    With ``nesterov`` the step is :math:`\eta (g + \lambda p + \mu v)`: the look-ahead form (``nesterov``) seen from the
    point it looks at, equal to it while the rate is constant. torch's own rule, with the rate outside ``v``; for the
    rate inside, see ``momentum``. ``weight_decay`` is added to the gradient (L2).

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            momentum: Share of the previous step that is kept, in [0, 1).
            nesterov: Look ahead along the momentum before taking the gradient's step.
        """

        momentum: float = Field(default=0.0, ge=0, lt=1)
        nesterov: bool = False

        @model_validator(mode="after")
        def _check(self) -> SGD.Config:
            if self.nesterov and not self.momentum:
                raise ValueError("nesterov needs a momentum above 0")
            return self

    def __init__(self, config: SGD.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov)
