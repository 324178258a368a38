"""Nonlinear autoregression with exogenous inputs (Lin, Horne, Tino & Giles 1996)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.series_scale import SeriesScale
from netsmith.models.sequence.recurrent_regressor import channels_misfit

__all__ = ["Narx"]


class Narx(nn.Module):
    r"""A network on a series' own past and on the past and present of what drives it.

    Lin, Horne, Tino & Giles (1996), "Learning long-term dependencies in NARX recurrent neural networks"; Narendra &
    Parthasarathy (1990).

    .. math:: \hat y_{t+1} = F(y_t, \dots, y_{t-n_y+1},\; u_{t+1}, \dots, u_{t-n_u+2}), \qquad
              F(v) = c + a^T v + w^T \tanh(W v + b)

    With ``direct`` connections :math:`a^T v` it contains the linear model. One step ahead it is run on the series
    itself (series-parallel); several steps ahead on its own forecasts (parallel): without exogenous inputs by
    ``num_outputs``, with them by :meth:`forecast`, which takes their future.

    Row t of a window holds :math:`y_t` and, behind it, :math:`u_{t+1}`: the drive of the step that follows.

    Shapes:
        ``(B, L, 1 + exogenous)``, the oldest first, to ``(B, num_outputs)`` in the unit of the series.

    Raises:
        ConfigError: Several steps ahead with exogenous inputs: a window does not hold their future.
        DataError: A window shorter than the lags.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            lags: n_y, how many values of the series it sees.
            exogenous: Exogenous numbers per step.
            exogenous_lags: n_u, how many steps of them it sees.
            hidden_size: Units.
            activation: Of the units.
            direct: Whether the output also depends on the lags linearly.
            scaling: What the network sees of the series.
            num_outputs: Steps ahead.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("series",)
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)

        lags: int = Field(default=12, ge=1)
        exogenous: int = Field(default=0, ge=0)
        exogenous_lags: int = Field(default=1, ge=1)
        hidden_size: int = Field(default=8, ge=1)
        activation: Literal["tanh", "sigmoid"] = "tanh"
        direct: bool = True
        scaling: SeriesScale.Config = SeriesScale.Config()
        num_outputs: int | Auto = AUTO

        def misfit(self, spec: Spec) -> str:
            """Return why the network could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or channels_misfit(spec, 1 + self.exogenous)

    def __init__(self, config: Narx.Config) -> None:
        super().__init__()
        if config.exogenous and config.num_outputs != 1:
            raise ConfigError(
                f"num_outputs={config.num_outputs}: with exogenous inputs a window says one step ahead; take 1, and "
                "forecast(window, future) for more"
            )
        if not config.exogenous and config.exogenous_lags != 1:
            raise ConfigError(f"exogenous_lags={config.exogenous_lags} means nothing with exogenous=0; leave it out")
        self.config = config
        self.scale = SeriesScale(config.scaling)
        width = config.lags + config.exogenous * config.exogenous_lags
        self.hidden = nn.Linear(width, config.hidden_size)
        self.activation = nn.Tanh() if config.activation == "tanh" else nn.Sigmoid()
        self.head = nn.Linear(config.hidden_size, 1)
        self.direct = nn.Linear(width, 1, bias=False) if config.direct else None

    def forward(self, window: Tensor) -> Tensor:
        """Return the forecast."""
        z, anchor = self._scaled(window)
        values, drive = z[..., 0], z[..., 1:]
        for _ in range(int(self.config.num_outputs)):
            values = torch.cat([values, self._next(values, drive)], dim=1)
        return self.scale.back(values[:, window.shape[1] :], anchor)

    @torch.no_grad()
    def forecast(self, window: Tensor, future: Tensor) -> Tensor:
        """Forecast several steps from their drive, each from the forecasts before it.

        Args:
            window: ``(B, L, 1 + exogenous)``.
            future: ``(B, H - 1, exogenous)``: the drive of steps 2 to H; that of step 1 stands in the window.

        Returns:
            ``(B, H)``.

        Raises:
            UnsupportedError: A network without exogenous inputs: ``num_outputs`` says how far it looks.
        """
        if not self.config.exogenous:
            raise UnsupportedError("this network has no exogenous inputs; set num_outputs to the steps ahead")
        z, anchor = self._scaled(window)
        values, drive = z[..., 0], z[..., 1:]
        for step in range(future.shape[1] + 1):
            values = torch.cat([values, self._next(values, drive)], dim=1)
            drive = torch.cat([drive, future[:, step : step + 1]], dim=1)
        return self.scale.back(values[:, window.shape[1] :], anchor)

    def landmarks(self) -> dict[str, str]:
        """Return where the hidden layer, its units and the head are."""
        return {"stem": "hidden", "features": "activation", "head": "head"}

    def _scaled(self, window: Tensor) -> tuple[Tensor, Tensor]:
        needed = max(self.config.lags, self.config.exogenous_lags)
        if window.shape[1] < needed or window.shape[2] != 1 + self.config.exogenous:
            raise DataError(
                f"expected windows of at least {needed} steps of {1 + self.config.exogenous} numbers, got "
                f"{tuple(window.shape)}"
            )
        return self.scale(window)

    def _next(self, values: Tensor, drive: Tensor) -> Tensor:
        past = drive[:, -self.config.exogenous_lags :].flatten(1) if self.config.exogenous else values[:, :0]
        seen = torch.cat([values[:, -self.config.lags :], past], dim=1)  # (B, width)
        output = self.head(self.activation(self.hidden(seen)))
        return output if self.direct is None else output + self.direct(seen)
