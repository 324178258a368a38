"""What of a network's own attributes and scales may have to follow a cut; the proof finds out which."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from torch import nn

from netsmith.compress.graph import ChannelGraph

__all__ = ["attempts"]

_GUESSES = 6  # attributes that may follow a cut, beside those that code may insist on: at most 128 proofs


def attempts(
    module: nn.Module, graph: ChannelGraph, units: set[int]
) -> Iterator[tuple[dict[tuple[str, str], int], list[str]]]:
    """Yield which attributes of the user's modules to change, the fewest first; all modules of a class alike.

    A trace sees that code states a length, not by which attribute: what is right, the proof finds out. So it does
    whether an attention divides by the root of the length it sees; the modules taken to do so come second. Attributes
    that only say what a module is given (its code may insist on it) come last, all together.
    """
    found: dict[tuple[type, str], dict[tuple[str, str], int]] = {}
    for guess in graph.guesses:
        left = sum(unit not in units for unit in guess.units.tolist())
        if left < len(guess.units):
            kind = type(module.get_submodule(guess.module))
            for attribute in guess.attributes:
                found.setdefault((kind, attribute), {})[guess.module, attribute] = left
    divided: dict[type, list[str]] = {}
    for scale in graph.scales:
        if scale.module is not None and not units.isdisjoint(scale.units.tolist()):
            divided.setdefault(type(module.get_submodule(scale.module)), []).append(scale.module)
    claimed = {
        (claim.module, claim.attribute): left
        for claim in graph.claims
        if 0 < (left := sum(unit not in units for unit in claim.units.tolist())) < len(claim.units)
    }
    choices = [*list(found.values())[:_GUESSES], *divided.values()][:_GUESSES]
    choices += [claimed] if claimed else []
    for count in range(len(choices) + 1):
        for chosen in itertools.combinations(choices, count):
            changes = [change for change in chosen if isinstance(change, dict)]
            names = [name for change in chosen if isinstance(change, list) for name in change]
            yield {place: left for change in changes for place, left in change.items()}, names
