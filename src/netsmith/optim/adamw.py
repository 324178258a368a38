"""AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["AdamW"]


class AdamW(torch.optim.AdamW):
    r"""Adam whose weight decay bypasses the moments; the usual choice for transformers.

    .. math:: p \leftarrow p - \eta \lambda p - \eta \, \hat m / (\sqrt{\hat v} + \epsilon)

    The decay is multiplied by the scheduled learning rate, as in torch (the paper multiplies by the schedule alone).

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
        weight_decay: float = Field(default=0.01, ge=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        eps: float = Field(default=1e-8, ge=0)

    def __init__(self, config: AdamW.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), lr=config.lr, betas=config.betas, eps=config.eps)
