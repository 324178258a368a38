"""Bags of words: how often each known token, and each known pair of neighbors, comes in a text."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["bag_entries", "bag_of_words", "frequent_pairs", "pair_places"]

_SPECIAL = 2  # padding and unknown: the numbers below it are no words


def _keys(tokens: Tensor, vocab_size: int) -> Tensor:
    """Return a number for each two neighbors, -1 where one of them is no known word: ``(B, L - 1)``."""
    first, second = tokens[:, :-1], tokens[:, 1:]
    known = (first >= _SPECIAL) & (second >= _SPECIAL)
    return torch.where(known, first * vocab_size + second, -1)


def frequent_pairs(tokens: Tensor, *, vocab_size: int, most: int) -> Tensor:
    """Return the keys ``first * vocab_size + second`` of the most frequent pairs of neighbors, in ascending order.

    Args:
        tokens: ``(B, L)`` int64, padded on the right with 0; 1 is unknown.
        vocab_size: How many tokens there are.
        most: How many pairs are kept; of equal ones the lower numbers.

    Example:
        >>> frequent_pairs(torch.tensor([[2, 3, 2, 3, 1], [3, 3, 0, 0, 0]]), vocab_size=4, most=1)
        tensor([11])
    """
    keys = _keys(tokens, vocab_size)
    found, counts = keys[keys >= 0].unique(return_counts=True)
    return found[counts.sort(descending=True, stable=True).indices[:most]].sort().values


def pair_places(tokens: Tensor, pairs: Tensor, *, vocab_size: int) -> Tensor:
    """Return the place in ``pairs`` of each two neighbors, -1 where they are not among them: ``(B, L - 1)`` int64.

    Args:
        tokens: ``(B, L)`` int64.
        pairs: ``(P,)`` int64 keys in ascending order, at least one.
        vocab_size: How many tokens there are.
    """
    keys = _keys(tokens, vocab_size)
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        places = _search(pairs, keys)
    else:
        places = torch.searchsorted(pairs, keys).clamp(max=len(pairs) - 1)
    return torch.where(pairs[places] == keys, places, -1)


def _search(pairs: Tensor, keys: Tensor) -> Tensor:
    """Return the place of the last pair that is not above each key, by operations that every exporter knows."""
    places = torch.zeros_like(keys)
    step = 1 << len(pairs).bit_length()
    while step := step // 2:
        further = places + step
        fits = (further < len(pairs)) & (pairs[further.clamp(max=len(pairs) - 1)] <= keys)
        places = torch.where(fits, further, places)
    return places


def bag_of_words(tokens: Tensor, pairs: Tensor, *, vocab_size: int) -> Tensor:
    """Count the words of each text, then its pairs: ``(B, vocab_size - 2 + P)`` float64.

    Padding and unknown words count nowhere, and a pair needs both of its words known.

    Args:
        tokens: ``(B, L)`` int64, padded on the right with 0; 1 is unknown.
        pairs: ``(P,)`` int64, as of :func:`frequent_pairs`; may be empty.
        vocab_size: How many tokens there are.

    Example:
        >>> bag_of_words(torch.tensor([[2, 3, 2, 1, 0]]), torch.tensor([11]), vocab_size=4)
        tensor([[2., 1., 1.]], dtype=torch.float64)
    """
    places = _columns(tokens, pairs, vocab_size)
    counts = tokens.new_zeros((tokens.shape[0], vocab_size + len(pairs)), dtype=torch.float64)
    return counts.scatter_add(1, places, torch.ones_like(places, dtype=torch.float64))[:, _SPECIAL:]


def bag_entries(tokens: Tensor, pairs: Tensor, *, vocab_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is not zero in :func:`bag_of_words`: rows, columns (both ``(E,)`` int64) and counts (float64).

    They come row by row, in each in the order of the columns.
    """
    places = _columns(tokens, pairs, vocab_size)
    width = vocab_size - _SPECIAL + len(pairs)
    keys = torch.arange(len(tokens), device=tokens.device)[:, None] * width + places - _SPECIAL
    found, counts = keys[places >= _SPECIAL].unique(return_counts=True)
    return found // width, found % width, counts.double()


def _columns(tokens: Tensor, pairs: Tensor, vocab_size: int) -> Tensor:
    """Return the features of each text one by one, a number below 2 for none: ``(B, L)``, or ``(B, 2 L - 1)``."""
    if not len(pairs):
        return tokens
    found = pair_places(tokens, pairs, vocab_size=vocab_size)
    return torch.cat([tokens, torch.where(found >= 0, found + vocab_size, 0)], 1)
