"""The contract of a recurrent cell: one step from an input and a state to an output and the next state."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["Activation", "Cell", "State", "activation_function", "draw_uniform"]

State = tuple[Tensor, ...]
"""What a cell keeps from step to step: ``(B, S)`` tensors, as many as the cell has ``state_sizes``."""

Activation = Literal["tanh", "relu", "sigmoid", "identity", "softmax"]


class Cell(nn.Module, abc.ABC):
    """Abstract: one step of a recurrent network, whatever runs it over a sequence.

    The input's part of a step does not wait for the state, so that it is one product for a whole sequence
    (:meth:`project`); :meth:`step` does the rest. Calling the cell does both, for one step.

    Each gate has one bias, where torch's modules add two. All sizes are those of the weights, so that they stay true of
    a network that was cut.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Hidden units.
        gates: Blocks of ``hidden_size`` rows that the input's weights have.

    Shapes:
        ``(B, input_size)`` and a state of ``(B, S)`` to ``(B, output_size)`` and a state.

    Raises:
        ConfigError: A size below 1.
    """

    def __init__(self, input_size: int, hidden_size: int, *, gates: int) -> None:
        super().__init__()
        if input_size < 1 or hidden_size < 1:
            raise ConfigError(
                f"{type(self).__name__} needs sizes of at least 1, got input_size={input_size}, "
                f"hidden_size={hidden_size}"
            )
        self.gates = gates
        self.inputs = nn.Linear(input_size, gates * hidden_size)  # W and b

    @property
    def input_size(self) -> int:
        """Numbers per step that come in."""
        return self.inputs.in_features

    @property
    def hidden_size(self) -> int:
        """Hidden units."""
        return self.inputs.out_features // self.gates

    @property
    def output_size(self) -> int:
        """Numbers per step that go out: the hidden units by default."""
        return self.hidden_size

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Sizes of the tensors of the state: one, as large as the output, by default."""
        return (self.output_size,)

    def start(self, batch: int) -> State:
        """Return the state before the first step: zeros."""
        return tuple(self.inputs.weight.new_zeros(batch, size) for size in self.state_sizes)

    def project(self, x: Tensor) -> Tensor:
        """Return the input's part of any number of steps: ``(..., input_size)`` to ``(..., gates * hidden_size)``."""
        return self.inputs(x)

    @abc.abstractmethod
    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the output ``(B, output_size)`` and the next state of one step, given the input's part of it."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the output and the next state of one step; without a state it is the first."""
        return self.step(self.project(x), self.start(len(x)) if state is None else state)


def activation_function(name: Activation) -> Callable[[Tensor], Tensor]:
    """Return a function of each unit, or of the last axis (``softmax``).

    Raises:
        ConfigError: Another name.
    """
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "tanh": torch.tanh,
        "relu": torch.relu,
        "sigmoid": torch.sigmoid,
        "identity": _same,
        "softmax": _softmax,
    }
    if name not in functions:
        raise ConfigError(f"activation={name!r}: expected one of {', '.join(functions)}")
    return functions[name]


def _same(x: Tensor) -> Tensor:
    return x


def _softmax(x: Tensor) -> Tensor:
    return x.softmax(-1)


@torch.no_grad()
def draw_uniform(cell: Cell) -> None:
    r"""Draw all weights and biases from :math:`U(-1/\sqrt{H}, 1/\sqrt{H})`, torch's rule for its recurrent modules."""
    bound = 1 / math.sqrt(cell.hidden_size)
    for parameter in cell.parameters():
        parameter.uniform_(-bound, bound)
