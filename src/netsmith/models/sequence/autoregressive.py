"""The autoregressive model by least squares (Yule 1927)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.series_scale import SeriesScale
from netsmith.models.foundations.linear_regression import LinearRegression
from netsmith.models.sequence.recurrent_regressor import channels_misfit

__all__ = ["Autoregressive"]


class Autoregressive(nn.Module):
    r"""The next value as a linear function of the last ``order``: what every forecast is compared with.

    Yule (1927), who made it for sunspots.

    .. math:: \hat y_{t+1} = b + \sum_{k=1}^{p} a_k\, y_{t+1-k}

    by ordinary least squares over all one-step forecasts of training (conditional on the first p values), the same
    coefficients as ``statsmodels.tsa.ar_model.AutoReg``. Several steps ahead are forecast one after the other, each
    from those before it. Learned by the method ``closed_form``, in float64.

    Shapes:
        ``(B, L, 1)`` with L at least ``order``, the oldest first, to ``(B, num_outputs)`` float64.

    Raises:
        DataError: A shorter window.

    Example:
        >>> model = Autoregressive.Config(order=1, num_outputs=3).build()
        >>> series = torch.tensor([[1.0], [3.0], [7.0], [15.0]])
        >>> model.absorb(series[:-1, None], series[1:])  # y = 2 y + 1
        >>> [round(value, 6) for value in model(torch.tensor([[[15.0]]]))[0].tolist()]
        [31.0, 63.0, 127.0]
    """

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            order: p, how many values back it looks.
            log: Fit the logarithms: of a series that grows by shares.
            num_outputs: Steps ahead.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("series",)

        order: int = Field(default=12, ge=1)
        log: bool = False
        num_outputs: int | Auto = AUTO

        def misfit(self, spec: Spec) -> str:
            """Return why the model could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or channels_misfit(spec, 1)

    def __init__(self, config: Autoregressive.Config) -> None:
        super().__init__()
        self.order = config.order
        self.steps = int(config.num_outputs)
        self.scale = SeriesScale(SeriesScale.Config(log=config.log))
        self.line = LinearRegression.Config(in_features=config.order, num_outputs=1).build()

    def absorb(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        sum_ranks: Callable[[list[Tensor]], None] | None = None,
    ) -> None:
        """Add one-step forecasts to the sums, and solve.

        Args:
            inputs: ``(B, L, 1)`` windows.
            targets: ``(B, H)`` what followed; the first of them is learned from.
            weights: ``(B,)`` weights of the examples, or None for all ones.
            sum_ranks: Adds a list of tensors over all processes in place.
        """
        following, _ = self.scale(targets[:, :1, None].double())
        self.line.absorb(self._lags(inputs)[0], following[..., 0], weights=weights, sum_ranks=sum_ranks)

    def forward(self, window: Tensor) -> Tensor:
        """Return the forecast."""
        lags, anchor = self._lags(window)
        for _ in range(self.steps):
            lags = torch.cat([lags, self.line(lags[:, -self.order :])], dim=1)
        return self.scale.back(lags[:, self.order :], anchor)

    @property
    def coefficients(self) -> Tensor:
        """``(1 + order,)``: b, then a_1, ..., a_p, as statsmodels orders them."""
        return torch.cat([self.line.bias, self.line.weight[:, 0].flip(0)])

    def landmarks(self) -> dict[str, str]:
        """Return where the head is."""
        return {"head": "line"}

    def _lags(self, window: Tensor) -> tuple[Tensor, Tensor]:
        if window.shape[1] < self.order:
            raise DataError(f"an order of {self.order} takes windows of as many steps, got {tuple(window.shape)}")
        scaled, anchor = self.scale(window.double())
        return scaled[:, -self.order :, 0], anchor  # (B, order)
