"""The order in which to narrow a network: where a millisecond costs the least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netsmith.compress.choice import lowest, without_emptied
from netsmith.compress.graph import ChannelGraph
from netsmith.core.errors import UnsupportedError

__all__ = ["Width", "lowest_units", "narrowing", "widths_of"]


@dataclass(frozen=True)
class Width:
    """One family at one width, all others whole.

    Attributes:
        keep: Units that stay.
        loss: What the masked network loses, in any unit that is the same for all.
        cost: What the cut network costs (milliseconds, bytes).
    """

    keep: int
    loss: float
    cost: float


def widths_of(size: int, steps: Sequence[int], *, least: float = 0.1) -> tuple[int, ...]:
    """Return the widths worth trying for a family, falling, its own left out.

    Beyond the last step, which is the last that was measured, they are eighths of the size, each a multiple of the last
    step's length.

    Args:
        size: Its units.
        steps: Channel counts, increasing, that a runtime computes no slower than fewer; between two of them nothing is
            won.
        least: The part that stays at least.
    """
    smallest = max(1, round(least * size))
    before, last = (0, *steps)[-2:] if steps else (0, size)
    length = last - before
    beyond = {size * part // 8 // length * length for part in range(1, 8)}
    found = [step for step in (*steps, *(keep for keep in beyond if keep > last)) if smallest <= step < size]
    return tuple(
        sorted(found or [keep for keep in (size * 3 // 4, size // 2, size // 4) if smallest <= keep], reverse=True)
    )


def narrowing(tables: Mapping[str, Sequence[Width]], base: Width) -> list[dict[str, int]]:
    """Return the widths step by step, from the first cut to the last: the cheapest loss per cost saved goes first.

    Tables hold one family at a time, so what several save together is only estimated; measure a step before it is
    trusted.

    Args:
        tables: By family, its widths.
        base: The whole network.

    Raises:
        UnsupportedError: No width saves anything.
    """
    now = dict.fromkeys(tables, base)
    path: list[dict[str, int]] = []
    widths: dict[str, int] = {}
    while True:
        best: tuple[float, str, Width] | None = None
        for name, rows in tables.items():
            for row in rows:
                saved = now[name].cost - row.cost
                narrower = name not in widths or row.keep < widths[name]
                if narrower and saved > 0:
                    price = (row.loss - now[name].loss) / saved
                    if best is None or price < best[0]:
                        best = (price, name, row)
        if best is None:
            break
        _, name, row = best
        now[name], widths = row, widths | {name: row.keep}
        path.append(widths)
    least = {name: min(row.keep for row in rows) for name, rows in tables.items() if rows}
    if path and path[-1] != least:  # what saved nothing that could be measured alone may save something with the others
        path.append(least)
    if not path:
        raise UnsupportedError("narrowing any layer alone saves nothing that can be measured")
    return path


def lowest_units(graph: ChannelGraph, scores: Mapping[int, float], widths: Mapping[str, int]) -> set[int]:
    """Return the units to cut for given widths: of each family those with the lowest scores.

    Args:
        graph: What the trace found.
        scores: By unit.
        widths: By family, how many units stay; one that is not named stays whole.
    """
    chosen: set[int] = set()
    for family in graph.layers().values():
        chosen |= lowest(family, scores, len(family.units) - widths.get(family.name, len(family.units)))
    return without_emptied(graph, scores, chosen)
