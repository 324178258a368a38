"""Random numbers that are a pure function of a key: the same for an example however it is batched or loaded.

A counter-based generator: each number is the SplitMix64 hash (Steele, Lea & Flood 2014) of an example's key, a stream's
name and a counter. No state, no order of calls, the same on every device and with any number of workers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key

__all__ = ["example_keys", "keyed_normal", "keyed_uniform"]


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _hash(x: Tensor) -> Tensor:
    """SplitMix64's finalizer, elementwise on int64 (products wrap around)."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def example_keys(base: int, indices: Tensor) -> Tensor:
    """Return one key per example.

    Args:
        base: The key of (seed, epoch) or (seed, step).
        indices: ``(B,)`` int64 positions.

    Returns:
        ``(B,)`` int64.
    """
    return _hash((indices + 1) * _GAMMA + base)


def keyed_uniform(keys: Tensor, *shape: int, stream: str) -> Tensor:
    """Draw uniform numbers in (0, 1) for each example.

    Args:
        keys: ``(B,)`` int64, from :attr:`Batch.keys <netsmith.engine.batch.Batch.keys>`.
        shape: The shape wanted per example.
        stream: What the numbers are for; another name gives independent numbers.

    Returns:
        ``(B, *shape)`` float64, never exactly 0 or 1.
    """
    count = math.prod(shape)
    counter = torch.arange(1, count + 1, device=keys.device) * _GAMMA + named_key(0, stream)
    bits = _shift(_hash(_hash(keys)[:, None] + counter), 12)  # (B, count), 52 bits: with the half, float64 is exact
    return ((bits.double() + 0.5) * 2.0**-52).reshape(len(keys), *shape)


def keyed_normal(keys: Tensor, *shape: int, stream: str) -> Tensor:
    """Draw standard normal numbers for each example: ``(B, *shape)`` float64 (inverse of the normal distribution)."""
    return torch.special.ndtri(keyed_uniform(keys, *shape, stream=stream))
