"""One rule for the first weights of rectified networks (He et al. 2015, arXiv:1502.01852)."""

from __future__ import annotations

from typing import Literal

from torch import nn

__all__ = ["he_initialize"]


def he_initialize(module: nn.Module, *, nonlinearity: Literal["relu", "linear"] = "relu") -> None:
    r"""Draw every convolution and linear layer so that activations keep their variance; biases start at zero.

    .. math:: w \sim \mathcal N(0, g^2 / n)

    ``n`` is the layer's fan-in (Eq. 10 of the paper); ``g^2`` is 2 for ReLU and its kin, and 1 for ``linear``, which is
    LeCun's rule (1998) for tanh. Normalizations keep torch's scale 1 and shift 0. Numbers come from torch's default
    generator, which the engine seeds before it builds.

    Args:
        module: Whose layers are drawn, in place.
        nonlinearity: What follows the layers.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity)  # Eq. 10 or, with g = 1, LeCun's
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
