"""Which cells learn to say again what they saw long ago."""

from __future__ import annotations

from pydantic import Field

from netsmith.core.findings import Findings
from netsmith.data.copy_memory import CopyMemory
from netsmith.labs.recurrent._memory import MemoryConfig, findings_of, learning_curves
from netsmith.layers.recurrent.kinds import CellKind
from netsmith.models.sequence.recurrent_tagger import RecurrentTagger
from netsmith.tasks.tag import Tag

__all__ = ["CARD", "CopyLab"]

CARD = {
    "title": "The copy memory problem",
    "paper": "Hochreiter & Schmidhuber 1997; Arjovsky, Shah & Bengio 2016, arXiv:1511.06464, section 5.1",
    "shows": "learning curves of recurrent cells that are to repeat some symbols after a long blank",
    "quick": {"cells": ["gru", "additive"], "delay": 3, "steps": 20, "points": 4, "hidden_size": 8, "judged": 50},
}

_SOLVED = 0.1


class CopyLab:
    """Train each cell on sequences that begin with symbols, go on blank, and are to end with the symbols once more.

    Judged are the places of the answers. About 40 seconds on a slow core; the LSTM's forget gates start open (bias 1).
    """

    class Config(MemoryConfig):
        """The cells, and how long they must remember.

        Attributes:
            cells: Kinds of cells, at most five; of the additive ones that whose steps depend on the state.
            symbols: Different symbols.
            count: How many are to be repeated.
            delay: Steps between the last symbol and the first answer.
            steps: Of training, for each cell.
            lr: Adam's rate, the same for all.
        """

        cells: tuple[CellKind, ...] = ("elman", "lstm", "gru", "additive_recurrent")
        symbols: int = Field(default=4, ge=2, le=100)
        count: int = Field(default=3, ge=1, le=100)
        delay: int = Field(default=20, ge=1, le=10_000)
        steps: int = Field(default=2000, ge=2, le=1_000_000)
        lr: float = Field(default=5e-3, gt=0)

    def __init__(self, config: CopyLab.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the losses by training step, and what they show."""
        config = self.config
        data = CopyMemory.Config(
            symbols=config.symbols,
            count=config.count,
            delay=config.delay,
            batch=config.batch,
            evaluation_size=config.judged,
            evaluation_batch=min(500, config.judged),
        )
        curves = learning_curves(
            config,
            model=lambda cell: RecurrentTagger.Config(
                cell=cell,
                embedding_size=config.hidden_size,
                hidden_size=config.hidden_size,
                forget_bias=1.0 if cell == "lstm" else None,
            ),
            task=Tag.Config(),
            data=data,
        )
        return findings_of(
            curves,
            config,
            title=f"Repeating {config.count} of {config.symbols} symbols after {config.delay} steps",
            loss="nats per symbol",
            blind=data.chance,
            solved=_SOLVED,
        )
