"""RMSProp (Tieleman & Hinton 2012, "Neural Networks for Machine Learning", lecture 6.5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["RMSProp"]


class RMSProp(torch.optim.RMSprop):
    r"""Divide each coordinate's gradient by a running root mean square of it; for recurrent and older networks.

    .. math::

        v \leftarrow \rho v + (1 - \rho) g^2, \qquad p \leftarrow p - \eta \, g / (\sqrt{v} + \epsilon)

    With ``momentum`` the quotients run into a velocity, which is what is subtracted. Unlike Adam's, ``v`` starts at
    zero without a correction, so that the first steps are larger: by :math:`1 / \sqrt{1 - \rho}` at the first.

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
        """

        lr: float = Field(default=1e-3, gt=0)
        decay: Beta = 0.9
        momentum: Beta = 0.0
        eps: float = Field(default=1e-8, ge=0)

    def __init__(self, config: RMSProp.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, alpha=config.decay, momentum=config.momentum, eps=config.eps)
