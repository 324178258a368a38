"""Counted tokens in order: by how often they come, then by their signs."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["by_frequency", "frequency_rank"]


def frequency_rank(counted: tuple[str, int]) -> tuple[int, str]:
    """Return what tokens with their counts are sorted by: the most frequent first, those of one count by their signs.

    Example:
        >>> sorted([("b", 1), ("a", 1), ("c", 2)], key=frequency_rank)
        [('c', 2), ('a', 1), ('b', 1)]
    """
    token, count = counted
    return -count, token


def by_frequency(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return tokens and counts in the order of :func:`frequency_rank`.

    Example:
        >>> by_frequency({"b": 1, "a": 1, "c": 2})
        [('c', 2), ('a', 1), ('b', 1)]
    """
    return sorted(counts.items(), key=frequency_rank)
