"""Hebb's rule and its two tamed forms: Oja's (1982), which finds a principal component, and Sanger's (1989)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch

__all__ = ["Hebb"]


class Hebb(nn.Module):
    r"""Strengthen what is active together: linear units y = W x that learn without a target.

    .. math:: \text{hebb: } \Delta w_i = \eta \, y_i x, \qquad
              \text{oja: } \Delta w_i = \eta \, y_i (x - y_i w_i), \qquad
              \text{sanger: } \Delta w_i = \eta \, y_i \Big(x - \sum_{j \le i} y_j w_j\Big)

    Hebb 1949, The Organization of Behavior; Oja 1982, J. Math. Biology 15; Sanger 1989, Neural Networks 2. Each step
    takes the mean over the batch. Hebb's own rule multiplies a weight along an eigenvector of
    :math:`C = \mathrm E[x x^T]` by :math:`1 + \eta \lambda`, and so grows without bound, ever more toward the first.
    Oja's subtracts what makes the norm 1: every unit comes to the first eigenvector or its negative. Sanger's lets each
    unit see what those before it leave over: they come to the first, second, ... eigenvector. These are the principal
    components if the inputs have mean 0; center them before.

    First weights are standard normal divided by the square root of ``in_features``, from torch's default generator.

    Attributes:
        weight: ``(units, F)`` float64.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, units)`` float64.
    """

    weight: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            rule: ``hebb``, ``oja`` or ``sanger``.
            units: How many there are.
            in_features: Numbers per example.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        widths: ClassVar[tuple[str, ...]] = ("units",)

        rule: Literal["hebb", "oja", "sanger"] = "oja"
        units: int = Field(default=1, ge=1)
        in_features: int | Auto = AUTO

    def __init__(self, config: Hebb.Config) -> None:
        super().__init__()
        self.config = config
        drawn = torch.randn(config.units, config.in_features, dtype=torch.float64)
        self.register_buffer("weight", drawn / config.in_features**0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return each unit's answer."""
        return inputs.flatten(1).to(self.weight.dtype) @ self.weight.T

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Change the weights by the mean over a batch; its targets are not looked at.

        Args:
            batch: Inputs ``(B, ...)``, with weights of the examples or without.
            rate: eta; Oja's and Sanger's rule need it well below 1 / lambda_max of C.

        Returns:
            ``norm``, the largest of a unit's weights, and ``power``, the mean of y^2.
        """
        x = batch.inputs.flatten(1).to(self.weight.dtype)  # (B, F)
        shares = torch.ones_like(x[:, 0]) if batch.weights is None else batch.weights.to(x)
        y = self(x)  # (B, U)
        weighted = y * (shares / shares.sum())[:, None]
        change = weighted.T @ x  # (U, F)
        if self.config.rule != "hebb":
            together = weighted.T @ y  # (U, U)
            kept = together.diag().diag() if self.config.rule == "oja" else together.tril()
            change -= kept @ self.weight
        self.weight += rate * change
        return {"norm": float(self.weight.norm(dim=1).max()), "power": float(y.square().mean())}

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}
