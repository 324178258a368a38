"""Scanned digits of 8 x 8 pixels, as energy-based networks take them, and as pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from netsmith.core.findings import Picture
from netsmith.data.digits import Digits

__all__ = ["SIDE", "picture", "read_digits"]

SIDE = 8


def read_digits(*, split_seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return the training images, ``(N, 64)`` in 0..1, and their classes."""
    source = Digits.Config(normalize=False, split_seed=split_seed).build()
    size = next(split.size for split in source.spec.splits if split.name == "train")
    batch = source.load("train", torch.arange(size))
    return batch.inputs.flatten(1), batch.targets


def picture(name: str, values: Tensor) -> Picture:
    """Return 64 numbers as a picture."""
    return Picture(name, tuple(tuple(row) for row in values.reshape(SIDE, SIDE).tolist()))
