"""Early stopping: end the run when a figure on the dev split has not improved for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from netsmith.core.errors import ConfigError, did_you_mean
from netsmith.core.roles import HookConfig
from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["EarlyStop"]


class EarlyStop(Hook):
    """Stop after ``patience`` evaluations without improvement of ``metric``.

    Use it where the number of steps is only an upper bound; which step's weights are used in the end is the
    experiment's ``select`` (give it the same metric to get those of the best evaluation). Prechelt (1998),
    "Early stopping - but when?".

    Raises:
        ConfigError: The metric is not among the figures of an evaluation.
    """

    class Config(HookConfig):
        """Settings.

        Attributes:
            metric: Figure to watch, ``split/name``.
            mode: ``max`` where higher is better, else ``min``.
            patience: Evaluations without improvement that are borne.
            min_delta: Smallest change that counts as improvement.
        """

        metric: str = "dev/loss"
        mode: Literal["min", "max"] = "min"
        patience: int = Field(default=3, ge=1)
        min_delta: float = Field(default=0.0, ge=0)

    order = 60

    def __init__(self, config: Config) -> None:
        self.config = config
        self.best: float | None = None
        self.waited = 0

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:
        figures = run()
        if self.config.metric not in figures:
            raise ConfigError(
                f"EarlyStop.Config.metric: no figure {self.config.metric!r}{did_you_mean(self.config.metric, figures)}"
            )
        sign = 1.0 if self.config.mode == "max" else -1.0
        value = sign * figures[self.config.metric]
        if self.best is None or value > self.best + self.config.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
            if self.waited >= self.config.patience:
                engine.stop(f"{self.config.metric} has not improved for {self.waited} evaluations")
        return figures

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
