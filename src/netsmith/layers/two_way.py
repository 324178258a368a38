"""A sigmoid layer that can be read in both directions: of a deep belief network, or of a stack of autoencoders."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.layers.restricted_boltzmann import Restricted

__all__ = ["TwoWay"]


class TwoWay(nn.Module):
    r"""Upwards :math:`\sigma(W v + c)`, downwards :math:`\sigma(W^T h + b)`.

    These are both the conditional probabilities of a restricted Boltzmann machine and an autoencoder with tied weights
    (Bengio et al. 2007). The downward bias b needs no gradient until somebody trains that direction.

    Args:
        visible: Numbers below.
        hidden: Units above.

    Shapes:
        ``(B, visible)`` to ``(B, hidden)``.
    """

    def __init__(self, visible: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(visible, hidden)
        self.visible_bias = nn.Parameter(torch.zeros(visible), requires_grad=False)

    def forward(self, visible: Tensor) -> Tensor:
        """Return the upward probabilities."""
        return torch.sigmoid(self.linear(visible))

    def machine(self) -> Restricted:
        """Return the layer as a restricted Boltzmann machine on the same tensors."""
        return Restricted(self.linear.weight, self.visible_bias, self.linear.bias)
