"""Training inside a lab: an experiment like any other, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass

from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.engine.source import LiveSource, Source

__all__ = ["Trained", "train"]


@dataclass(frozen=True)
class Trained:
    """An experiment after its last step.

    Attributes:
        engine: With the networks as they are then (``engine.method.product()``) and the figures on the dev split by
            step (``engine.history``).
        losses: The loss of each step's batch.
    """

    engine: Engine
    losses: tuple[float, ...]

    def accuracy(self, split: str = "test") -> float:
        """Return the accuracy on a split, in 0..1."""
        return self.engine.evaluate(split)[f"{split}/accuracy"]


class _Losses(Hook):
    """Keeps the loss of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        self.seen += [value for name, value in logs.items() if name == "loss"]


def train(config: Experiment.Config, *, source: Source | LiveSource | None = None) -> Trained:
    """Run an experiment without a folder; it ends with the weights of its last step.

    Args:
        config: What is learned, from what, how.
        source: Its data where they are already read (several experiments on the same).

    Raises:
        DivergedError: A loss became NaN or infinite.
    """
    losses = _Losses()
    engine = Engine(Experiment(config, source=source), hooks=[losses])
    engine.fit()
    return Trained(engine, tuple(losses.seen))
