"""Elman's recurrence of sigmoid units on torch's fused kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["SigmoidRecurrence"]


class SigmoidRecurrence(nn.Module):
    r"""Sigmoid units that see their inputs and all of themselves one step before, many times faster than step by step.

    .. math:: s_t = \sigma(x_t + W s_{t-1})

    (Elman 1990; Mikolov et al. 2010, Eq. 1 to 3.) As :math:`\sigma(a) = (1 + \tanh(a / 2)) / 2`, torch's kernel for
    tanh computes :math:`h = 2 s - 1`: :math:`h_t = \tanh(x_t / 2 + W h_{t-1} / 4 + W 1 / 4)`.

    Args:
        hidden_size: Units.

    Shapes:
        ``(T, B, hidden_size)`` and a state ``(B, hidden_size)`` to the states ``(T, B, hidden_size)`` and the last.

    Example:
        >>> states, last = SigmoidRecurrence(3)(torch.zeros(5, 2, 3), torch.full((2, 3), 0.5))
        >>> states.shape, torch.equal(states[-1], last)
        (torch.Size([5, 2, 3]), True)
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.empty(hidden_size, hidden_size))  # W
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as torch's linear layers are drawn

    def forward(self, x: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states and the last of them."""
        weight = self.weight
        one, constant = torch.eye(len(weight), dtype=x.dtype, device=x.device), weight.sum(1) / 4
        weights = (one, weight / 4, constant, torch.zeros_like(constant))
        states, last = torch.rnn_tanh(x / 2, (2 * start - 1)[None], weights, True, 1, 0.0, False, False, False)
        return (1 + states) / 2, (1 + last[0]) / 2

    def extra_repr(self) -> str:
        return f"{self.hidden_size}"
