"""One or several real values for each example."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task, weighted
from netsmith.tasks._metrics import R2, absolute_errors, paired, squared_errors

__all__ = ["Regress"]


class Regress(Task):
    r"""Squared, absolute or Huber (1964) error between values, averaged over the values of an example.

    .. math:: e^2, \qquad |e|, \qquad
              \tfrac12 e^2 \ (|e| \le \delta) \ \text{else}\ \delta (|e| - \tfrac12 \delta)

    Figures: ``mse``, ``mae``, ``r2`` (averaged over the values) and ``loss``, all exact under any split.

    Shapes:
        Output and target ``(B,)``, ``(B, V)`` or any other form with as many values per example.
    """

    class Config(TaskConfig):
        """How values are learned.

        Attributes:
            error: ``mse`` follows the mean, ``mae`` the median, ``huber`` lies between and bears outliers.
            huber_delta: Where Huber's error turns linear, in the unit of the values.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("values",)

        error: Literal["mse", "mae", "huber"] = "mse"
        huber_delta: float = Field(default=1.0, gt=0)

    def __init__(self, config: Regress.Config) -> None:
        super().__init__()
        if config.huber_delta != 1.0 and config.error != "huber":
            raise ConfigError(f"huber_delta={config.huber_delta} applies to error='huber' only; leave it out")
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        return weighted(self._errors(output, target), weights)

    def metrics(self) -> dict[str, Metric]:
        return {
            "mse": Ratio(squared_errors, higher_is_better=False),
            "mae": Ratio(absolute_errors, higher_is_better=False),
            "r2": R2(),
            "loss": Ratio(self._summed, higher_is_better=False),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return the values by name per example, and their units where the schema has some.

        Raises:
            ConfigError: The schema has another number of names or units than the network has values.
            DataError: A value is not a number.
        """
        rows = output.detach().cpu().double().reshape(output.shape[0], -1)  # (B, V)
        names = outputs.names or tuple(f"value_{number}" for number in range(rows.shape[1]))
        for what, given in (("names", names), ("units", outputs.units)):
            if given and len(given) != rows.shape[1]:
                raise ConfigError(f"the network answers {rows.shape[1]} values, the schema has {len(given)} {what}")
        if not bool(rows.isfinite().all()):
            raise DataError("the network's answer is not finite; check the range of the input")
        units = {"units": dict(zip(names, outputs.units, strict=True))} if outputs.units else {}
        return [{"values": dict(zip(names, row, strict=True)), **units} for row in rows.tolist()]

    def _errors(self, output: Tensor, target: Tensor) -> Tensor:
        values, wanted = paired(output, target)
        if self.config.error == "mse":
            errors = (values - wanted).square()
        elif self.config.error == "mae":
            errors = (values - wanted).abs()
        else:
            errors = F.huber_loss(values, wanted, reduction="none", delta=self.config.huber_delta)
        return errors.mean(1)  # (B,)

    def _summed(self, output: Tensor, target: Tensor) -> tuple[Tensor, int]:
        return self._errors(output.double(), target).sum(), target.shape[0]
