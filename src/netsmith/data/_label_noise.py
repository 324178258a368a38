"""Labels that are wrong on purpose: symmetric noise, the same in every epoch."""

from __future__ import annotations

from torch import Tensor

from netsmith.core.keys import key
from netsmith.engine.random import example_keys, keyed_uniform

__all__ = ["flipped"]


def flipped(labels: Tensor, share: float, *, classes: int, seed: int) -> Tensor:
    """Return labels, each replaced with probability ``share`` by one of the others, all equally likely.

    What becomes of a label is a function of the seed and its position alone.

    Args:
        labels: ``(N,)`` int64.
        share: Probability of a wrong label, in 0..1.
        classes: K, at least 2.
        seed: Of the noise.

    Returns:
        ``(N,)`` int64.
    """
    places = labels.new_tensor(range(len(labels)))
    u = keyed_uniform(example_keys(key(seed, "label noise"), places), 2, stream="label noise")  # (N, 2)
    others = (labels + 1 + (u[:, 1] * (classes - 1)).long()) % classes
    return others.where(u[:, 0] < share, labels)
