"""The network that feeds its output back (Jordan 1986)."""

from __future__ import annotations

from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.layers.recurrent.cell import Activation, Cell, State, activation_function, draw_uniform

__all__ = ["JordanCell"]


class JordanCell(Cell):
    r"""Hidden units that see the input and what the network answered one step before.

    Jordan (1986), "Attractor dynamics and parallelism in a connectionist sequential machine"; for slots Mesnil, He,
    Deng & Bengio (2013).

    .. math::
        h_t &= f(W x_t + U s_{t-1} + b), \qquad o_t = V h_t + c \\
        s_t &= \alpha\, s_{t-1} + g(o_t)

    The output is :math:`o_t`, before g: a loss takes logits. The state units :math:`s_t` are Jordan's; without
    ``decay`` they are the last answer alone, as in Mesnil et al.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Hidden units.
        output_size: Numbers per step that go out.
        activation: f.
        feedback: g, what of the output is fed back: ``softmax`` the probabilities of classes, ``identity`` the values.
        decay: alpha, how much a state unit keeps of itself, in [0, 1).

    Raises:
        ConfigError: A size below 1, or a decay outside of [0, 1).

    Example:
        >>> sum(p.numel() for p in JordanCell(10, 20, output_size=5).parameters())  # 20 * (10 + 5 + 1) + 5 * 21
        425
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        output_size: int,
        activation: Activation = "sigmoid",
        feedback: Activation = "softmax",
        decay: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, gates=1)
        if output_size < 1 or not 0 <= decay < 1:
            raise ConfigError(f"expected output_size >= 1 and decay in [0, 1), got {output_size} and decay={decay:g}")
        self.recurrent = nn.Linear(output_size, hidden_size, bias=False)  # U
        self.answer = nn.Linear(hidden_size, output_size)  # V, c
        self.activation = activation_function(activation)
        self.feedback = activation_function(feedback)
        self.decay = decay
        draw_uniform(self)

    @property
    def output_size(self) -> int:
        """Numbers per step that go out."""
        return self.answer.out_features

    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        hidden = self.activation(projected + self.recurrent(state[0]))
        output = self.answer(hidden)
        fed_back = self.feedback(output)
        return output, (self.decay * state[0] + fed_back if self.decay else fed_back,)
