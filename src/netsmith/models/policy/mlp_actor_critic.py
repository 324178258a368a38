"""An actor and a critic, two multilayer perceptrons side by side (Mnih et al. 2016, arXiv:1602.01783)."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field, PositiveInt
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.models._perceptron import Activation, perceptron

__all__ = ["MlpActorCritic"]


class MlpActorCritic(nn.Module):
    """Choose among a few actions from a short state vector, and value the state.

    The actor's softmax is the paper's policy ``pi(a|s)``, the critic its ``V(s)``. Two networks instead of one with two
    heads: on small states the value's large gradients otherwise drown the policy's. Weights are orthogonal with gain
    sqrt(2), 0.01 for the last layer of the actor (the first policy is nearly uniform), 1 for that of the critic.

    Shapes:
        ``(..., in_features)`` to logits ``(..., num_classes)``.
    """

    class Config(ModelConfig):
        """The layers.

        Attributes:
            hidden: Sizes of the hidden layers, the same for actor and critic.
            activation: Between the layers.
            in_features: Numbers per state.
            num_classes: Number of actions.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("state", "table")
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[PositiveInt, ...] = Field(default=(64, 64), min_length=1)
        activation: Activation = "tanh"
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: MlpActorCritic.Config) -> None:
        super().__init__()
        sizes = (int(config.in_features), *config.hidden)
        self.actor = perceptron((*sizes, int(config.num_classes)), activation=config.activation)
        self.critic = perceptron((*sizes, 1), activation=config.activation)
        for network, last_gain in ((self.actor, 0.01), (self.critic, 1.0)):
            layers = [layer for layer in network if isinstance(layer, nn.Linear)]
            for layer in layers:
                nn.init.orthogonal_(layer.weight, last_gain if layer is layers[-1] else math.sqrt(2))
                nn.init.zeros_(layer.bias)

    def forward(self, observations: Tensor) -> Tensor:
        """Return the logits of the actions: the policy alone, which is what is exported and served."""
        return self.actor(observations)

    def value(self, observations: Tensor) -> Tensor:
        """Return the expected discounted return from each state, ``(...)``."""
        return self.critic(observations).squeeze(-1)
