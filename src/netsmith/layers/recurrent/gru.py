"""The gated recurrent unit, in both of its forms (Cho et al. 2014)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.layers.recurrent.cell import Cell, State, draw_uniform

__all__ = ["GRUCell"]


class GRUCell(Cell):
    r"""Units that decide how much of themselves they replace.

    .. math::
        r_t &= \sigma(W_r x_t + U_r h_{t-1} + b_r), \qquad z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z) \\
        n_t &= \tanh(W_n x_t + U_n (r_t \odot h_{t-1}) + b_n) \quad\text{reset before the product} \\
        n_t &= \tanh(W_n x_t + b_n + r_t \odot (U_n h_{t-1} + d)) \quad\text{reset after the product} \\
        h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}

    ``before`` is the paper's (Cho et al. 2014, arXiv:1406.1078, Eq. 5 to 8); ``after`` is that of cuDNN and of
    ``torch.nn.GRUCell``, where one product serves all gates. In Chung et al. (2014, arXiv:1412.3555) z and 1 - z change
    places. The rows of the weights are r, z, n, as torch's.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Units.
        reset: ``before`` or ``after``.

    Raises:
        ConfigError: Another ``reset``.

    Example:
        >>> [sum(p.numel() for p in GRUCell(10, 20, reset=reset).parameters()) for reset in ("before", "after")]
        [1860, 1880]
    """

    def __init__(self, input_size: int, hidden_size: int, *, reset: Literal["before", "after"] = "after") -> None:
        if reset not in ("before", "after"):
            raise ConfigError(f"reset={reset!r}: expected before or after")
        super().__init__(input_size, hidden_size, gates=3)
        self.reset = reset
        after = reset == "after"  # one product for all gates, before it two
        self.recurrent = nn.Linear(hidden_size, (3 if after else 2) * hidden_size, bias=False)  # U
        self.candidate = None if after else nn.Linear(hidden_size, hidden_size, bias=False)  # U_n
        self.candidate_bias = nn.Parameter(torch.zeros(hidden_size)) if after else None  # d
        draw_uniform(self)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        (hidden,) = state
        for_reset, for_keep, for_new = projected.chunk(3, dim=-1)
        if self.candidate is not None:
            back = self.recurrent(hidden).chunk(2, dim=-1)
        else:
            *back, product = self.recurrent(hidden).chunk(3, dim=-1)
        reset = torch.sigmoid(for_reset + back[0])
        keep = torch.sigmoid(for_keep + back[1])
        if self.candidate is not None:
            new = torch.tanh(for_new + self.candidate(reset * hidden))  # Eq. 8
        else:
            new = torch.tanh(for_new + reset * (product + self.candidate_bias))
        hidden = (1 - keep) * new + keep * hidden  # Eq. 7
        return hidden, (hidden,)
