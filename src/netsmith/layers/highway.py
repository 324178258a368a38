"""Highway layers: gates that let numbers pass unchanged (Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from netsmith.layers.initialization import he_initialize

__all__ = ["Highway", "HighwayConv", "plain_layer"]

_Gate = TypeVar("_Gate", nn.Linear, nn.Conv2d)


def plain_layer(in_features: int, out_features: int, *, activation: Literal["relu", "tanh"]) -> nn.Sequential:
    """Return a linear layer and its activation: the paper's plain layer H(x) (Eq. 1).

    Weights are drawn by :func:`~netsmith.layers.initialization.he_initialize`: g^2 = 2 for ReLU, 1 for tanh.

    Args:
        in_features: Numbers that come in.
        out_features: Units.
        activation: After the linear layer.

    Shapes:
        ``(..., in_features)`` to ``(..., out_features)``.
    """
    relu = activation == "relu"
    layer = nn.Sequential(
        OrderedDict[str, nn.Module](
            linear=nn.Linear(in_features, out_features), activation=nn.ReLU() if relu else nn.Tanh()
        )
    )
    he_initialize(layer, nonlinearity="relu" if relu else "linear")
    return layer


class Highway(nn.Module):
    r"""A plain layer H beside its own input, mixed unit by unit by a gate that is learned.

    .. math::
        y &= H(x) \cdot T(x) + x \cdot C(x) \qquad \text{(Eq. 2)} \\
        y &= H(x) \cdot T(x) + x \cdot (1 - T(x)) \qquad \text{(Eq. 3, coupled)}

    with the transform gate :math:`T(x) = \sigma(W_T x + b_T)` and, where it is not coupled, the carry gate
    :math:`C(x) = \sigma(W_C x + b_C)`. T = 0 is the identity, T = 1 the plain layer; T = C = 1 is the residual form
    y = x + H(x). A negative ``transform_bias`` lets a deep stack start near the identity (section 2.2).

    Gate weights are drawn with g = 1; b_C starts at ``-transform_bias``, so that C = 1 - T where both weights are zero.

    Args:
        features: Numbers that come in, and units.
        activation: Of H.
        transform_bias: First value of b_T; the paper searches -1 to -10, lower for deeper networks.
        coupled: C = 1 - T (Eq. 3); else C is a gate with weights of its own (Eq. 2).

    Attributes:
        plain: H.
        gate: The linear layer inside T.
        carry: The one inside C, None where it is coupled.

    Shapes:
        ``(..., features)`` to the same.

    Example:
        >>> layer = Highway(3, transform_bias=-100.0)
        >>> layer(torch.tensor([1.0, -2.0, 3.0])).tolist()
        [1.0, -2.0, 3.0]
    """

    def __init__(
        self,
        features: int,
        *,
        activation: Literal["relu", "tanh"] = "relu",
        transform_bias: float = -2.0,
        coupled: bool = True,
    ) -> None:
        super().__init__()
        self.plain = plain_layer(features, features, activation=activation)
        self.gate = _gate(features, transform_bias)
        self.carry = None if coupled else _gate(features, -transform_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return y."""
        transform = torch.sigmoid(self.gate(x))
        carry = 1 - transform if self.carry is None else torch.sigmoid(self.carry(x))
        return self.plain(x) * transform + x * carry  # Eq. 2; Eq. 3 where coupled


class HighwayConv(nn.Module):
    r"""A convolution beside its own input, mixed map by map and pixel by pixel (arXiv:1507.06228, section 2).

    .. math:: y = H(x) \cdot T(x) + x \cdot (1 - T(x)) \qquad \text{(Eq. 3)}

    with :math:`H(x) = \mathrm{ReLU}(W_H * x + b_H)` and :math:`T(x) = \sigma(W_T * x + b_T)`, both of one kernel and
    padded with zeros, so that the map keeps its size. Weights are drawn as in :class:`Highway`.

    Args:
        channels: Maps that come in, and that go out.
        kernel: Height and width of both kernels; odd.
        transform_bias: First value of b_T; negative values start near the identity.

    Attributes:
        plain: H.
        gate: The convolution inside T.

    Shapes:
        ``(B, channels, H, W)`` to the same.

    Example:
        >>> maps = torch.randn(1, 2, 4, 4)
        >>> torch.equal(HighwayConv(2, transform_bias=-200.0)(maps), maps)
        True
    """

    def __init__(self, channels: int, *, kernel: int = 3, transform_bias: float = -2.0) -> None:
        super().__init__()
        conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        he_initialize(conv)
        self.plain = nn.Sequential(OrderedDict[str, nn.Module](conv=conv, activation=nn.ReLU()))
        self.gate = _closed(nn.Conv2d(channels, channels, kernel, padding=kernel // 2), transform_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return y."""
        transform = torch.sigmoid(self.gate(x))
        return self.plain(x) * transform + x * (1 - transform)  # Eq. 3


def _gate(features: int, bias: float) -> nn.Linear:
    return _closed(nn.Linear(features, features), bias)


def _closed(gate: _Gate, bias: float) -> _Gate:
    """Draw what is inside a gate."""
    he_initialize(gate, nonlinearity="linear")
    assert gate.bias is not None
    nn.init.constant_(gate.bias, bias)
    return gate
