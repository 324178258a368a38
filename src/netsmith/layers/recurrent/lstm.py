"""Long short-term memory: plain, without forget gate, with peepholes, with coupled gates."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.layers.recurrent.cell import Cell, State, draw_uniform

__all__ = ["LSTMCell"]


class LSTMCell(Cell):
    r"""A memory that gates write, keep and read.

    .. math::
        i_t &= \sigma(W_i x_t + U_i h_{t-1} + p_i \odot c_{t-1} + b_i) \\
        f_t &= \sigma(W_f x_t + U_f h_{t-1} + p_f \odot c_{t-1} + b_f) \\
        g_t &= \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + U_o h_{t-1} + p_o \odot c_t + b_o), \qquad h_t = o_t \odot \tanh(c_t)

    - plain, p = 0: Gers, Schmidhuber & Cummins (2000); the function of ``torch.nn.LSTMCell``.
    - ``forget="none"``: f = 1, the first form (Hochreiter & Schmidhuber 1997).
    - ``forget="coupled"``: f = 1 - i (Greff et al. 2016, arXiv:1503.04069).
    - ``peepholes``: p is learned (Gers & Schmidhuber 2000); it starts at 0, where the cell is the one without.

    The rows of the weights are the gates in torch's order i, f, g, o; without a forget gate of its own i, g, o. The
    rows of the peepholes are i, f, o, or i, o.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Cells, and outputs.
        forget: ``gate``, ``none`` or ``coupled``.
        peepholes: Whether gates see the memory.
        forget_bias: What the forget gate's bias starts at (Gers et al.: 1, open); None draws it like the others.

    Raises:
        ConfigError: Another ``forget``, or a ``forget_bias`` without a forget gate of its own.

    Example:
        >>> [sum(p.numel() for p in LSTMCell(10, 20, forget=forget).parameters()) for forget in ("gate", "coupled")]
        [2480, 1860]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        forget: Literal["gate", "none", "coupled"] = "gate",
        peepholes: bool = False,
        forget_bias: float | None = None,
    ) -> None:
        if forget not in ("gate", "none", "coupled"):
            raise ConfigError(f"forget={forget!r}: expected gate, none or coupled")
        if forget != "gate" and forget_bias is not None:
            raise ConfigError(f"forget_bias={forget_bias:g}: a cell with forget={forget!r} has no such bias")
        gates = 4 if forget == "gate" else 3
        super().__init__(input_size, hidden_size, gates=gates)
        self.forget = forget
        self.recurrent = nn.Linear(hidden_size, gates * hidden_size, bias=False)  # U
        draw_uniform(self)
        self.peepholes = nn.Parameter(torch.zeros(gates - 1, hidden_size)) if peepholes else None  # p
        if forget_bias is not None:
            with torch.no_grad():
                self.inputs.bias[hidden_size : 2 * hidden_size] = forget_bias

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Sizes of h and c."""
        return (self.hidden_size, self.hidden_size)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden, memory = state
        gates = (projected + self.recurrent(hidden)).chunk(4 if self.forget == "gate" else 3, dim=-1)
        seen = [0.0] * len(gates) if self.peepholes is None else [*(p * memory for p in self.peepholes[:-1]), 0.0]
        write = torch.sigmoid(gates[0] + seen[0])
        candidate = torch.tanh(gates[-2])
        if self.forget == "gate":
            kept = torch.sigmoid(gates[1] + seen[1]) * memory
        else:
            kept = memory if self.forget == "none" else (1 - write) * memory
        memory = kept + write * candidate
        read = torch.sigmoid(gates[-1] if self.peepholes is None else gates[-1] + self.peepholes[-1] * memory)
        hidden = read * torch.tanh(memory)
        return hidden, (hidden, memory)
