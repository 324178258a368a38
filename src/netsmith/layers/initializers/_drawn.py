"""What all initializers share: which weights are drawn, how many inputs and outputs they have, what biases start at."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from netsmith.core.errors import ConfigError, did_you_mean
from netsmith.core.roles import InitializerConfig
from netsmith.engine.initializer import Initializer
from netsmith.layers.biases import constant_biases, forget_gate_biases

__all__ = ["Drawn", "DrawnConfig", "Fans", "fans_of"]


class DrawnConfig(InitializerConfig):
    """The fields of every initializer.

    Attributes:
        bias: What the biases of linear and convolution layers start at; those of other layers start at 0.
        forget_bias: What the biases of LSTMs' forget gates start at.
        leave: Names of modules that keep what their model gave them: a gate that starts closed, a layer that must
            begin at the identity (``model.localization``).
    """

    bias: float = 0.0
    forget_bias: float = 1.0
    leave: tuple[str, ...] = ()


class Fans(NamedTuple):
    """How many numbers one unit of a layer reads, and how many units read one number.

    Attributes:
        inputs: The fan-in.
        outputs: The fan-out.
    """

    inputs: int
    outputs: int


def fans_of(shape: tuple[int, ...]) -> Fans:
    """Return the fans of a weight ``(outputs, inputs, *kernel)``; of a grouped convolution, that of one group."""
    kernel = math.prod(shape[2:])
    return Fans(shape[1] * kernel, shape[0] * kernel)


class Drawn(Initializer):
    """An initializer that draws each weight by itself.

    Drawn are the weights of linear, convolution, recurrent (gate by gate) and attention layers (query, key and value
    apart), each group of a grouped convolution by itself: its fans are that group's, where torch's rules count the
    outputs of all. What else a network has (normalizations, embeddings, parameters of its own) and what is frozen
    stays; a linear layer that shares its weight with an embedding draws it.

    Args:
        config: The fields of the kind.
    """

    def __init__(self, config: DrawnConfig) -> None:
        self.rules = config

    @abc.abstractmethod
    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:
        """Draw one weight, in place: ``(outputs, inputs, *kernel)``."""

    @torch.no_grad()
    def __call__(
        self,
        module: nn.Module,
        *,
        generator: torch.Generator | None = None,
        run: Callable[[], Any] | None = None,  # noqa: ARG002
    ) -> list[str]:
        """Draw the weights and set the biases of a network, in place.

        Raises:
            ConfigError: ``leave`` names what is not there, or no layer is left to draw.
        """
        found = list(self.layers(module))
        if not found:
            raise ConfigError(
                f"initialize: {type(module).__name__} has no linear, convolution, recurrent or attention layer to draw"
                f"{' besides those of leave' if self.rules.leave else ''}; leave initialize out"
            )
        drawn: dict[int, str] = {}
        for name, layer in found:
            for inner, parameter, parts in _weights(layer):
                if id(parameter) in drawn or not parameter.requires_grad:  # shared with another layer, or frozen
                    continue
                drawn[id(parameter)] = f"{name}.{inner}" if name else inner
                for block in parameter.chunk(parts):
                    part = block.transpose(0, 1) if isinstance(layer, _ConvTransposeNd) else block
                    fresh = torch.empty(part.shape, dtype=part.dtype)
                    self.fill(fresh, fans_of(tuple(part.shape)), generator)
                    part.copy_(fresh)
            self._set_biases(layer)
        return list(drawn.values())

    def layers(self, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """Yield the layers to draw, by name.

        Raises:
            ConfigError: ``leave`` names what is not there.
        """
        every = dict(module.named_modules())
        for name in self.rules.leave:
            if name not in every:
                raise ConfigError(f"initialize.leave: no module {name!r}{did_you_mean(name, every)}")
        left = tuple(f"{name}." for name in self.rules.leave)
        for name, layer in every.items():
            weights = [parameter for _, parameter, _ in _weights(layer) if parameter.requires_grad]
            if weights and not f"{name}.".startswith(left):
                yield name, layer

    def _set_biases(self, layer: nn.Module) -> None:
        if isinstance(layer, (nn.Linear, _ConvNd)):
            constant_biases(layer, self.rules.bias)
            return
        for name, parameter in layer.named_parameters(recurse=False):
            gate = isinstance(layer, (nn.RNNBase, nn.RNNCellBase)) and name.startswith("bias")
            if (gate or name == "in_proj_bias") and parameter.requires_grad:
                parameter.zero_()
        if isinstance(layer, (nn.LSTM, nn.LSTMCell)):
            forget_gate_biases(layer, self.rules.forget_bias)


def _weights(layer: nn.Module) -> Iterator[tuple[str, nn.Parameter, int]]:
    """Yield (name, parameter, how many gates or groups lie in it one after the other) of a layer."""
    named = dict(layer.named_parameters(recurse=False))
    if isinstance(layer, (nn.Linear, _ConvNd)):
        if "weight" in named:  # else it is computed from other parameters
            yield "weight", named["weight"], layer.groups if isinstance(layer, _ConvNd) else 1
    elif isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
        gates = 4 if isinstance(layer, (nn.LSTM, nn.LSTMCell)) else 3 if isinstance(layer, (nn.GRU, nn.GRUCell)) else 1
        for name, parameter in named.items():
            if name.startswith("weight"):
                yield name, parameter, 1 if name.startswith("weight_hr") else gates
    elif isinstance(layer, nn.MultiheadAttention):
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if name in named:
                yield name, named[name], 3 if name == "in_proj_weight" else 1
