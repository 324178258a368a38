"""Regression from a few examples: an example is a task, its loss the mean over its query points."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task, weighted

__all__ = ["FewShotRegress"]


class FewShotRegress(Task):
    r"""Squared error of curves; every task counts the same, however many points it is asked for.

    .. math:: L = \sum_{\text{tasks}} \frac1{Q} \sum_{q} (f(x_q) - y_q)^2

    Eq. 2 of Finn, Abbeel & Levine 2017 (arXiv:1703.03400), as a mean over the points.

    Shapes:
        Output and target ``(B, Q, D)``; B counts tasks, Q points. ``decode`` takes ``(B, D)``, one row per point.
    """

    class Config(TaskConfig):
        """Nothing to choose."""

        answers: ClassVar[tuple[OutputKind, ...]] = ("values",)

    def __init__(self, config: FewShotRegress.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        return weighted((output - target).square().flatten(1).mean(1), weights)

    def metrics(self) -> dict[str, Metric]:
        return {"mse": Ratio(_squared_error, higher_is_better=False)}

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        return [dict(zip(outputs.names, row, strict=True)) for row in output.tolist()]


def _squared_error(output: Tensor, target: Tensor) -> tuple[float, int]:
    return float((output.double() - target.double()).square().flatten(1).mean(1).sum()), len(output)
