"""The learning-rate range test: which rates learn, and which are too high (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsmith.api.own_data import check
from netsmith.api.run import prepared, teaching
from netsmith.engine.experiment import Experiment
from netsmith.labs._rate_range import RateRange, Reading, raise_rate, read_range

__all__ = ["RateRange", "Reading", "rate_range", "read_range"]


def rate_range(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None = None,
    data: str | Path = "",
    teacher: str | Path = "",
    code: str | Path = "",
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    player: str = "",
) -> RateRange:
    r"""Train for a few hundred steps while the rate rises from one bound to the other (section 3.3); nothing is kept.

    .. math:: \eta_t = \eta_0 (\eta_1 / \eta_0)^{t / (T - 1)}

    The rate rises exponentially (the paper: linearly), so that the test needs no guess of its order of magnitude. It
    takes the place of the player's own rate and schedule; all else is the experiment's own: data, method, optimizer,
    clipping, hooks. Nothing is evaluated.

    Args:
        target: A recipe, a recipe file, or a run, as ``train`` takes it.
        sets: Changes by dotted path.
        data: Your own data.
        teacher: The run whose product teaches.
        code: The recipe file a run was made from.
        low: The first rate.
        high: The last one.
        steps: How many there are.
        player: Whose rate is raised; empty for the only one.

    Raises:
        ConfigError: Bounds that make no range, or no such player.
        UnsupportedError: The method learns without gradients, or does not step the player in these steps.
    """
    found, source = prepared(target, sets=sets, data=data, code=code, brings=teacher, notice=lambda _: None)
    teach = teaching(teacher, code=code, notice=lambda _: None)

    def prepare(experiment: Experiment) -> None:
        check(experiment)
        if teach:
            teach(experiment)

    return raise_rate(found.config, source=source, low=low, high=high, steps=steps, player=player, prepare=prepare)
