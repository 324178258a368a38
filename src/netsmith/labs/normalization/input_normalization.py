"""What the scale of inputs does to gradient descent: raw, min-max and z-score columns."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.layers.preprocess import normalize

__all__ = ["CARD", "InputNormalization", "descend", "moments"]

CARD = {
    "title": "Input normalization",
    "paper": "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3",
    "shows": "the condition number of a table's columns raw, min-max and z-score, and how fast a linear model learns",
    "quick": {"table": "iris", "steps": 20},
}

Way = Literal["raw", "min_max", "z_score"]
_NAMES: dict[Way, str] = {"raw": "raw", "min_max": "min-max (0..1)", "z_score": "z-score"}
_POINTS = 60  # of a drawn line


class InputNormalization:
    """Descend on softmax regression with the whole training part, at the rate that its curvature surely allows.

    The Hessian of the mean cross entropy is nowhere above half of the columns' second moments, so 1 over half of their
    largest eigenvalue never overshoots: each scale gets a safe rate of its own. What then decides is how different the
    directions are, the condition number. Minimum, maximum, mean and deviation are those of the training part.

    Raises:
        ConfigError: In :meth:`run`: so few training rows that they leave a direction of the columns without any.
    """

    class Config(LabConfig):
        """The table and the descent.

        Attributes:
            table: A table of scikit-learn: ``breast_cancer`` (569 rows of 30 numbers), ``wine`` (178 of 13) or ``iris``
                (150 of 4).
            steps: Of the descent.
            test: Share of rows that are held out.
            seed: Draws these.
        """

        table: Literal["breast_cancer", "wine", "iris"] = "breast_cancer"
        steps: int = Field(default=2000, ge=2, le=1_000_000)
        test: float = Field(default=0.3, gt=0, lt=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: InputNormalization.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return condition numbers, losses by step, and what they show."""
        config = self.config
        table = getattr(require("sklearn.datasets", extra="classic"), f"load_{config.table}")()
        rows, classes = torch.from_numpy(table.data).double(), torch.from_numpy(table.target).long()
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(key(config.seed, "rows")))
        held = max(1, round(config.test * len(rows)))
        train, test = order[held:], order[:held]
        self._check(rows[train])
        numbers: dict[str, Number | tuple[Number, ...]] = {"rows": len(train), "columns": rows.shape[1]}
        series, cells = [], []
        for way, name in _NAMES.items():
            scaled = normalize(rows, *moments(rows[train], way))
            inputs = torch.cat([scaled, torch.ones(len(rows), 1, dtype=torch.float64)], 1)
            losses, weights, spectrum = descend(inputs[train], classes[train], steps=config.steps)
            accuracy = float(((inputs[test] @ weights).argmax(1) == classes[test]).double().mean())
            condition = float(spectrum[-1] / spectrum[0])
            numbers |= {
                f"condition/{way}": condition,
                f"rate/{way}": 2 / float(spectrum[-1]),
                f"loss/{way}": losses[-1],
                f"accuracy/{way}": accuracy,
            }
            cells.append((name, condition, 2 / float(spectrum[-1]), losses[-1], accuracy))
            at = sorted({round(config.steps ** (point / _POINTS)) for point in range(_POINTS + 1)})
            series.append(Series(name, tuple(map(float, at)), tuple(losses[step] for step in at)))
        chart = Lines(
            "losses",
            "Loss of softmax regression by step",
            "step",
            "loss on the training part",
            tuple(series),
            log_x=True,
            log_y=True,
            caption=f"{config.table}, {len(train)} rows; each at the rate that its own curvature surely allows.",
        )
        grid = Grid(
            f"After {config.steps:,} steps",
            ("columns", "condition number", "rate", "loss", "test accuracy"),
            tuple(cells),
            "Condition number: of the columns' second moments, a column of ones among them.",
        )
        return Findings(numbers, (chart,), (grid,), self._remarks(numbers))

    def _check(self, rows: Tensor) -> None:
        """Refuse rows whose columns depend on each other: one direction would be flat, the condition infinite."""
        rank = 0
        if len(rows):
            inputs = torch.cat([normalize(rows, *moments(rows, "z_score")), torch.ones_like(rows[:, :1])], 1)
            rank = int(torch.linalg.matrix_rank(inputs))
        if rank <= rows.shape[1]:
            raise ConfigError(
                f"test={self.config.test:g} leaves {len(rows)} rows to train on, which span {rank} of the "
                f"{rows.shape[1] + 1} directions of {self.config.table}'s columns and a column of ones; lower test"
            )

    def _remarks(self, numbers: dict[str, Number | tuple[Number, ...]]) -> tuple[str, ...]:
        order = sorted(_NAMES, key=lambda way: numbers[f"loss/{way}"])
        conditions = ", ".join(f"{numbers[f'condition/{way}']:.3g} {_NAMES[way]}" for way in _NAMES)
        losses = ", ".join(f"{numbers[f'loss/{way}']:.3g} {_NAMES[way]}" for way in order)
        accuracies = ", ".join(f"{numbers[f'accuracy/{way}']:.3f} {_NAMES[way]}" for way in order)
        return (
            f"Condition numbers of the columns: {conditions}.",
            f"Training loss after {self.config.steps:,} steps, the lowest first: {losses}.",
            f"Test accuracy, in the same order: {accuracies}.",
        )


def moments(rows: Tensor, way: Way) -> tuple[Tensor, Tensor]:
    """Return what is taken from each column, and what it is then divided by; a constant column is divided by 1.

    Args:
        rows: ``(N, F)``.
        way: ``min_max`` takes the columns to 0..1, ``z_score`` to mean 0 and standard deviation 1 (of the population).
    """
    if way == "raw":
        return torch.zeros_like(rows[0]), torch.ones_like(rows[0])
    if way == "min_max":
        low, spread = rows.amin(0), rows.amax(0) - rows.amin(0)
    else:
        low, spread = rows.mean(0), rows.std(0, correction=0)
    return low, torch.where(spread > 0, spread, 1.0)


def descend(inputs: Tensor, classes: Tensor, *, steps: int) -> tuple[list[float], Tensor, Tensor]:
    r"""Return losses of gradient descent on softmax regression, the weights, and the eigenvalues of the second moments.

    .. math:: W \leftarrow W - \frac{2}{\lambda_{max}} \, \frac{1}{N} X^\top (\mathrm{softmax}(X W) - Y)

    with :math:`\lambda_{max}` of :math:`X^\top X / N` (Böhning 1992: the softmax's own Hessian is at most 1/2).

    Args:
        inputs: ``(N, F)``, N at least F.
        classes: ``(N,)``.
        steps: How many; the loss before the first is among those returned.
    """
    targets = F.one_hot(classes).to(inputs)  # (N, K)
    # of the rows themselves: the smallest eigenvalue of their product may be lost in the rounding of the largest
    spectrum = torch.linalg.svdvals(inputs).square().flip(0) / len(inputs)
    weights = inputs.new_zeros(inputs.shape[1], targets.shape[1])
    losses = []
    for _ in range(steps):
        logs = torch.log_softmax(inputs @ weights, 1)
        losses.append(-float((logs * targets).sum(1).mean()))
        weights = weights - 2 / spectrum[-1] * inputs.T @ (logs.exp() - targets) / len(inputs)
    losses.append(-float((torch.log_softmax(inputs @ weights, 1) * targets).sum(1).mean()))
    return losses, weights, spectrum
