"""Which token to take next: the likeliest, or one drawn from what temperature, top-k and nucleus leave."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError

__all__ = ["drawn", "narrowed"]


def narrowed(logits: Tensor, *, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    r"""Return log-probabilities after a temperature, of the likeliest tokens alone.

    .. math:: p_i \propto e^{z_i / \tau}

    of which the ``top_k`` likeliest stay (Fan, Lewis & Dauphin 2018, arXiv:1805.04833), then of those the fewest
    likeliest that have ``top_p`` of the mass together (the nucleus: Holtzman et al. 2020, arXiv:1904.09751). Of equally
    likely tokens the one with the lower number comes first.

    Args:
        logits: ``(B, V)``.
        temperature: Below 1 sharper, above 1 flatter.
        top_k: How many tokens may stay; 0 for all.
        top_p: The mass that must stay, in (0, 1].

    Returns:
        ``(B, V)`` float64, minus infinity where a token was left out.

    Raises:
        ConfigError: A setting out of its range.

    Example:
        >>> logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
        >>> [round(p, 4) for p in narrowed(logits, top_p=0.7).exp()[0].tolist()]
        [0.625, 0.375, 0.0, 0.0]
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(
            f"temperature={temperature:g}: expected a finite number above 0; for the likeliest token, be greedy"
        )
    if top_k < 0:
        raise ConfigError(f"top_k={top_k}: expected a number of tokens, or 0 for all")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p={top_p:g}: expected a share in (0, 1]")
    logs = (logits.double() / temperature).log_softmax(-1)
    if not top_k and top_p == 1:
        return logs
    ranked, order = logs.sort(dim=-1, descending=True, stable=True)
    stays = torch.ones_like(ranked, dtype=torch.bool)
    if top_k:
        stays[:, top_k:] = False
    shares = ranked.where(stays, -torch.inf).softmax(-1)
    if top_p < 1:
        stays &= shares.cumsum(-1) - shares < top_p  # the mass before a token is not enough yet
    kept = torch.empty_like(stays).scatter_(1, order, stays)
    return logs.where(kept, -torch.inf).log_softmax(-1)


def drawn(logs: Tensor, uniform: Tensor) -> Tensor:
    """Return a token for each row: where a uniform number falls in the cumulated probabilities.

    Args:
        logs: ``(B, V)`` log-probabilities.
        uniform: ``(B,)`` numbers in (0, 1), keyed (:func:`netsmith.engine.random.keyed_uniform`).

    Returns:
        ``(B,)`` int64; never a token of probability 0.

    Example:
        >>> drawn(torch.tensor([[0.2, 0.0, 0.8]]).log().expand(3, 3), torch.tensor([0.1, 0.21, 0.99])).tolist()
        [0, 2, 2]
    """
    total = logs.double().exp().cumsum(-1)  # (B, V)
    return torch.searchsorted(total, uniform.double()[:, None] * total[:, -1:], right=True)[:, 0].clamp(
        max=logs.shape[1] - 1
    )
