"""International airline passengers by month, 1949 to 1960, in thousands.

Box & Jenkins, "Time Series Analysis: Forecasting and Control", 1976, series G.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._series import SeriesFields, SeriesSource, read_series

__all__ = ["Airline"]

_FILE = OfficialFile("airline-passengers.csv", 2180, "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621")
_MIRRORS = ("https://raw.githubusercontent.com/jbrownlee/Datasets/master",)
_MONTHS = 144
_ENDS = {"train": 96, "dev": 120, "test": 144}


class Airline(SeriesSource):
    """How many passengers flew: a trend, and seasons that grow with it.

    Training ends with 1956, ``dev`` are 1957 and 1958, ``test`` the last two years. With ``exogenous="month"`` each
    step comes with the month of the step after it, as a point on the circle of the year.

    Raises:
        DataError: The official file is neither at hand nor to be downloaded, or is damaged.
    """

    class Config(SeriesFields):
        """The published series, from ``$NETSMITH_DATA/timeseries``, the cache, or the network.

        Attributes:
            exogenous: ``none``, or the ``month`` that follows as ``cos`` and ``sin`` of its angle.
        """

        exogenous: Literal["none", "month"] = "none"

    def __init__(self, config: Config) -> None:
        if config.twin:
            times, values = _twin()
        else:
            contents = official_contents("timeseries", (_FILE,), mirrors=_MIRRORS)
            times, values = read_series(contents[_FILE.name], _FILE.name, time="Month", value="Passengers")
        drive = None
        if config.exogenous == "month":
            angle = torch.tensor([int(name[5:]) - 1 for name in times], dtype=torch.float64) * (2 * torch.pi / 12)
            drive = torch.stack([angle.cos(), angle.sin()], dim=1)
        super().__init__(
            config,
            dataset="airline",
            values=values,
            times=times,
            ends=_ENDS,
            unit="thousand passengers",
            exogenous=drive,
            names=() if drive is None else ("month_cos", "month_sin"),
        )


def _twin() -> tuple[list[str], Tensor]:
    """Make growth of 1 % a month times a season, and noise of 2 %."""
    generator = torch.Generator().manual_seed(named_key(0, "twin", "airline"))
    month = torch.arange(_MONTHS)
    season = torch.sin(2 * torch.pi * month / 12) + 0.5 * torch.cos(4 * torch.pi * month / 12)
    noise = 0.02 * torch.randn(_MONTHS, generator=generator)
    names = [f"{1949 + at // 12}-{at % 12 + 1:02}" for at in range(_MONTHS)]
    return names, (120 * torch.exp(0.01 * month + 0.15 * season + noise)).round().double()
