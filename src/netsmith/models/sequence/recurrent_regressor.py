"""A recurrent network that reads a window of a series and forecasts what follows (Elman 1990)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.recurrent.kinds import CellKind, check_kind
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.series_scale import SeriesScale

__all__ = ["RecurrentRegressor", "channels_misfit"]


class RecurrentRegressor(nn.Module):
    r"""Recurrent layers of any cell over a window, and a linear layer on the state at its end.

    .. math:: h_t = \mathrm{cell}(z_t, h_{t-1}), \qquad \hat y = V h_L + c

    for all steps ahead at once (the direct forecast). What is forecast is channel 0 of the window; the others are
    exogenous. With a ``jordan`` cell the network feeds its own forecast back at each step.

    Shapes:
        ``(B, L, channels)`` in the series' unit, the oldest first, to ``(B, num_outputs)`` in the same unit.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            cell: Kind of cell.
            hidden_size: Hidden units per layer.
            num_layers: Layers above each other.
            dropout: Share dropped in training between layers and before the head.
            forget_bias: What forget gates' biases start at (1 is open); None draws them.
            scaling: What the network sees of the series.
            channels: Numbers per step: the series, then what is exogenous.
            num_outputs: Steps ahead.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("series",)
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        cell: CellKind = "elman"
        hidden_size: int = Field(default=16, ge=1)
        num_layers: int = Field(default=1, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        forget_bias: float | None = None
        scaling: SeriesScale.Config = SeriesScale.Config()
        channels: int = Field(default=1, ge=1)
        num_outputs: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> RecurrentRegressor.Config:
            check_kind(self.cell, output_size=int(self.cell == "jordan"), forget_bias=self.forget_bias)
            return self

        def misfit(self, spec: Spec) -> str:
            """Return why the network could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or channels_misfit(spec, self.channels)

    def __init__(self, config: RecurrentRegressor.Config) -> None:
        super().__init__()
        self.scale = SeriesScale(config.scaling)
        self.recurrent = Recurrent(
            config.channels,
            config.hidden_size,
            cell=config.cell,
            num_layers=config.num_layers,
            dropout=config.dropout,
            output_size=int(config.num_outputs) if config.cell == "jordan" else 0,
            forget_bias=config.forget_bias,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.recurrent.width, config.num_outputs)

    def forward(self, window: Tensor) -> Tensor:
        """Return the forecast."""
        z, anchor = self.scale(window)
        states = self.recurrent(z)  # (B, L, W)
        return self.scale.back(self.head(self.dropout(states[:, -1])), anchor)

    def landmarks(self) -> dict[str, str]:
        """Return where the recurrent layers, the last features and the head are."""
        return {"stem": "recurrent", "features": "dropout", "head": "head"}


def channels_misfit(spec: Spec, channels: int) -> str:
    """Return why windows of this schema have not as many numbers per step as a network takes, ``""`` if they do."""
    have = spec.inputs.shape[-1]
    if have == channels:
        return ""
    return (
        f"{spec.dataset} has windows of {have} numbers per step, and the network takes {channels}; change its channels "
        "or lags, or what the data give (exogenous)"
    )
