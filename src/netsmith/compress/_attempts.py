"""What of a network's own attributes and scales may have to follow a cut; the proof finds out which."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import nn

from netsmith.compress.graph import ChannelGraph

__all__ = ["Attempt", "attempts"]

_GUESSES = 6  # attributes that may follow a cut, and modules that may divide by a root: at most 64 proofs

Values = dict[tuple[str, str], int]
"""New values of attributes, by module and name."""


@dataclass(frozen=True)
class Attempt:
    """What follows a cut.

    Attributes:
        stated: Attributes that state a length.
        divided: Modules whose code divides the scores of an attention by the root of the width it sees.
        claimed: Attributes that only say what a module is given, as its code may insist: of each class one by one.
    """

    stated: Values
    divided: tuple[str, ...] = ()
    claimed: tuple[Values, ...] = ()

    def values(self) -> Values:
        """Return the new values of all attributes."""
        return self.stated | {place: left for values in self.claimed for place, left in values.items()}

    def simpler(self) -> Iterator[Attempt]:
        """Yield the attempts that leave one of the claimed attributes as it was."""
        for left in self.claimed:
            yield replace(self, claimed=tuple(values for values in self.claimed if values is not left))


def attempts(module: nn.Module, graph: ChannelGraph, units: set[int]) -> Iterator[Attempt]:
    """Yield what may follow a cut, the least first; all modules of a class alike.

    A trace sees that code states a length, not by which attribute: what is right, the proof finds out. So it does
    whether an attention divides by the root of the length it sees. Attributes that only say what a module is given come
    last: all of them, then one.
    """
    stated: dict[tuple[type, str], Values] = {}
    for guess in graph.guesses:
        left = sum(unit not in units for unit in guess.units.tolist())
        if left < len(guess.units):
            kind = type(module.get_submodule(guess.module))
            for attribute in guess.attributes:
                stated.setdefault((kind, attribute), {})[guess.module, attribute] = left
    divided: dict[type, list[str]] = {}
    for scale in graph.scales:
        if scale.module is not None and not units.isdisjoint(scale.units.tolist()):
            divided.setdefault(type(module.get_submodule(scale.module)), []).append(scale.module)
    claimed: dict[tuple[type, str], Values] = {}
    for claim in graph.claims:
        left = sum(unit not in units for unit in claim.units.tolist())
        if 0 < left < len(claim.units):
            kind = type(module.get_submodule(claim.module))
            claimed.setdefault((kind, claim.attribute), {})[claim.module, claim.attribute] = left
    plain = list(_combined(list(stated.values()), list(divided.values())))
    yield from plain
    every = tuple(claimed.values())
    for some in [every, *((one,) for one in every)] if len(every) > 1 else [every] if every else []:
        for attempt in plain if some is every else (plain[0], plain[-1]):
            yield replace(attempt, claimed=some)


def _combined(stated: list[Values], divided: list[list[str]]) -> Iterator[Attempt]:
    choices = [*stated[:_GUESSES], *divided][:_GUESSES]
    for count in range(len(choices) + 1):
        for chosen in itertools.combinations(choices, count):
            values: Values = {}
            names: list[str] = []
            for change in chosen:
                if isinstance(change, dict):
                    values |= change
                else:
                    names += change
            yield Attempt(values, tuple(names))
