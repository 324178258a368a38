"""The simple recurrent network (Elman 1990)."""

from __future__ import annotations

from torch import Tensor, nn

from netsmith.layers.recurrent.cell import Activation, Cell, State, activation_function, draw_uniform

__all__ = ["ElmanCell"]


class ElmanCell(Cell):
    r"""Hidden units that see the input and themselves one step before.

    Elman (1990), "Finding structure in time", Cognitive Science 14.

    .. math:: h_t = f(W x_t + U h_{t-1} + b)

    With ``tanh`` or ``relu`` it is the function of ``torch.nn.RNNCell``.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Hidden units.
        activation: f: ``tanh``, ``relu``, ``sigmoid`` (Elman's own), or ``identity`` for a linear cell.

    Example:
        >>> sum(p.numel() for p in ElmanCell(10, 20).parameters())
        620
    """

    def __init__(self, input_size: int, hidden_size: int, *, activation: Activation = "tanh") -> None:
        super().__init__(input_size, hidden_size, gates=1)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)  # U
        self.activation = activation_function(activation)
        draw_uniform(self)

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden = self.activation(projected + self.recurrent(state[0]))
        return hidden, (hidden,)
