"""Mu-law companding: sound in a few levels, fine where it is quiet (ITU-T G.711; van den Oord et al. 2016)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError

__all__ = ["mu_law_decode", "mu_law_encode"]


def mu_law_encode(samples: Tensor, *, levels: int = 256) -> Tensor:
    r"""Return the level of each sample (arXiv:1609.03499, section 2.2).

    .. math:: f(x) = \mathrm{sign}(x)\, \frac{\ln(1 + \mu |x|)}{\ln(1 + \mu)}, \quad
              \mathrm{level} = \lfloor (f(x) + 1)\, \mu / 2 + 1/2 \rfloor

    with mu = ``levels`` - 1. Half precision is too coarse for 256 levels; it is computed in single precision.

    Args:
        samples: Finite floating-point numbers in -1..1; what is outside is clipped, as a recorder does.
        levels: Number of levels, at least 2.

    Returns:
        int64 in 0..levels-1, of the shape given.

    Raises:
        ConfigError: Fewer than two levels.

    Example:
        >>> mu_law_encode(torch.tensor([-1.0, -0.01, 0.0, 0.01, 1.0]))
        tensor([  0,  98, 128, 157, 255])
    """
    mu = _mu(levels)
    x = samples.to(torch.promote_types(samples.dtype, torch.float32)).clamp(-1, 1)
    companded = x.sign() * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((companded + 1) * (mu / 2) + 0.5).floor().to(torch.int64)


def mu_law_decode(codes: Tensor, *, levels: int = 256, dtype: torch.dtype = torch.float32) -> Tensor:
    r"""Return the sample that each level stands for: the inverse of f in :func:`mu_law_encode`.

    .. math:: x = \mathrm{sign}(y)\, \frac{(1 + \mu)^{|y|} - 1}{\mu}, \quad y = 2\, \mathrm{level} / \mu - 1

    Encoding the result gives the level again.

    Args:
        codes: Integers in 0..levels-1.
        levels: Number of levels, at least 2.
        dtype: Of the result.

    Returns:
        Numbers in -1..1, of the shape given.

    Raises:
        ConfigError: Fewer than two levels.

    Example:
        >>> mu_law_decode(torch.tensor([0, 255]))
        tensor([-1.,  1.])
    """
    mu = _mu(levels)
    y = 2 * codes.to(dtype) / mu - 1
    return y.sign() * torch.expm1(y.abs() * math.log1p(mu)) / mu


def _mu(levels: int) -> int:
    if levels < 2:
        raise ConfigError(f"mu-law companding needs at least 2 levels, got {levels}")
    return levels - 1
