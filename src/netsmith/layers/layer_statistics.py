"""What becomes of a signal in a deep plain network at its first weights: the classic experiment on initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.engine.initializer import Initializer

__all__ = ["LayerStatistics", "layer_activations", "layer_statistics"]

Activation = Literal["tanh", "relu", "logistic", "linear"]
_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "logistic": nn.Sigmoid,
    "linear": nn.Identity,
}


class LayerStatistics(NamedTuple):
    """The activations of one layer, over its units and a batch.

    Attributes:
        mean: Their mean.
        std: Their standard deviation (of the whole population, divided by their number).
    """

    mean: float
    std: float

    @classmethod
    def of(cls, answer: Tensor) -> LayerStatistics:
        """Return those of one layer's activations."""
        return cls(float(answer.mean()), float(answer.std(correction=0)))


@torch.no_grad()
def layer_activations(
    initializer: Initializer,
    *,
    activation: Activation = "tanh",
    layers: int = 10,
    units: int = 500,
    batch: int = 1000,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    """Return what each layer of a plain network answers to a batch of standard normal numbers.

    Ten layers of 500 units: with tanh and weights of standard deviation 0.01 the signal is gone at the end, with
    ``xavier`` it stays; with ReLU ``xavier`` loses it again, and ``he`` keeps it.

    Args:
        initializer: Draws the weights.
        activation: What follows each linear layer.
        layers: How many there are.
        units: Their width, and that of the examples.
        batch: Number of examples.
        seed: Of the examples, and then of the weights.
        dtype: Of all numbers.

    Returns:
        ``(batch, units)`` for each layer, after the activation.
    """
    generator = torch.Generator().manual_seed(seed)
    signal = torch.randn(batch, units, generator=generator, dtype=dtype)
    steps = [nn.Sequential(_linear(units, dtype), _ACTIVATIONS[activation]()) for _ in range(layers)]
    network = nn.Sequential(*steps)
    initializer(network, generator=generator, run=lambda: network(signal))
    found: list[Tensor] = []
    for step in steps:
        signal = step(signal)
        found.append(signal)
    return found


def layer_statistics(
    initializer: Initializer,
    *,
    activation: Activation = "tanh",
    layers: int = 10,
    units: int = 500,
    batch: int = 1000,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> list[LayerStatistics]:
    """Return mean and standard deviation of each layer's activations; see :func:`layer_activations`.

    Example:
        >>> from netsmith.layers.initializers.gaussian import Gaussian
        >>> first, *_, last = layer_statistics(Gaussian.Config(std=0.01).build())
        >>> round(first.std, 2), last.std < 1e-6
        (0.21, True)
    """
    answers = layer_activations(
        initializer, activation=activation, layers=layers, units=units, batch=batch, seed=seed, dtype=dtype
    )
    return [LayerStatistics.of(one) for one in answers]


def _linear(units: int, dtype: torch.dtype) -> nn.Linear:
    """Return a layer without weights: drawing its own would take numbers from torch's default generator."""
    layer = nn.Linear(units, units, dtype=dtype, device="meta").to_empty(device="cpu")
    nn.init.zeros_(layer.bias)
    return layer
