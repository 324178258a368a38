"""The layers of a network from the first to the last, by the names of their tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

__all__ = ["layer_groups"]


def layer_groups(named: Mapping[str, Tensor], *, head: str = "", entry: str = "") -> tuple[tuple[str, ...], ...]:
    """Return the names of the tensors of each layer: one with a weight matrix, and the normalizations behind it.

    What transfer counts: the first k of n layers are taken over, or frozen; rates fall from layer to layer. A layer
    begins at each module that owns a tensor of two axes or more (convolution, linear, embedding, recurrent); modules
    with vectors alone belong to the layer before. The order is that in which the network registers its parts, but for
    the entry, which is first, and the head, which is last (the spatial transformer is registered behind both).

    Args:
        named: Parameters, or all of a ``state_dict``, by name.
        head: Name of the module that answers; empty where it is the last one, or the network itself.
        entry: Name of the module that the inputs pass first; empty where it is the first one.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 2))
        >>> layer_groups(dict(net.named_parameters()))
        (('0.weight', '0.bias', '1.weight', '1.bias'), ('2.weight', '2.bias'))
    """
    owners: dict[str, list[str]] = {}
    for name in sorted(named, key=lambda name: _within(name, head) - _within(name, entry)):  # stable
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    found: list[list[str]] = []
    for names in owners.values():
        if not found or (any(named[name].dim() > 1 for name in names) and _is_layer(found[-1], named)):
            found.append([])
        found[-1] += names
    return tuple(map(tuple, found))


def _within(name: str, module: str) -> bool:
    return bool(module) and name.startswith(f"{module}.")


def _is_layer(names: list[str], named: Mapping[str, Tensor]) -> bool:
    """Say whether it has a matrix: vectors that come before the first one belong to its layer."""
    return any(named[name].dim() > 1 for name in names)
