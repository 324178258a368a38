"""How models draw their own first weights: the rule of :mod:`~netsmith.layers.initializers.he`, as most need it."""

from __future__ import annotations

from typing import Literal

from torch import nn

from netsmith.layers.initializers._drawn import fans_of
from netsmith.layers.initializers.he import He

__all__ = ["he_initialize"]


def he_initialize(module: nn.Module, *, nonlinearity: Literal["relu", "linear"] = "relu") -> None:
    r"""Draw every convolution and linear layer so that activations keep their variance; biases start at zero.

    .. math:: w \sim \mathcal N(0, g^2 / n)

    ``n`` is the layer's fan-in; ``g^2`` is 2 for ReLU and its kin, and 1 for ``linear``, which is LeCun's rule (1998)
    for tanh: :class:`~netsmith.layers.initializers.he.He` with ``slope`` 0 and 1. An experiment's ``initialize`` draws
    recurrent and attention layers as well, and each group of a convolution by itself; here both stay as they are.
    Normalizations keep torch's scale 1 and shift 0. Numbers come from torch's default generator, which the engine seeds
    before it builds.

    Args:
        module: Whose layers are drawn, in place.
        nonlinearity: What follows the layers.
    """
    rule = He(He.Config(slope=0.0 if nonlinearity == "relu" else 1.0))
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            rule.fill(layer.weight, fans_of(tuple(layer.weight.shape)), None)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
