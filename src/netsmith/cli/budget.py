"""``compress`` to a budget: what was asked for, and what came out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netsmith.cli.output import notice
from netsmith.cli.progress import Bars

if TYPE_CHECKING:
    from netsmith.workflows.budget_figures import Budget

__all__ = ["compress", "drop", "parse", "refuse"]


def parse(*, latency: str | None, size: str | None, speedup: float | None) -> Budget | None:
    """Return the budget that options ask for, None for none.

    Raises:
        ConfigError: More than one, or a figure without a unit that is known.
    """
    given = [option for option in (latency, size, speedup) if option is not None]
    if not given:
        return None
    from netsmith.core.errors import ConfigError
    from netsmith.workflows.amounts import amount
    from netsmith.workflows.budget_figures import Budget

    if len(given) > 1:
        raise ConfigError("give one budget: --latency, --size or --speedup")
    if latency is not None:
        return Budget("latency", amount(latency, "latency", name="--latency"))
    if size is not None:
        return Budget("size", amount(size, "size", name="--size"))
    assert speedup is not None
    if not 1 < speedup < math.inf:
        raise ConfigError(f"--speedup {speedup:g}: expected a number above 1")
    return Budget("speedup", speedup)


def drop(points: float | None) -> float | None:
    """Return points of accuracy that may be lost as a share, None for None.

    Raises:
        ConfigError: They are no points that a budget could cost.
    """
    from netsmith.core.errors import ConfigError

    if points is not None and not 0 <= points < 100:
        raise ConfigError(f"--max-drop {points:g}: expected points of accuracy, at least 0 and below 100")
    return None if points is None else points / 100


def refuse(options: Mapping[str, Any], *, with_budget: bool) -> None:
    """Refuse options that were given and mean nothing here.

    Raises:
        ConfigError: One was given.
    """
    from netsmith.core.errors import ConfigError

    given = [name for name, value in options.items() if value is not None]
    if given:
        one = len(given) == 1
        why = ("does not go with" if one else "do not go with") if with_budget else ("needs" if one else "need")
        raise ConfigError(f"{', '.join(given)} {why} a budget (--latency, --size or --speedup)")


def compress(path: str, budget: Budget, *, settings: Mapping[str, Any], epochs: int, code: str, as_json: bool) -> None:
    """Compress a run to a budget and print the table; a setting of None is left at its default."""
    from netsmith.api.run import load
    from netsmith.cli.journey import print_compressed
    from netsmith.workflows.front import compress_to_budget

    run = load(path, code=code, notice=notice)
    chosen = {name: value for name, value in settings.items() if value is not None}
    with Bars() as bars:
        found = compress_to_budget(run, budget, epochs=epochs, hooks=bars, notice=notice, **chosen)
    print_compressed(found, as_json=as_json)
