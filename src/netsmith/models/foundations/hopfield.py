"""The Hopfield network (Hopfield 1982, PNAS 79, 2554-2558), and its continuous form (Ramsauer et al. 2020)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch

__all__ = ["Hopfield", "Recall", "modern_energy", "modern_update"]


class Recall(NamedTuple):
    """Where a recall ended, and how it got there.

    Attributes:
        states: ``(B, N)`` of -1 and 1.
        energies: ``(T + 1, B)``, at the start and after each sweep.
        settled: ``(B,)``, whether the last sweep changed nothing.
    """

    states: Tensor
    energies: Tensor
    settled: Tensor


class Hopfield(nn.Module):
    r"""A memory that is addressed by its content: stored patterns are valleys of an energy, recall rolls downhill.

    Units are -1 or 1 (the paper's V = 0 and 1). Patterns are stored by Hebb's rule (Eq. 2), with a zero diagonal:

    .. math:: W_{ij} = \frac1N \sum_s \xi^s_i \xi^s_j, \quad W_{ii} = 0, \qquad
              E(s) = -\tfrac12 s^T W s + \theta^T s \qquad \text{(Eq. 7)}

    A unit takes the sign of :math:`W_i s - \theta_i` and stays where that is zero. One after the other, this never
    raises E, so that it ends in a stable state; all at once, it may end in a cycle of two states. About 0.138 N random
    patterns can be recalled (Amit, Gutfreund & Sompolinsky 1985).

    The continuous form, :func:`modern_update`, stores the patterns themselves and is one step of attention.

    Attributes:
        weight: ``(N, N)``, symmetric, zero diagonal.
        threshold: ``(N,)``, the paper's U; zero unless it is set.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers to ``(B, N)`` of -1 and 1, what is recalled; a positive number counts
        as 1, any other as -1.

    Example:
        >>> memory = Hopfield.Config(in_features=4).build()
        >>> memory.store(torch.tensor([[1.0, 1.0, -1.0, -1.0]]))
        >>> memory(torch.tensor([[1.0, 1.0, 1.0, -1.0]])).tolist()
        [[1.0, 1.0, -1.0, -1.0]]
    """

    weight: Tensor
    threshold: Tensor

    class Config(ModelConfig):
        """The network.

        Attributes:
            sweeps: Most sweeps of a recall.
            in_features: Units, N.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "state")
        uncounted: ClassVar[str] = "recall takes as many sweeps as the state needs to come to rest"

        sweeps: int = Field(default=50, ge=1)
        in_features: int | Auto = AUTO

    def __init__(self, config: Hopfield.Config) -> None:
        super().__init__()
        self.config = config
        units = int(config.in_features)
        self.register_buffer("weight", torch.zeros(units, units))
        self.register_buffer("threshold", torch.zeros(units))

    @torch.no_grad()
    def store(self, patterns: Tensor, *, rate: float = 1.0) -> None:
        """Add patterns ``(P, N)`` of -1 and 1 to what is stored; a negative ``rate`` unlearns them.

        Raises:
            DataError: Numbers other than -1 and 1.
        """
        if not bool((patterns.abs() == 1).all()):
            raise DataError("a Hopfield network stores patterns of -1 and 1; binarize them first")
        patterns = patterns.to(self.weight.dtype)
        self.weight += rate / len(self.threshold) * (patterns.T @ patterns)  # Eq. 2
        self.weight.fill_diagonal_(0)

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Store a batch (the method ``learning_rule``); return the mean ``energy`` of its patterns thereafter."""
        patterns = _signs(batch.inputs.flatten(1)).to(self.weight.dtype)
        self.store(patterns, rate=rate)
        return {"energy": float(self.energy(patterns).mean())}

    def energy(self, states: Tensor) -> Tensor:
        """Return E of states ``(..., N)``."""
        return -0.5 * ((states @ self.weight) * states).sum(-1) + states @ self.threshold  # Eq. 7

    @torch.no_grad()
    def recall(
        self,
        states: Tensor,
        *,
        update: Literal["asynchronous", "synchronous"] = "asynchronous",
        generator: torch.Generator | None = None,
    ) -> Recall:
        """Let units follow their fields until nothing changes.

        Args:
            states: ``(B, N)`` of -1 and 1.
            update: One unit after the other, or all at once.
            generator: Draws the order of units in each sweep, one for the whole batch; None: as they are numbered.
        """
        states = states.to(self.weight.dtype).clone()
        energies = [self.energy(states)]
        settled = torch.zeros(len(states), dtype=torch.bool, device=states.device)
        for _ in range(self.config.sweeps):
            before = states.clone()
            if update == "synchronous":
                states = _follow(states, states @ self.weight - self.threshold)
            else:
                units = len(self.threshold)
                order = torch.arange(units) if generator is None else torch.randperm(units, generator=generator)
                for unit in order.tolist():
                    field = states @ self.weight[unit] - self.threshold[unit]
                    states[:, unit] = _follow(states[:, unit], field)
            energies.append(self.energy(states))
            settled = (states == before).all(1)
            if bool(settled.all()):
                break
        return Recall(states, torch.stack(energies), settled)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what is recalled, unit after unit in their order."""
        return self.recall(_signs(inputs.flatten(1)).to(self.weight.dtype)).states

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def modern_update(states: Tensor, patterns: Tensor, *, beta: float) -> Tensor:
    r"""Return the new states of a continuous Hopfield network: one step of attention to the patterns.

    .. math:: \xi^{new} = \mathrm{softmax}(\beta \, \xi X^T) \, X \qquad \text{(Ramsauer et al. 2020, Eq. 3)}

    With ``beta = 1 / sqrt(N)`` this is scaled dot-product attention with the states as queries, and the patterns as
    keys and as values. A large beta recalls one pattern after a single step; a small one averages several.

    Args:
        states: ``(B, N)``, the paper's xi.
        patterns: ``(P, N)``, the rows of the paper's X.
        beta: Inverse temperature.
    """
    return torch.softmax(beta * states @ patterns.T, -1) @ patterns


def modern_energy(states: Tensor, patterns: Tensor, *, beta: float) -> Tensor:
    r"""Return the energy that :func:`modern_update` never raises, ``(B,)``; it is not negative.

    .. math:: E = -\tfrac1\beta \log \sum_i e^{\beta x_i^T \xi} + \tfrac12 \xi^T \xi + \tfrac1\beta \log P +
              \tfrac12 \max_i \|x_i\|^2 \qquad \text{(Eq. 2)}
    """
    pull = torch.logsumexp(beta * states @ patterns.T, -1) / beta
    return (
        -pull + 0.5 * states.square().sum(-1) + math.log(len(patterns)) / beta + 0.5 * patterns.square().sum(-1).max()
    )


def _follow(states: Tensor, field: Tensor) -> Tensor:
    return torch.where(field == 0, states, field.sign())


def _signs(inputs: Tensor) -> Tensor:
    return torch.where(inputs > 0, 1.0, -1.0)
