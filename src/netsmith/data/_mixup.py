"""Mixup: an example and its label moved toward another one (Zhang et al. 2018, arXiv:1710.09412)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_normal, keyed_uniform

__all__ = ["keyed_beta", "mixed", "partners"]

_TRIES = 24  # each is taken with a probability above 0.95


def partners(keys: Tensor, count: int) -> Tensor:
    """Return which of ``count`` examples each is mixed with, ``(B,)``: any of the training split, by its key alone."""
    return (keyed_uniform(keys, stream="mixup partner") * count).long()


def mixed(one: Batch, other: Batch, *, alpha: float, classes: int) -> Batch:
    r"""Return two batches mixed example by example; the labels become ``(B, K)`` probabilities.

    .. math:: \tilde x = \lambda x_i + (1 - \lambda) x_j, \quad \tilde y = \lambda y_i + (1 - \lambda) y_j, \qquad
              \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    As in the paper's Figure 1 the partner comes from a second, independent draw of the data, not from the same batch;
    with lambda drawn for each example and not for each batch the result does not depend on how a batch is cut.

    Args:
        one: The batch whose keys decide.
        other: As many examples.
        alpha: Of the Beta distribution.
        classes: K.
    """
    share = keyed_beta(one.keys, alpha, stream="mixup share").to(one.inputs.dtype)  # (B,)
    wide = share.view(-1, *(1,) * (one.inputs.dim() - 1))
    labels = [F.one_hot(batch.targets, classes).to(share.dtype) for batch in (one, other)]  # (B, K)
    return Batch(
        inputs=wide * one.inputs + (1 - wide) * other.inputs,
        targets=share[:, None] * labels[0] + (1 - share[:, None]) * labels[1],
        keys=one.keys,
        indices=one.indices,
    )


def keyed_beta(keys: Tensor, alpha: float, *, stream: str) -> Tensor:
    """Draw one number of Beta(alpha, alpha) for each key, ``(B,)`` float64: a share of two gamma numbers."""
    first, second = (_log_gamma_draw(keys, alpha, stream=f"{stream} {which}") for which in range(2))
    return torch.sigmoid(first - second)  # of logarithms: for a small alpha the numbers themselves underflow


def _log_gamma_draw(keys: Tensor, alpha: float, *, stream: str) -> Tensor:
    """Return the logarithm of a Gamma(alpha) number (Marsaglia & Tsang 2000, doi:10.1145/358407.358414)."""
    d = alpha + 1 - 1 / 3  # of Gamma(alpha + 1), which a power of a uniform number turns into Gamma(alpha)
    x = keyed_normal(keys, _TRIES, stream=f"{stream} normal")  # (B, T)
    u = keyed_uniform(keys, _TRIES + 1, stream=f"{stream} uniform")
    v = (1 + x / (9 * d) ** 0.5).clamp(min=1e-9) ** 3
    taken = u[:, :-1].log() < 0.5 * x.square() + d - d * v + d * v.log()  # (B, T)
    first = taken.to(torch.uint8).argmax(1, keepdim=True)
    return (d * v.gather(1, first)[:, 0]).log() + u[:, -1].log() / alpha
