"""The learning-rate range test: which rates learn, and which are too high (Smith 2017, arXiv:1506.01186)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netsmith.api.own_data import check
from netsmith.api.run import prepared, teaching
from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError, did_you_mean
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.optim.schedules.exponential import Exponential

__all__ = ["RateRange", "Reading", "rate_range", "read_range"]

_WINDOW = 1 / 20  # of all steps, over which losses are averaged


class Reading(NamedTuple):
    """What a curve of losses over rising rates says.

    Attributes:
        smoothed: The losses, each averaged with those of its neighbors.
        steepest: The rate at which the loss falls fastest (in the logarithm of the rate); None where it never falls.
        diverging: The rate at which half of the whole fall is lost again; None where it never is.
    """

    smoothed: tuple[float, ...]
    steepest: float | None
    diverging: float | None


@dataclass(frozen=True)
class RateRange:
    """What a range test found.

    Attributes:
        player: Whose rate was raised.
        rates: The rate of each step.
        losses: The loss of its batch, before the step was made.
        smoothed: The losses, averaged as :class:`Reading` says.
        steepest: The rate at which the loss falls fastest; None where it never falls. A lower bound of a cycle, or,
            for a rate that only falls, a good first guess.
        diverging: The rate that is too high: half of what was learned is lost again, or the loss became infinite; None
            where no rate was. An upper bound of a cycle must stay below it.
    """

    player: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None
    diverging: float | None


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
    if not 0 < low < high < math.inf or steps < 10:
        raise ConfigError(f"expected 0 < low < high and at least 10 steps, got low={low}, high={high}, steps={steps}")
    found, source = prepared(target, sets=sets, data=data, code=code, notice=lambda _: None)
    optimizers = found.config.optimizers
    if not optimizers:
        raise UnsupportedError(f"{found.name} learns without gradients, so it has no rate to test")
    player = player or (next(iter(optimizers)) if len(optimizers) == 1 else "")
    if player not in optimizers:
        raise ConfigError(f"player={player!r}: whose rate is to rise?{did_you_mean(player, optimizers)}")
    growth = math.log(high / low) / (steps - 1)
    rising = optimizers[player].at_rate(low, Exponential.Config(decay=-growth, unit=1))
    config = found.config.derive(
        optimizers={**optimizers, player: rising},
        epochs=0,
        steps=steps + 1,  # the last step, after which the dev split would be judged, is not taken
        evaluate_every=steps + 1,
        checkpoint_every=AUTO,
    )
    experiment = Experiment(config, source=source)
    check(experiment)
    prepare = teaching(teacher, notice=lambda _: None)
    if prepare:
        prepare(experiment)
    record = _Record("loss" if len(optimizers) == 1 else f"{player}/loss", steps=steps)
    engine = Engine(experiment, hooks=[record])
    broken = None
    try:
        engine.fit()
    except DivergedError:
        broken = low * math.exp(growth * engine.step)
    if len(record.losses) < 2:
        raise UnsupportedError(
            f"{player} was stepped {len(record.losses)} times in {engine.step} steps; take more steps, or a higher low "
            "or a lower high"
        )
    rates = tuple(low * math.exp(growth * step) for step in record.steps)
    reading = read_range(rates, record.losses)
    diverging = broken if reading.diverging is None else reading.diverging
    return RateRange(player, rates, tuple(record.losses), reading.smoothed, reading.steepest, diverging)


def read_range(rates: Sequence[float], losses: Sequence[float]) -> Reading:
    """Return what a curve of losses over rising rates says.

    The reading does not change when a constant is added to the losses, or a positive one multiplies them: a loss may be
    negative.

    Args:
        rates: In rising order, each the same factor above the one before it.
        losses: The loss at each.
    """
    half = max(1, round(len(losses) * _WINDOW / 2))
    smoothed = np.array([np.mean(losses[max(0, at - half) : at + half + 1]) for at in range(len(losses))])
    lowest = int(smoothed.argmin())
    fall = smoothed[0] - smoothed[lowest]
    if not fall > 0:
        return Reading(tuple(smoothed.tolist()), None, None)
    slopes = np.gradient(smoothed)[: lowest + 1]
    lost = np.flatnonzero(smoothed[lowest:] > smoothed[lowest] + fall / 2)
    diverging = float(rates[lowest + int(lost[0])]) if len(lost) else None
    return Reading(tuple(smoothed.tolist()), float(rates[int(slopes.argmin())]), diverging)


class _Record(Hook):
    """Keeps the losses of one player, and ends the run after a number of steps."""

    def __init__(self, name: str, *, steps: int) -> None:
        self.loss = name
        self.most = steps
        self.steps: list[int] = []
        self.losses: list[float] = []

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        if self.loss in logs:
            self.steps.append(engine.step - 1)
            self.losses.append(logs[self.loss])
        if engine.step == self.most:
            engine.stop("the range is done")
