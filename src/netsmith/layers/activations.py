"""Activation functions with their derivatives written out, beside torch's own where torch has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ACTIVATIONS", "ActivationPair", "GELUSigmoid", "maxout_derivative"]

_LEAK = 0.01
_PRELU = 0.25  # where a learned slope begins (He et al. 2015)
_ELU = 1.0
_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715
_SIGMOID_SCALE = 1.702


class ActivationPair(NamedTuple):
    """An elementwise function and its derivative.

    Attributes:
        value: The function; torch's where ``torch_name`` says so.
        derivative: Written out, as a textbook has it.
        formula: As text.
        slope: The derivative, as text.
        torch_name: Torch's function; ``""`` where torch has none.
    """

    value: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]
    formula: str
    slope: str
    torch_name: str


class GELUSigmoid(nn.Module):
    r"""The sigmoid form of the Gaussian error linear unit, which torch lacks (Hendrycks & Gimpel 2016, section 2).

    .. math:: x \, \sigma(1.702 x) \approx x \Phi(x)

    One exponential instead of an error function; it misses by up to 0.0203. ``nn.GELU("tanh")`` is the closer form.

    Shapes:
        Any, elementwise.

    Example:
        >>> GELUSigmoid()(torch.tensor([1.0], dtype=torch.float64))
        tensor([0.8458], dtype=torch.float64)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the function of each element."""
        return _gelu_sigmoid(x)


def _gelu_sigmoid(x: Tensor) -> Tensor:
    return x * torch.sigmoid(_SIGMOID_SCALE * x)


def _sigmoid_slope(x: Tensor) -> Tensor:
    answer = torch.sigmoid(x)
    return answer * (1 - answer)


def _step(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def _leaky_slope(leak: float) -> Callable[[Tensor], Tensor]:
    return lambda x: _step(x) + leak * (1 - _step(x))


def _elu_slope(x: Tensor) -> Tensor:
    return _step(x) + (1 - _step(x)) * _ELU * torch.exp(x.clamp(max=0))  # no infinity times 0 on the right


def _silu_slope(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * (1 + x * (1 - torch.sigmoid(x)))


def _gelu_slope(x: Tensor) -> Tensor:
    return torch.special.ndtr(x) + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def _gelu_tanh_slope(x: Tensor) -> Tensor:
    inner = torch.tanh(_TANH_SCALE * (x + _TANH_CUBE * x**3))
    return (1 + inner) / 2 + x / 2 * (1 - inner**2) * _TANH_SCALE * (1 + 3 * _TANH_CUBE * x**2)


def _gelu_sigmoid_slope(x: Tensor) -> Tensor:
    answer = torch.sigmoid(_SIGMOID_SCALE * x)
    return answer + _SIGMOID_SCALE * x * answer * (1 - answer)


ACTIVATIONS: Mapping[str, ActivationPair] = MappingProxyType(
    {
        "sigmoid": ActivationPair(torch.sigmoid, _sigmoid_slope, "1 / (1 + e^-x)", "σ (1 - σ)", "torch.sigmoid"),
        "tanh": ActivationPair(torch.tanh, lambda x: 1 - torch.tanh(x) ** 2, "tanh x", "1 - tanh²", "torch.tanh"),
        "relu": ActivationPair(F.relu, _step, "max(0, x)", "I(x > 0)", "F.relu"),
        "leaky_relu": ActivationPair(
            lambda x: F.leaky_relu(x, _LEAK),
            _leaky_slope(_LEAK),
            f"max(0, x) + {_LEAK:g} min(0, x)",
            f"I(x > 0) + {_LEAK:g} I(x ≤ 0)",
            "F.leaky_relu",
        ),
        "prelu": ActivationPair(
            lambda x: F.prelu(x, x.new_tensor([_PRELU])),
            _leaky_slope(_PRELU),
            f"max(0, x) + a min(0, x), a = {_PRELU:g} at first",
            "I(x > 0) + a I(x ≤ 0)",
            "F.prelu",
        ),
        "elu": ActivationPair(
            lambda x: F.elu(x, _ELU),
            _elu_slope,
            f"x where x > 0, γ (e^x - 1) elsewhere, γ = {_ELU:g}",
            "I(x > 0) + I(x ≤ 0) γ e^x",
            "F.elu",
        ),
        "softplus": ActivationPair(  # torch's own threshold, 20, would drop 2e-9
            lambda x: F.softplus(x, threshold=40), torch.sigmoid, "log(1 + e^x)", "σ(x)", "F.softplus"
        ),
        "silu": ActivationPair(F.silu, _silu_slope, "x σ(x)", "σ (1 + x (1 - σ))", "F.silu"),
        "gelu": ActivationPair(F.gelu, _gelu_slope, "x Φ(x)", "Φ(x) + x φ(x)", "F.gelu"),
        "gelu_tanh": ActivationPair(
            lambda x: F.gelu(x, approximate="tanh"),
            _gelu_tanh_slope,
            "x (1 + tanh u) / 2, u = √(2/π) (x + 0.044715 x³)",
            "(1 + tanh u) / 2 + x (1 - tanh² u) u' / 2",
            'F.gelu(approximate="tanh")',
        ),
        "gelu_sigmoid": ActivationPair(_gelu_sigmoid, _gelu_sigmoid_slope, "x σ(1.702 x)", "σ + 1.702 x σ (1 - σ)", ""),
    }
)
"""The elementwise functions; ReLU's and its kin's derivative at 0 is that of their left side, as torch's is."""


def maxout_derivative(x: Tensor, pieces: int) -> Tensor:
    """Return the derivative of each of :class:`~netsmith.layers.maxout.Maxout`'s answers by its own pieces.

    It is 1 for the largest piece and 0 for the others; equally large ones share it.

    Args:
        x: ``(B, C * pieces, ...)``, what Maxout is given.
        pieces: Of each unit.

    Returns:
        As ``x``.

    Example:
        >>> maxout_derivative(torch.tensor([[1.0, 3.0, -2.0, -5.0]]), 2)
        tensor([[0., 1., 1., 0.]])
    """
    grouped = x.unflatten(1, (-1, pieces))
    largest = (grouped == grouped.amax(2, keepdim=True)).to(x.dtype)
    return (largest / largest.sum(2, keepdim=True)).flatten(1, 2)
