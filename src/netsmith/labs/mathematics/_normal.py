"""The normal and the binomial distribution, on arrays in double precision."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["binomial", "normal_cdf", "normal_density"]


def normal_density(x: ArrayLike, mean: float = 0.0, std: float = 1.0) -> NDArray[np.float64]:
    r"""Return :math:`e^{-(x - \mu)^2 / 2 \sigma^2} / \sigma \sqrt{2 \pi}`."""
    z = (np.asarray(x, dtype=np.float64) - mean) / std
    return np.exp(-(z**2) / 2) / (std * math.sqrt(2 * math.pi))


def normal_cdf(x: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of at most ``x`` standard deviations above the mean."""
    z = torch.from_numpy(np.asarray(x, dtype=np.float64))
    return torch.special.erfc(-z / math.sqrt(2)).numpy() / 2  # ndtr has no digits left far below the mean


def binomial(n: int, p: float) -> NDArray[np.float64]:
    """Return the probabilities of 0 to n successes, through logarithms of factorials."""
    k = np.arange(n + 1)
    logs = np.array([math.lgamma(at + 1) for at in range(n + 1)])
    return np.exp(logs[n] - logs[k] - logs[n - k] + k * math.log(p) + (n - k) * math.log1p(-p))
