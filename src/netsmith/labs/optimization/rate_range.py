"""The learning-rate range test as a figure: which rates learn, and whether any is too high."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.errors import DivergedError
from netsmith.core.findings import Findings, Grid, Points, Series
from netsmith.core.roles import LabConfig, ModelConfig, OptimizerConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.labs._rate_range import RateRange as Found
from netsmith.labs._rate_range import raise_rate
from netsmith.labs._training import train
from netsmith.labs.optimization._fits import classifier
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "RateRange"]

CARD = {
    "title": "The learning-rate range test",
    "paper": "Smith 2017, arXiv:1506.01186",
    "shows": "the loss of a training whose rate rises at every step, what it says of rates, and trainings at some",
    "quick": {"data.twin": True, "steps": 30, "epochs": 1},
}

_ABOVE = 1.5  # of the highest loss before the lowest one: what is drawn of a training that diverges


class RateRange:
    """Raise the rate from one bound to the other in one short training, then check the reading with whole trainings.

    The rates that are checked are the one where the loss fell fastest, a tenth of it, the one at which half of the fall
    was lost again, ten times that, and the geometric mean of both, each kept for all epochs; ends of the range stand in
    for those that it does not have. Too high is only what ends at a higher loss than a lower rate does.
    """

    class Config(LabConfig):
        """What is trained, and the range.

        Attributes:
            data: Examples of classes.
            model: The network.
            optimizer: Its rate and schedule are replaced.
            low: The first rate.
            high: The last one.
            steps: How many there are.
            epochs: Of the trainings that check the reading.
            seed: Of the trainings.
        """

        data: SourceConfig = Digits.Config(batch=64)
        model: ModelConfig = MLP.Config(hidden=(32,))
        optimizer: OptimizerConfig = SGD.Config(lr=0.1)
        low: float = Field(default=1e-4, gt=0)
        high: float = Field(default=100.0, gt=0)
        steps: int = Field(default=200, ge=10)
        epochs: int = Field(default=5, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: RateRange.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the curve, the rates it names, and how trainings at these end."""
        config = self.config
        source = config.data.build()
        setting = classifier(config.model, config.data, config.optimizer, epochs=config.epochs, seed=config.seed)
        found = raise_rate(setting, source=source, low=config.low, high=config.high, steps=config.steps)
        numbers = {
            "rates": found.rates,
            "losses": found.losses,
            "smoothed": found.smoothed,
            "steepest": found.steepest,
            "diverging": found.diverging,
        }
        rows = []
        for name, rate in self._checked(found):
            optimizer = config.optimizer.at_rate(rate, Constant.Config())
            try:
                trained = train(setting.derive(optimizers={"model": optimizer}), source=source)
                loss = trained.engine.evaluate("train")["train/loss"]
            except DivergedError:
                loss = None
            rows.append((name, rate, loss))
            numbers[f"loss/{name}"] = loss
        return Findings(
            numbers,
            (self._figure(found),),
            (Grid(f"Training loss after {config.epochs} epochs", ("rate", "value", "loss"), tuple(rows)),),
            self._remarks(found, rows),
        )

    def _checked(self, found: Found) -> list[tuple[str, float]]:
        steepest, diverging = found.steepest, found.diverging
        chosen = []
        if steepest is None:
            chosen.append(("start of the range", found.rates[0]))
        else:
            chosen += [("a tenth of the steepest", steepest / 10), ("steepest", steepest)]
        if steepest is not None and diverging is not None:
            chosen.append(("between", (steepest * diverging) ** 0.5))
        if diverging is not None:
            chosen += [("half lost again", diverging), ("ten times that", 10 * diverging)]
        elif steepest != found.rates[-1]:
            chosen.append(("end of the range", found.rates[-1]))
        return chosen

    def _figure(self, found: Found) -> Points:
        lowest = min(found.smoothed)
        before = max(found.smoothed[: found.smoothed.index(lowest) + 1])
        top = lowest + _ABOVE * (before - lowest)
        shown = next(
            (at for at, loss in enumerate(found.smoothed) if at > found.smoothed.index(lowest) and loss > top),
            len(found.smoothed),
        )
        each = [(rate, min(loss, top)) for rate, loss in zip(found.rates[:shown], found.losses[:shown], strict=True)]
        marks = [
            (f"{name}: {rate:.3g}", rate)
            for name, rate in (("steepest", found.steepest), ("half lost again", found.diverging))
            if rate
        ]
        lines = [Series("averaged", found.rates[:shown], found.smoothed[:shown])]
        lines += [Series(name, (rate, rate), (lowest, top)) for name, rate in marks]
        cut = "" if shown == len(found.rates) else f" Drawn until the averaged loss is above {top:.3g}."
        return Points(
            "range",
            "Loss while the rate rises",
            "learning rate",
            "loss of the batch",
            (Series("loss", tuple(rate for rate, _ in each), tuple(loss for _, loss in each)),),
            tuple(lines),
            log_x=True,
            caption=f"One step at each rate, {len(found.rates)} steps in all; averaged with its neighbors.{cut}",
        )

    def _remarks(self, found: Found, rows: list[tuple[str, float, float | None]]) -> tuple[str, ...]:
        told = []
        if found.steepest is None:
            told.append("The averaged loss never falls by more than the scatter of its batches in this range.")
        else:
            told.append(f"The averaged loss falls fastest at a rate of {found.steepest:.3g}.")
        told.append(
            "A fall is lost again by half at no rate of the range."
            if found.diverging is None
            else f"Half of the whole fall is lost again, or the loss is infinite, at a rate of {found.diverging:.3g}."
        )
        ended = [(loss, name, rate) for name, rate, loss in rows if loss is not None]
        if ended:
            loss, name, rate = min(ended)
            told.append(
                f"Of {len(rows)} whole trainings at one rate, the lowest training loss after {self.config.epochs} "
                f"epochs is {loss:.3g}, at {rate:.3g} ({name})."
            )
        told.append(_verdict(rows))
        lost = [f"{rate:.3g}" for _, rate, loss in rows if loss is None]
        if lost:
            told.append(f"Diverged: the training at a rate of {', '.join(lost)}.")
        return tuple(told)


def _verdict(rows: list[tuple[str, float, float | None]]) -> str:
    """Return which rates the trainings show to be too high: those that end above what a lower one reaches."""
    high = [
        f"{rate:.3g}"
        for at, (_, rate, loss) in enumerate(rows)
        if loss is None or any(less is not None and less < loss for _, _, less in rows[:at])
    ]
    if high:
        return f"Too high, for their training diverges or ends above that of a lower rate: {', '.join(high)}."
    return "No rate was too high: no training ends at a higher loss than one at a lower rate."
