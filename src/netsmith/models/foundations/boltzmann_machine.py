"""The Boltzmann machine (Ackley, Hinton & Sejnowski 1985, Cognitive Science 9, 147-169), small enough to be exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch
from netsmith.layers.restricted_boltzmann import binary_states

__all__ = ["BoltzmannMachine", "Statistics"]


class Statistics(NamedTuple):
    """What a phase of learning measures.

    Attributes:
        pairs: ``(N, N)``, how likely two units are on together; the diagonal is zero.
        units: ``(N,)``, how likely each is on.
    """

    pairs: Tensor
    units: Tensor


class BoltzmannMachine(nn.Module):
    r"""Binary units s, all connected, some of them visible: the stochastic Hopfield network that learns.

    .. math:: E(s) = -\tfrac12 s^T W s - b^T s, \qquad p(s) = e^{-E(s)} / Z

    with W symmetric and zero on its diagonal. The gradient of the mean log-likelihood of visible units is the
    difference between what is on together while the data are clamped, and while the machine runs free:

    .. math:: \partial / \partial w_{ij} = \langle s_i s_j \rangle_{data} - \langle s_i s_j \rangle_{free}

    (p_ij and p'_ij of the paper). Both are computed here by going through all states, so that there are at most 20
    units; :meth:`gibbs` samples instead, as the paper's machine does at temperature 1. Use the method
    ``learning_rule``. Everything is in float64. The restricted machine, whose sampling is quick, is ``rbm``.

    Attributes:
        weight: ``(N, N)``; the first ``in_features`` units are visible.
        bias: ``(N,)``.

    Shapes:
        ``(B, ...)`` with ``in_features`` zeros and ones to ``(B,)``, the log-likelihood in nats.

    Raises:
        DataError: Visible units that are neither 0 nor 1.
        UnsupportedError: More than 20 units.
    """

    weight: Tensor
    bias: Tensor

    class Config(ModelConfig):
        """The machine.

        Attributes:
            hidden: Hidden units.
            std: Of the first weights.
            in_features: Visible units.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "state")
        uncounted: ClassVar[str] = "its answers are sums over all states, or draws"
        widths: ClassVar[tuple[str, ...]] = ("hidden",)
        published: ClassVar[Mapping[str, int]] = {"in_features": 8}

        hidden: int = Field(default=4, ge=0)
        std: float = Field(default=0.1, ge=0)
        in_features: int | Auto = AUTO

    def __init__(self, config: BoltzmannMachine.Config) -> None:
        super().__init__()
        self.config = config
        self.visible = int(config.in_features)
        units = self.visible + config.hidden
        if units > 20:
            raise UnsupportedError(f"{units} units have 2^{units} states; expected at most 20, visible and hidden")
        upper = (config.std * torch.randn(units, units, dtype=torch.float64)).triu(1)
        self.register_buffer("weight", upper + upper.T)
        self.register_buffer("bias", torch.zeros(units, dtype=torch.float64))

    def energy(self, states: Tensor) -> Tensor:
        """Return E of states ``(..., N)``."""
        return -0.5 * ((states @ self.weight) * states).sum(-1) - states @ self.bias

    def log_partition(self) -> Tensor:
        """Return log Z."""
        return torch.logsumexp(-self.energy(binary_states(len(self.bias))), 0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the log-likelihood of visible units, the hidden ones summed out."""
        return torch.logsumexp(-self.energy(self._completed(inputs)), 1) - self.log_partition()

    def clamped(self, inputs: Tensor, weights: Tensor | None = None) -> Statistics:
        """Return the positive phase: expectations with the visible units held at the data, over a (weighted) batch."""
        states = self._completed(inputs)  # (B, 2^H, N)
        share = torch.softmax(-self.energy(states), 1)
        rows = torch.ones_like(share[:, 0]) if weights is None else weights.to(share.dtype)
        return _statistics(states.flatten(0, 1), (share * (rows / rows.sum())[:, None]).flatten())

    def free(self) -> Statistics:
        """Return the negative phase: expectations of the machine by itself."""
        states = binary_states(len(self.bias))
        return _statistics(states, torch.softmax(-self.energy(states), 0))

    @torch.no_grad()
    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Climb the log-likelihood by one exact gradient step; return the ``nll`` in nats before it."""
        positive, negative = self.clamped(batch.inputs, batch.weights), self.free()
        each, weights = self(batch.inputs), batch.weights
        loss = -each.mean() if weights is None else -(each * weights).sum() / weights.sum()
        self.weight += rate * (positive.pairs - negative.pairs)
        self.bias += rate * (positive.units - negative.units)
        return {"nll": float(loss)}

    @torch.no_grad()
    def gibbs(self, states: Tensor, *, sweeps: int, generator: torch.Generator, clamp: int = 0) -> Tensor:
        r"""Let units one after the other take the value 1 with probability :math:`\sigma(W_i s + b_i)`.

        Args:
            states: ``(B, N)`` of zeros and ones, where the chains start.
            sweeps: How often each unit is drawn.
            generator: The random numbers.
            clamp: The first so many units stay as they are.
        """
        states = states.to(self.weight.dtype).clone()
        for _ in range(sweeps):
            for unit in range(clamp, len(self.bias)):
                on = torch.sigmoid(states @ self.weight[unit] + self.bias[unit])
                states[:, unit] = torch.rand(on.shape, generator=generator, dtype=on.dtype) < on
        return states

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _completed(self, inputs: Tensor) -> Tensor:
        """Return each example with all states of the hidden units, ``(B, 2^H, N)``."""
        seen = inputs.flatten(1).to(self.weight.dtype)
        if not bool(((seen == 0) | (seen == 1)).all()):
            raise DataError("the visible units of a Boltzmann machine are 0 or 1; binarize the inputs first")
        hidden = binary_states(len(self.bias) - self.visible)
        return torch.cat([seen[:, None].expand(-1, len(hidden), -1), hidden.expand(len(seen), -1, -1)], 2)


def _statistics(states: Tensor, share: Tensor) -> Statistics:
    pairs = (states.T * share) @ states
    return Statistics(pairs - pairs.diagonal().diag(), pairs.diagonal().clone())
