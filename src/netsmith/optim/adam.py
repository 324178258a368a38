"""Adam (Kingma & Ba 2015, arXiv:1412.6980)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.core.config import later
from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["Adam"]


class Adam(torch.optim.Adam):
    r"""Scale each coordinate's step by running moments of its gradient; a safe first choice.

    .. math:: p \leftarrow p - \eta \, \hat m / (\sqrt{\hat v} + \epsilon)

    The first step is :math:`\eta \, \mathrm{sign}(g)` up to epsilon. ``weight_decay`` is added to the gradient (L2), so
    it is scaled like it; for decay that is not, see ``adamw``.

    With ``amsgrad`` the largest ``v`` so far takes the place of ``v`` (Reddi, Kale & Kumar 2018), so that a rare large
    gradient is never forgotten. Both as in torch: the largest is taken before the bias correction, which that paper
    leaves out.

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
            amsgrad: Divide by the largest second moment so far.
        """

        lr: float = Field(default=1e-3, gt=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        eps: float = Field(default=1e-8, ge=0)
        amsgrad: bool = later(False)

    def __init__(self, config: Adam.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, betas=config.betas, eps=config.eps, amsgrad=config.amsgrad)
