"""Learning curves of several cells on a problem of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig, TaskConfig
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.layers.recurrent.kinds import CellKind
from netsmith.measure.parameters import count_parameters
from netsmith.methods.supervised import Supervised
from netsmith.optim.adam import Adam

__all__ = ["Curve", "MemoryConfig", "findings_of", "learning_curves"]


class MemoryConfig(LabConfig):
    """What the labs of memory share.

    Attributes:
        cells: Kinds of cells, at most five.
        hidden_size: Hidden units.
        steps: Of training, for each cell.
        points: How often each is judged on the way.
        batch: Examples of a step.
        lr: Adam's rate, the same for all.
        clip_norm: Largest norm of a gradient.
        judged: Examples each is judged on, never trained on.
        seed: Of weights and examples.
    """

    cells: tuple[CellKind, ...] = ("elman", "lstm", "gru", "additive")
    hidden_size: int = Field(default=32, ge=1, le=1000)
    steps: int = Field(default=1000, ge=2, le=1_000_000)
    points: int = Field(default=20, ge=2, le=1000)
    batch: int = Field(default=32, ge=1, le=10_000)
    lr: float = Field(default=1e-2, gt=0)
    clip_norm: float = Field(default=1.0, ge=0)
    judged: int = Field(default=500, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_memory(self) -> MemoryConfig:
        if not 1 <= len(set(self.cells)) == len(self.cells) <= 5:
            raise ValueError(f"cells: expected one to five different ones, got {self.cells}")
        if self.points > self.steps:
            raise ValueError(f"points={self.points}: expected at most steps={self.steps}")
        return self


class Curve(NamedTuple):
    """What one cell learned.

    Attributes:
        cell: Its kind.
        parameters: Of the whole network.
        steps: Where it was judged.
        losses: What it lost there, on examples never trained on.
    """

    cell: CellKind
    parameters: int
    steps: tuple[float, ...]
    losses: tuple[float, ...]

    def first_below(self, level: float) -> int | None:
        """Return the first of its steps with a loss below a level; None if there is none."""
        return next((int(step) for step, loss in zip(self.steps, self.losses, strict=True) if loss < level), None)


def learning_curves(
    config: MemoryConfig, *, model: Callable[[CellKind], ModelConfig], task: TaskConfig, data: SourceConfig
) -> list[Curve]:
    """Train a network of each cell on the same examples in the same order.

    Args:
        config: The lab's.
        model: Returns the network with a kind of cell.
        task: What its answers mean.
        data: The problem.
    """
    source, curves = data.build(), []
    for cell in config.cells:
        experiment = Experiment.Config(
            method=Supervised.Config(model=model(cell), task=task),
            data=data,
            optimizers={"model": Adam.Config(lr=config.lr)},
            steps=config.steps,
            evaluate_every=max(1, config.steps // config.points),
            clip_norm=config.clip_norm,
            seed=config.seed,
        )
        engine = train(experiment, source=source).engine
        steps, losses = zip(*((float(step), found["dev/loss"]) for step, found in engine.history), strict=True)
        curves.append(Curve(cell, count_parameters(engine.method.product()), steps, losses))
    return curves


def findings_of(
    curves: Sequence[Curve], config: MemoryConfig, *, title: str, loss: str, blind: float, solved: float
) -> Findings:
    """Return the curves as a chart, a table and sentences.

    Args:
        curves: One for each cell.
        config: The lab's.
        title: Of the chart.
        loss: What the losses are, with their unit.
        blind: The loss of who remembers nothing.
        solved: The loss below which the problem counts as solved.
    """
    ends = (curves[0].steps[0], curves[0].steps[-1])
    lines = [Series(curve.cell, curve.steps, curve.losses) for curve in curves]
    chart = Lines(
        "curves",
        title,
        "training steps",
        loss,
        (Series("remembers nothing", ends, (blind, blind)), *lines),
        log_y=True,
        caption=f"On {config.judged} examples that are never trained on. {config.hidden_size} units, batches of "
        f"{config.batch}, Adam with rate {config.lr:g} for all, gradients clipped to norm {config.clip_norm:g}; one "
        f"seed, {config.seed}.",
    )
    rows, remarks = [], []
    for curve in curves:
        first = curve.first_below(solved)
        rows.append((curve.cell, curve.parameters, curve.losses[-1], "not reached" if first is None else first))
        text = f"{curve.cell}: after {curve.steps[-1]:.0f} steps it loses {curve.losses[-1]:.3g}, "
        text += f"{curve.losses[-1] / blind:.2g} times the {blind:.3g} of remembering nothing; "
        remarks.append(text + ("never" if first is None else f"first at step {first}") + f" below {solved:g}.")
    order = sorted(curves, key=lambda curve: curve.losses[-1])
    remarks.append(f"From the least loss at the end to the most: {', '.join(curve.cell for curve in order)}.")
    table = Grid("At the end", ("cell", "parameters", loss, f"first step below {solved:g}"), tuple(rows))
    numbers = {f"loss/{curve.cell}": curve.losses for curve in curves}
    return Findings({**numbers, "steps": curves[0].steps, "blind": blind}, (chart,), (table,), tuple(remarks))
