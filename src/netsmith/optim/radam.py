"""RAdam: rectified Adam (Liu et al. 2020, arXiv:1908.03265)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["RAdam"]


class RAdam(torch.optim.RAdam):
    r"""Adam that warms itself up: plain momentum until enough gradients are seen to trust their second moment.

    .. math::

        \rho_\infty = \frac{2}{1 - \beta_2} - 1, \quad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad
        r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}}

    .. math:: p \leftarrow p - \eta \, \hat m \; (\rho_t \le 5), \qquad
              p \leftarrow p - \eta \, r_t \, \hat m \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon) \; (\rho_t > 5)

    torch's own rule. Deviation: the paper adapts from :math:`\rho_t > 4`, torch, as the authors' code, from above 5:
    with the default betas from the sixth step instead of the fifth. Epsilon is added before the correction.
    ``weight_decay`` is added to the gradient (L2), so it is scaled like it.

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
            eps: Added to the root of the second moment.
        """

        lr: float = Field(default=1e-3, gt=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        eps: float = Field(default=1e-8, ge=0)

    def __init__(self, config: RAdam.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, betas=config.betas, eps=config.eps)
