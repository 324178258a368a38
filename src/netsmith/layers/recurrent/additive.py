"""Cells that only add to their state: the way of the gradient through time is open by construction."""

from __future__ import annotations

from torch import Tensor, nn

from netsmith.layers.recurrent.cell import Activation, Cell, State, activation_function, draw_uniform

__all__ = ["AdditiveCell"]


class AdditiveCell(Cell):
    r"""A state to which each step adds.

    .. math::
        h_t = h_{t-1} + g(W x_t + b), \qquad\text{or with \texttt{recurrent}}\qquad
        h_t = h_{t-1} + g(U h_{t-1} + W x_t + b)

    Of the first, :math:`\partial h_t / \partial h_s = I` at any distance: nothing vanishes, and nothing is forgotten.
    It is an LSTM whose gates are all open, or a residual network (He et al. 2016) through time.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Units.
        recurrent: Whether what is added depends on the state.
        activation: g.

    Example:
        >>> [sum(p.numel() for p in AdditiveCell(10, 20, recurrent=which).parameters()) for which in (False, True)]
        [220, 620]
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, recurrent: bool = False, activation: Activation = "tanh"
    ) -> None:
        super().__init__(input_size, hidden_size, gates=1)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False) if recurrent else None  # U
        self.activation = activation_function(activation)
        draw_uniform(self)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        (hidden,) = state
        added = projected if self.recurrent is None else projected + self.recurrent(hidden)
        hidden = hidden + self.activation(added)
        return hidden, (hidden,)
