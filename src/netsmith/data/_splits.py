"""Seeded splits that keep each class's share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key as named_key

__all__ = ["draw_splits", "share_text"]


def draw_splits(groups: Tensor, shares: Mapping[str, float], *, seed: int) -> dict[str, Tensor]:
    """Divide examples into ``train`` and the named shares, class by class.

    A class of three or more examples gives at least one to every share above 0; train keeps at least one of each class.

    Args:
        groups: ``(N,)`` int64 class of each example (all 0 to draw without classes).
        shares: For example ``{"dev": 0.1, "test": 0.1}``; a share of 0 makes no split.
        seed: The seed of the draw.

    Returns:
        Positions in natural order, by split; ``train`` first.

    Raises:
        ConfigError: The shares are negative or leave less than half for training.
    """
    wanted = {name: share for name, share in shares.items() if share != 0}
    if any(share < 0 for share in wanted.values()) or sum(wanted.values()) > 0.5:
        raise ConfigError(
            f"the shares {dict(shares)} must not be negative and must leave half of the data for training"
        )
    parts: dict[str, list[Tensor]] = {"train": [], **{name: [] for name in wanted}}
    by_class = torch.argsort(groups, stable=True)
    _, sizes = torch.unique_consecutive(groups[by_class], return_counts=True)
    for number, members in enumerate(by_class.split(sizes.tolist())):
        generator = torch.Generator().manual_seed(named_key(seed, "split", number))
        members = members[torch.randperm(len(members), generator=generator)]
        start = 0
        for name, share in wanted.items():
            count = round(len(members) * share)
            count = max(count, 1) if len(members) > len(wanted) else 0
            parts[name].append(members[start : start + count])
            start += count
        parts["train"].append(members[start:])
    return {name: torch.cat(pieces).sort().values for name, pieces in parts.items()}


def share_text(shares: Mapping[str, float]) -> str:
    """Return ``80/10/10`` for ``{"dev": 0.1, "test": 0.1}``."""
    percents = [100 * (1 - sum(shares.values())), *(100 * share for share in shares.values())]
    return "/".join(f"{percent:.3g}" for percent in percents)
