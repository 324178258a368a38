"""Adagrad (Duchi, Hazan & Singer 2011, JMLR 12:2121)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._groups import DecayedConfig, parameter_groups

__all__ = ["Adagrad"]


class Adagrad(torch.optim.Adagrad):
    r"""Divide each coordinate's gradient by the root of the sum of all its squares; for sparse features.

    .. math:: s \leftarrow s + g^2, \qquad p \leftarrow p - \eta \, g / (\sqrt{s} + \epsilon)

    torch's own rule. The sum only grows, so the steps only shrink: long trainings stall, which Adadelta and RMSProp
    mend. Epsilon stands outside the root; the first step is :math:`\eta \, \mathrm{sign}(g)` up to it. ``weight_decay``
    is added to the gradient (L2), so it is scaled like it.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            initial: What every sum of squares starts from.
            eps: Added to the root.
        """

        lr: float = Field(default=0.01, gt=0)
        initial: float = Field(default=0.0, ge=0)
        eps: float = Field(default=1e-10, ge=0)

    def __init__(self, config: Adagrad.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        groups = parameter_groups(parameters, config)
        super().__init__(groups, lr=config.lr, initial_accumulator_value=config.initial, eps=config.eps)
