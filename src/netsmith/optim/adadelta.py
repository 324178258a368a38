"""Adadelta (Zeiler 2012, arXiv:1212.5701)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["Adadelta"]


class Adadelta(torch.optim.Adadelta):
    r"""Steps in the parameters' own units, without a rate to choose: past steps over past gradients.

    .. math::

        v \leftarrow \rho v + (1 - \rho) g^2, \quad
        d = \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}} \, g, \quad
        u \leftarrow \rho u + (1 - \rho) d^2, \quad p \leftarrow p - \eta d

    torch's own rule; the paper has no rate (:math:`\eta = 1`, the default). Epsilon stands inside both roots, and
    the first step is about :math:`\sqrt{\epsilon / (1 - \rho)}`, so the start is slow. ``weight_decay`` is added to
    the gradient (L2), so it is scaled like it.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            decay: rho, the decay of both mean squares, in [0, 1).
            eps: Added to both mean squares; 0 would never take a first step.
        """

        lr: float = Field(default=1.0, gt=0)
        decay: Beta = 0.9
        eps: float = Field(default=1e-6, gt=0)

    def __init__(self, config: Adadelta.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, rho=config.decay, eps=config.eps)
