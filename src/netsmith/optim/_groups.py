"""What every optimizer shares: its common fields, and which parameters are decayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import later
from netsmith.core.errors import ConfigError
from netsmith.core.roles import OptimizerConfig, ScheduleConfig
from netsmith.layers.layer_groups import layer_groups
from netsmith.optim.schedules.constant import Constant

__all__ = ["Beta", "DecayedConfig", "Descent", "descents", "parameter_groups"]

Beta = Annotated[float, Field(ge=0, lt=1)]
"""The decay of a running mean."""


class DecayedConfig(OptimizerConfig):
    """The fields every optimizer has.

    Attributes:
        lr: The learning rate that the schedule's factor multiplies.
        weight_decay: Strength of the pull toward zero.
        decay_norms: Whether biases and normalization parameters (all vectors and scalars) are decayed too.
        schedule: The factor on the learning rate.
        layer_decay: Each layer's rate is that of the layer above it divided by this (discriminative fine-tuning: 2.6 in
            Howard & Ruder 2018, arXiv:1801.06146, section 3.2); the last layer has ``lr``. 1: all have it. The order
            is the player's: in ``supervised``, ``fine_tuning`` and distillation that in which the network registers
            its parts, but for the entry and the head that it names; elsewhere that of registration alone.
    """

    lr: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    decay_norms: bool = True
    schedule: ScheduleConfig = Constant.Config()
    layer_decay: float = later(1.0, ge=1)


def parameter_groups(parameters: Mapping[str, nn.Parameter], config: DecayedConfig) -> list[dict[str, Any]]:
    """Return torch's parameter groups; each carries ``names``, parallel to ``params``.

    Biases and the scales and shifts of normalizations are recognized as what they have in common: at most one axis.

    Args:
        parameters: A player's parameters by name.
        config: Says what is decayed.

    Raises:
        ConfigError: There is no parameter.
    """
    if not parameters:
        raise ConfigError(f"{config!r} was given no parameter; a player needs at least one that requires a gradient")
    if config.layer_decay == 1:
        return _by_decay(parameters, config)
    groups = []
    layers = layer_groups(parameters)
    for depth, names in enumerate(reversed(layers)):  # the last layer first
        rate = config.lr / config.layer_decay**depth
        layer = _by_decay({name: parameters[name] for name in names}, config)
        groups = [*({**group, "lr": rate} for group in layer), *groups]
    return groups


def _by_decay(parameters: Mapping[str, nn.Parameter], config: DecayedConfig) -> list[dict[str, Any]]:
    if config.decay_norms or not config.weight_decay:
        return [_group(parameters, config.weight_decay)]
    matrices = {name: p for name, p in parameters.items() if p.dim() > 1}
    vectors = {name: p for name, p in parameters.items() if p.dim() <= 1}
    groups = [_group(matrices, config.weight_decay), _group(vectors, 0.0)]
    return [group for group in groups if group["params"]]


def _group(parameters: Mapping[str, nn.Parameter], weight_decay: float) -> dict[str, Any]:
    return {"params": list(parameters.values()), "names": list(parameters), "weight_decay": weight_decay}


class Descent(NamedTuple):
    """One parameter that a step moves.

    Attributes:
        parameter: Of any shape.
        gradient: Of its shape, with the L2 decay's; not the parameter's own tensor where it is decayed.
        rate: The learning rate of its group, now.
    """

    parameter: nn.Parameter
    gradient: Tensor
    rate: float


def descents(optimizer: torch.optim.Optimizer) -> Iterator[Descent]:
    """Yield every parameter that has a gradient; one that has none is passed over, as torch's optimizers do."""
    for group in optimizer.param_groups:
        decay = group["weight_decay"]
        for parameter in group["params"]:
            if parameter.grad is not None:
                gradient = parameter.grad.add(parameter, alpha=decay) if decay else parameter.grad
                yield Descent(parameter, gradient, group["lr"])
