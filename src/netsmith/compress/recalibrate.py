"""Statistics of batch normalization after a cut: measured anew, so that a network is judged as tuning will find it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["recalibrate"]


def recalibrate(module: nn.Module, batches: Iterable[Any]) -> nn.Module:
    """Set the running statistics of batch normalizations to the mean of those of some batches, in place.

    What a network loses when channels go is mostly that its normalizations still expect them. Judged with statistics of
    its own it tells far better how it will do once tuned: adaptive batch normalization, Li, Wu, Su & Wang 2020
    (EagleEye, arXiv:2007.02491, section 3.3). Nothing is learned, and modes are left as found. A network without
    running statistics stays as it is, and nothing is asked of ``batches``.

    Args:
        module: The network that was cut, or masked.
        batches: Inputs of training examples, as the module takes them; a few hundred examples do.

    Returns:
        The module.
    """
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.running_mean is not None]
    if not norms:
        return module
    modes = [(part, part.training) for part in module.modules()]
    momenta = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over the batches
    try:
        with torch.no_grad():
            for inputs in batches:
                module(inputs)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for part, training in modes:
            part.training = training
    return module
