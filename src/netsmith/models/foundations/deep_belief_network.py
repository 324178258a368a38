"""The deep belief network (Hinton, Osindero & Teh 2006, Neural Computation 18, 1527-1554)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.restricted_boltzmann import binary_states, gibbs
from netsmith.layers.two_way import TwoWay

__all__ = ["DeepBeliefNetwork"]


class DeepBeliefNetwork(nn.Module):
    r"""Sigmoid layers that can dream downwards and, with a head on top, classify upwards.

    As a generative model the two top layers are a restricted Boltzmann machine, and those below are drawn from above:

    .. math:: p(v, h^1, \dots, h^L) = p(v | h^1) \cdots p(h^{L-2} | h^{L-1}) \; p(h^{L-1}, h^L)

    Upwards the same weights give a multilayer perceptron of sigmoids, whose first weights the generative model has
    found (Hinton & Salakhutdinov 2006). The method ``layerwise_pretraining`` learns one after the other.

    Deviations: recognition and generative weights are tied; the paper unties them for its up-down algorithm.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers in 0..1 to ``(B, num_classes)`` logits.

    Example:
        >>> model = DeepBeliefNetwork.Config(in_features=6, num_classes=2, hidden=(4, 3)).build()
        >>> model(torch.rand(5, 6)).shape, model.dream(3, sweeps=2, generator=torch.Generator()).shape
        (torch.Size([5, 2]), torch.Size([3, 6]))
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden: Units of each layer.
            std: Of the first weights of the layers; 0 takes Glorot's.
            in_features: Numbers per example.
            num_classes: Classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(500, 500, 2000), min_length=1)
        std: float = Field(default=0.01, ge=0)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: DeepBeliefNetwork.Config) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        sizes = (int(config.in_features), *config.hidden)
        self.layers = nn.Sequential(*(TwoWay(below, above) for below, above in pairwise(sizes)))
        self.head = nn.Linear(sizes[-1], int(config.num_classes))
        for linear in [*(layer.linear for layer in self.stack()), self.head]:
            if config.std and linear is not self.head:
                nn.init.normal_(linear.weight, std=config.std)
            else:
                nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits."""
        return self.head(self.layers(self.flatten(inputs)))

    def stack(self) -> Sequence[TwoWay]:
        """Return the layers from the bottom up: what is pre-trained one after the other."""
        return [layer for layer in self.layers if isinstance(layer, TwoWay)]

    @torch.no_grad()
    def dream(self, count: int, *, sweeps: int, generator: torch.Generator) -> Tensor:
        """Sample from the top machine, then downwards; return the probabilities of visible units, ``(count, V)``.

        Args:
            count: How many samples.
            sweeps: Steps of Gibbs sampling in the top machine, from fair coins.
            generator: The random numbers.
        """
        *below, top = self.stack()
        weight = top.linear.weight

        def draw(units: int, stream: str) -> Tensor:  # noqa: ARG001
            return torch.rand(count, units, generator=generator, dtype=weight.dtype)

        hidden = (draw(len(weight), "start") < 0.5).to(weight.dtype)
        hidden = gibbs(top.machine(), hidden, steps=sweeps, draw=draw).hidden
        given = top.machine().visible(hidden)
        for layer in reversed(below):
            given = layer.machine().visible((draw(given.shape[1], "down") < given).to(weight.dtype))
        return given

    def log_likelihood(self, visible: Tensor) -> Tensor:
        """Return log p(v) of binary ``(B, V)``, in nats, exactly: by going through all states of every layer but one.

        Raises:
            UnsupportedError: A layer has more than 20 units.
        """
        *below, top = (layer.machine() for layer in self.stack())
        states = binary_states(top.weight.shape[1], dtype=top.weight.dtype) if below else visible
        log_p = -top.free_energy(states) - top.log_partition()
        for at, machine in reversed(list(enumerate(below))):
            logits = states @ machine.weight + machine.visible_bias  # (S, V)
            each = visible if not at else binary_states(machine.weight.shape[1], dtype=logits.dtype)
            given = each @ logits.T - F.softplus(logits).sum(1)  # (B, S): log p(each | state)
            log_p, states = torch.logsumexp(given + log_p, 1), each
        return log_p

    def landmarks(self) -> dict[str, str]:
        """Return where the first layer, the last hidden layer and the head are."""
        return {"stem": "layers.0", "features": "layers", "head": "head"}
