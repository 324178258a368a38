"""The stack of linear layers that the small multilayer perceptrons share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from torch import nn

__all__ = ["Activation", "perceptron"]

Activation = Literal["relu", "leaky_relu", "tanh"]


def perceptron(sizes: Sequence[int], *, activation: Activation) -> nn.Sequential:
    """Return linear layers of these sizes with an activation between each two; the last one stays linear.

    Args:
        sizes: Inputs, hidden layers, outputs.
        activation: ``relu``, ``leaky_relu`` (slope 0.2) or ``tanh``.
    """
    kinds = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh}
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), kinds[activation]()]
    return nn.Sequential(*layers[:-1])
