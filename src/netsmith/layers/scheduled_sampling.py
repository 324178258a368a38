"""Scheduled sampling: in training a writer goes on, now and then, from a token of its own (Bengio et al. 2015)."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from netsmith.engine.random import keyed_uniform
from netsmith.layers.sampling import drawn
from netsmith.layers.writing import Writer, allowed

__all__ = ["Decay", "Sampled", "own_share", "sampled"]

Decay = Literal["none", "constant", "linear", "exponential", "inverse_sigmoid"]


def own_share(decay: Decay, step: int, *, k: float, slope: float = 0.0, least: float = 0.0) -> float:
    r"""Return the probability that what is read is the model's own token, :math:`1 - \epsilon_i`, at step i.

    .. math::
        \epsilon_i = \max(\epsilon, k - c i) \text{ (linear)}, \qquad k^i \text{ (exponential)}, \qquad
        \frac{k}{k + e^{i / k}} \text{ (inverse sigmoid)}

    Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv:1506.03099, section 2.4; ``constant`` is :math:`\epsilon = k`.

    Args:
        decay: How the share of the true tokens falls; ``none`` reads true tokens alone.
        step: i.
        k: As above.
        slope: c, of ``linear``.
        least: The least share of true tokens, :math:`\epsilon`, here of every decay.

    Example:
        >>> own_share("linear", 30, k=1.0, slope=0.0078125), own_share("linear", 900, k=1.0, slope=0.01, least=0.5)
        (0.234375, 0.5)
        >>> round(own_share("inverse_sigmoid", 0, k=10), 4), own_share("exponential", 2, k=0.5)
        (0.0909, 0.75)
    """
    if decay == "none":
        return 0.0
    if decay == "constant":
        truth = k
    elif decay == "linear":
        truth = k - slope * step
    elif decay == "exponential":
        truth = k**step
    else:
        truth = k / (k + math.exp(min(step / k, 700)))
    return 1 - min(1.0, max(least, truth))


class Sampled(NamedTuple):
    """What reading some of one's own tokens gave.

    Attributes:
        logits: ``(B, T, V)``, after each token that was read.
        read: ``(B, T)`` int64, those tokens.
    """

    logits: Tensor
    read: Tensor


def sampled(writer: Writer, source: Any, written: Tensor, *, own: float, keys: Tensor) -> Sampled:
    """Return the logits after texts of which each token but the first is, with probability ``own``, the model's own.

    A token of its own is drawn from what it just answered (no gradient goes through the draw). Draws are keyed by
    example and place, so that they do not depend on how a batch is cut or padded. Padding is read as padding.

    Args:
        writer: The model.
        source: What it reads.
        written: ``(B, T)`` int64, the true texts, each after an end mark.
        own: Probability of an own token, in 0..1.
        keys: ``(B,)`` int64, one per example.
    """
    places = written.shape[1]
    choice = keyed_uniform(keys, places, stream="scheduled sampling: whose")  # (B, T)
    draw = keyed_uniform(keys, places, stream="scheduled sampling: which")
    state = writer.begin(source)
    found: list[Tensor] = []
    read: list[Tensor] = []
    for place in range(places):
        token = written[:, place]
        if place:
            mine = drawn(allowed(found[-1].detach()), draw[:, place])
            token = torch.where((choice[:, place] < own) & (token != 0), mine, token)
        logits, state = writer.step(token, state)
        found.append(logits)
        read.append(token)
    return Sampled(torch.stack(found, 1), torch.stack(read, 1))
