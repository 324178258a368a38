"""The core of the learning-rate range test: a training whose rate rises, and what its losses say."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError, did_you_mean
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.source import LiveSource, Source
from netsmith.optim.schedules.exponential import Exponential

__all__ = ["RateRange", "Reading", "raise_rate", "read_range"]

_WINDOW = 1 / 20  # of all steps, over which losses are averaged
_CHANCE = 4.0  # standard errors: a fall of two means that is no larger may be that of the batches


class Reading(NamedTuple):
    """What a curve of losses over rising rates says.

    Attributes:
        smoothed: The losses, each averaged with those of its neighbors.
        steepest: The rate at which the loss falls fastest (in the logarithm of the rate); None where it never falls by
            more than the scatter of its batches.
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
        steepest: The rate at which the loss falls fastest; None where it never falls by more than chance. A lower
            bound of a cycle, or, for a rate that only falls, a good first guess.
        diverging: The rate at which half of what was learned is lost again, or the loss became infinite; None where
            there is none. An upper bound of a cycle must stay below it.
    """

    player: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None
    diverging: float | None


def raise_rate(
    config: Experiment.Config,
    *,
    source: Source | LiveSource | None = None,
    low: float,
    high: float,
    steps: int,
    player: str = "",
    prepare: Callable[[Experiment], None] | None = None,
) -> RateRange:
    """Train for some steps while one player's rate rises exponentially; nothing is evaluated, nothing is kept.

    Args:
        config: The experiment; the player's rate and schedule, and its length, are replaced.
        source: Its data where they are already read.
        low: The first rate.
        high: The last one.
        steps: How many there are.
        player: Whose rate is raised; empty for the only one.
        prepare: Called with the experiment before its first step.

    Raises:
        ConfigError: Bounds that make no range, or no such player.
        UnsupportedError: The method learns without gradients, or does not step the player in these steps.
    """
    if not 0 < low < high < math.inf or steps < 10:
        raise ConfigError(f"expected 0 < low < high and at least 10 steps, got low={low}, high={high}, steps={steps}")
    optimizers = config.optimizers
    if not optimizers:
        raise UnsupportedError(f"{config.method.kind_name()} learns without gradients, so it has no rate to test")
    player = player or (next(iter(optimizers)) if len(optimizers) == 1 else "")
    if player not in optimizers:
        raise ConfigError(f"player={player!r}: whose rate is to rise?{did_you_mean(player, optimizers)}")
    growth = math.log(high / low) / (steps - 1)
    rising = optimizers[player].at_rate(low, Exponential.Config(decay=-growth, unit=1))
    changed = config.derive(
        optimizers={**optimizers, player: rising},
        epochs=0,
        steps=steps + 1,  # the last step, after which the dev split would be judged, is not taken
        evaluate_every=steps + 1,
        checkpoint_every=AUTO,
    )
    experiment = Experiment(changed, source=source)
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
    negative. The scatter of single losses is the median size of their second differences, which a trend leaves alone.

    Args:
        rates: In rising order, each the same factor above the one before it.
        losses: The loss at each.
    """
    half = max(1, round(len(losses) * _WINDOW / 2))
    smoothed = np.array([np.mean(losses[max(0, at - half) : at + half + 1]) for at in range(len(losses))])
    lowest = int(smoothed.argmin())
    fall = smoothed[0] - smoothed[lowest]
    bends = np.abs(np.diff(losses, n=2)) / 6**0.5  # of independent losses: as wide as one of them
    scatter = float(np.median(bends)) / 0.6745  # of a normal distribution: its standard deviation
    if not fall > _CHANCE * scatter * (1 / (half + 1) + 1 / (2 * half + 1)) ** 0.5:  # the first mean is of one side
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
