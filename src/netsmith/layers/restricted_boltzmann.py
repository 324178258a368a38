"""The algebra of a restricted Boltzmann machine (Smolensky 1986; Hinton 2002), on tensors that anyone may own."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.engine.random import keyed_uniform

__all__ = ["Chain", "Draw", "Restricted", "binary_states", "gibbs", "keyed_draws"]

_MOST = 20  # units whose states are enumerated: a million states

Draw: TypeAlias = Callable[[int, str], Tensor]
"""Gives ``(B, count)`` uniform numbers in 0..1 for a count and the name of what they are for."""


def keyed_draws(keys: Tensor, dtype: torch.dtype) -> Draw:
    """Return draws that are a pure function of each example's key, ``(B,)`` int64."""
    return lambda count, stream: keyed_uniform(keys, count, stream=stream).to(dtype)


def binary_states(units: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return all states of some binary units, ``(2 ** units, units)`` of zeros and ones.

    Raises:
        UnsupportedError: More than 20 units.

    Example:
        >>> binary_states(2).tolist()
        [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if units > _MOST:
        raise UnsupportedError(f"{units} units have 2^{units} states; expected at most {_MOST} units to enumerate")
    places = torch.arange(units - 1, -1, -1)
    return (torch.arange(2**units)[:, None] >> places & 1).to(dtype)


class Restricted(NamedTuple):
    r"""Binary visible units v, binary hidden units h, and no connection within either layer.

    .. math:: E(v, h) = -b^T v - c^T h - h^T W v, \qquad p(v, h) = e^{-E(v, h)} / Z

    so that each layer is independent given the other, and the hidden one can be summed out:

    .. math:: p(h_j = 1 | v) = \sigma(c_j + W_j v), \qquad F(v) = -b^T v - \sum_j \log(1 + e^{c_j + W_j v})

    The last ``classes`` visible units may be one label: of them exactly one is on, drawn by a softmax.

    Attributes:
        weight: W, ``(H, V)``.
        visible_bias: b, ``(V,)``.
        hidden_bias: c, ``(H,)``.
        classes: How many of the visible units are the label's; 0 for none.
    """

    weight: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    classes: int = 0

    def hidden(self, visible: Tensor) -> Tensor:
        """Return the probabilities of hidden units, ``(B, H)``."""
        return torch.sigmoid(F.linear(visible, self.weight, self.hidden_bias))

    def visible(self, hidden: Tensor) -> Tensor:
        """Return the probabilities of visible units, ``(B, V)``."""
        logits = hidden @ self.weight + self.visible_bias
        if not self.classes:
            return logits.sigmoid()
        free = logits.shape[-1] - self.classes
        return torch.cat([logits[..., :free].sigmoid(), logits[..., free:].softmax(-1)], -1)

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v), ``(B,)``: minus the logarithm of the unnormalized probability."""
        return -(visible @ self.visible_bias) - F.softplus(F.linear(visible, self.weight, self.hidden_bias)).sum(-1)

    def log_partition(self) -> Tensor:
        """Return log Z, exactly, by going through all states of the smaller layer.

        Raises:
            UnsupportedError: Both layers have more than 20 units (with a label: the hidden one has).
        """
        hidden, visible = self.weight.shape
        if visible < hidden and not self.classes:
            return torch.logsumexp(-self.free_energy(binary_states(visible, dtype=self.weight.dtype)), 0)
        states = binary_states(hidden, dtype=self.weight.dtype)
        logits = states @ self.weight + self.visible_bias  # (2^H, V)
        free = visible - self.classes
        each = F.softplus(logits[:, :free]).sum(1) + states @ self.hidden_bias
        if self.classes:
            each = each + logits[:, free:].logsumexp(1)
        return torch.logsumexp(each, 0)

    def draw_visible(self, hidden: Tensor, draw: Draw, stream: str) -> Tensor:
        """Return zeros and ones with the probabilities of visible units."""
        probabilities = self.visible(hidden)
        free = probabilities.shape[1] - self.classes
        uniform = draw(free + (self.classes > 0), stream)
        sample = (uniform[:, :free] < probabilities[:, :free]).to(hidden.dtype)
        if not self.classes:
            return sample
        label = (probabilities[:, free:].cumsum(1) < uniform[:, free:]).sum(1).clamp(max=self.classes - 1)
        return torch.cat([sample, F.one_hot(label, self.classes).to(hidden.dtype)], 1)


class Chain(NamedTuple):
    """Where Gibbs sampling ended.

    Attributes:
        visible: ``(B, V)``, sampled.
        probabilities: ``(B, H)``, of the hidden units given those.
        hidden: ``(B, H)``, sampled with these.
    """

    visible: Tensor
    probabilities: Tensor
    hidden: Tensor


@torch.no_grad()
def gibbs(machine: Restricted, hidden: Tensor, *, steps: int, draw: Draw) -> Chain:
    """Sample the visible units given the hidden ones, then the hidden given the visible, ``steps`` times.

    Args:
        machine: The machine.
        hidden: ``(B, H)`` of zeros and ones.
        steps: How often, at least once.
        draw: The random numbers.
    """
    for step in range(steps):
        visible = machine.draw_visible(hidden, draw, f"gibbs/visible/{step}")
        probabilities = machine.hidden(visible)
        hidden = (draw(hidden.shape[1], f"gibbs/hidden/{step}") < probabilities).to(hidden.dtype)
    return Chain(visible, probabilities, hidden)
