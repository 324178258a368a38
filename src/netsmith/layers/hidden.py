"""The two wide linear layers at the end of the first deep convolutional networks."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

__all__ = ["hidden_layers"]


def hidden_layers(in_features: int, hidden: int, *, dropout: float) -> nn.Sequential:
    """Return a map flattened, and twice a linear layer, ReLU and dropout (Krizhevsky et al. 2012, section 3.5).

    Args:
        in_features: Numbers of the flattened map.
        hidden: Units of each layer.
        dropout: Share of the units dropped in training.

    Shapes:
        ``(B, C, H, W)`` with ``C * H * W = in_features`` to ``(B, hidden)``.
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            linear1=nn.Linear(in_features, hidden),
            relu1=nn.ReLU(),
            dropout1=nn.Dropout(dropout),
            linear2=nn.Linear(hidden, hidden),
            relu2=nn.ReLU(),
            dropout2=nn.Dropout(dropout),
        )
    )
