"""Sunspot numbers: by year 1700 to 1988, by month 1749 to 1983.

Andrews & Herzberg, "Data", 1985; Tong, "Non-linear Time Series", 1990; source: SILSO, Royal Observatory of Belgium.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._series import SeriesFields, SeriesSource, read_series

__all__ = ["Sunspots"]

_FILES = {
    "year": OfficialFile("sunspot.year.csv", 3792, "f6d6b62da79feac7408cd876efff2bf9c9853fd6b76b59ed3717a51d997764f9"),
    "month": OfficialFile(
        "monthly-sunspots.csv", 45039, "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3"
    ),
}
_MIRRORS = {
    "year": "https://vincentarelbundock.github.io/Rdatasets/csv/datasets",
    "month": "https://raw.githubusercontent.com/jbrownlee/Datasets/master",
}
_COLUMNS = {"year": ("time", "value"), "month": ("Month", "Sunspots")}
_ENDS = {
    "year": {"train": 1901, "dev": 1921, "test": 1956, "late": 1980},  # first years that are no longer theirs
    "month": {"train": 1901, "dev": 1921, "test": 1984},
}


class Sunspots(SeriesSource):
    """How many spots the sun has: a cycle of about eleven years, each of another height.

    By year the parts are those of Weigend, Huberman & Rumelhart (1990), "Predicting the future: a connectionist
    approach": forecasts of 1921 to 1955 are ``test``, and of 1956 to 1979, a time unlike those before, ``late``; of
    their training years, up to 1920, the last twenty are ``dev``. Their errors are divided by 1535, the variance of the
    whole series. By month ``test`` runs from 1921 to the end, 1983.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(SeriesFields):
        """The published series, from ``$NETSMITH_DATA/timeseries``, the cache, or the network.

        Attributes:
            step: A number for each ``year`` or ``month``.
        """

        step: Literal["year", "month"] = "year"

    def __init__(self, config: Config) -> None:
        if config.twin:
            times, values = _twin(config.step)
        else:
            file = _FILES[config.step]
            contents = official_contents("timeseries", (file,), mirrors=(_MIRRORS[config.step],))
            time, value = _COLUMNS[config.step]
            times, values = read_series(contents[file.name], file.name, time=time, value=value)
        years = [int(name[:4]) for name in times]
        ends = {split: sum(year < end for year in years) for split, end in _ENDS[config.step].items()}
        super().__init__(config, dataset="sunspots", values=values, times=times, ends=ends, unit="sunspots")


def _twin(step: str) -> tuple[list[str], Tensor]:
    """Make cycles of eleven years whose height drifts, at least 0, rising faster than they fall."""
    generator = torch.Generator().manual_seed(named_key(0, "twin", "sunspots", step))
    years = torch.arange(289.0) if step == "year" else torch.arange(2820.0) / 12
    phase = 2 * torch.pi * years / 11
    height = 80 + 40 * torch.sin(2 * torch.pi * years / 87)
    curve = torch.relu(0.5 + torch.sin(phase + 0.4 * torch.sin(phase))) * height / 1.5
    values = torch.relu(curve + 3 * torch.randn(len(years), generator=generator))
    names = [str(1700 + at) for at in range(289)]
    if step == "month":
        names = [f"{1749 + at // 12}-{at % 12 + 1:02}" for at in range(2820)]
    return names, values.double()
