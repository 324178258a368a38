"""Adamax (Kingma & Ba 2015, arXiv:1412.6980, section 7.1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["Adamax"]


class Adamax(torch.optim.Adamax):
    r"""Adam with the largest recent gradient in place of the root mean square; steady where gradients burst.

    .. math::

        u \leftarrow \max(\beta_2 u, |g| + \epsilon), \qquad p \leftarrow p - \frac{\eta}{1 - \beta_1^t} \, m / u

    torch's own rule: epsilon, which the paper has not, keeps a gradient that is always zero from dividing by it. No
    step is larger than :math:`\eta` by much. ``weight_decay`` is added to the gradient (L2), so it is scaled like it.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            betas: Decay of the first moment and of the largest gradient, each in [0, 1).
            eps: Added to the size of each gradient.
        """

        lr: float = Field(default=2e-3, gt=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        eps: float = Field(default=1e-8, ge=0)

    def __init__(self, config: Adamax.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, betas=config.betas, eps=config.eps)
