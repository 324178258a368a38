"""Which cells learn to add two numbers that lie far apart."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.findings import Findings
from netsmith.data.adding_problem import AddingProblem
from netsmith.labs.recurrent._memory import MemoryConfig, findings_of, learning_curves
from netsmith.models.sequence.recurrent_regressor import RecurrentRegressor
from netsmith.tasks.regress import Regress

__all__ = ["CARD", "AddingLab"]

CARD = {
    "title": "The adding problem",
    "paper": "Hochreiter & Schmidhuber 1997, Long short-term memory; Le, Jaitly & Hinton 2015, arXiv:1504.00941",
    "shows": "learning curves of recurrent cells that are to add two marked numbers of a long sequence",
    "quick": {"cells": ["gru", "additive"], "length": 8, "steps": 20, "points": 4, "hidden_size": 8, "judged": 50},
}

_SOLVED = 0.01


class AddingLab:
    """Train each cell on sequences of numbers, two of them marked; the answer at the end is to be their sum.

    Who always answers 1 loses 1/6. About 20 seconds on a slow core; the LSTM's forget gates start open (bias 1).
    """

    class Config(MemoryConfig):
        """The cells, and how long they must remember.

        Attributes:
            length: Steps of a sequence; the two numbers lie one in each half.
        """

        length: int = Field(default=40, ge=2, le=10_000)

    def __init__(self, config: AddingLab.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the errors by training step, and what they show."""
        config = self.config
        curves = learning_curves(
            config,
            model=lambda cell: RecurrentRegressor.Config(
                cell=cell, channels=2, hidden_size=config.hidden_size, forget_bias=1.0 if cell == "lstm" else None
            ),
            task=Regress.Config(),
            data=AddingProblem.Config(
                length=config.length,
                batch=config.batch,
                evaluation_size=config.judged,
                evaluation_batch=min(500, config.judged),
            ),
        )
        return findings_of(
            curves,
            config,
            title=f"Adding two numbers of {config.length}",
            loss="mean squared error",
            blind=1 / 6,
            solved=_SOLVED,
        )
