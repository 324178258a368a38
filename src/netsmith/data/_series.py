"""Windows of one series: what was, and what follows, divided by time."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.data._arrays import BatchFields, FixedSource, Part, array_part
from netsmith.layers.rows import read_number

__all__ = ["SeriesFields", "SeriesSource", "read_series", "windows"]


class SeriesFields(BatchFields):
    """The fields of every source of windows.

    Attributes:
        window: Steps that are seen.
        horizon: Steps ahead that are forecast.
    """

    window: Annotated[int, Field(ge=1, le=10_000)] = 12
    horizon: Annotated[int, Field(ge=1, le=1_000)] = 1


class SeriesSource(FixedSource):
    """Abstract: windows of one series, each with the values that follow it.

    The parts follow each other in time, never mixed: an example belongs to the part in which all that it forecasts
    lies; what it sees may reach back into the part before, as in use. No value that dev or test forecasts is in
    training.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        values: ``(T,)`` float64, the series.
        times: What each step is called, in order.
        ends: Where each part ends, by split in order of time; the last one ends the series.
        unit: Unit of the values.
        exogenous: ``(T, E)`` what drives each step; None for nothing.
        names: Names of the exogenous numbers.

    Raises:
        ConfigError: A window and horizon that leave a part without an example.
    """

    def __init__(
        self,
        config: SeriesFields,
        *,
        dataset: str,
        values: Tensor,
        times: Sequence[str],
        ends: Mapping[str, int],
        unit: str,
        exogenous: Tensor | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        seen, following = windows(values, window=config.window, horizon=config.horizon, exogenous=exogenous)
        parts: dict[str, Part] = {}
        start = 0
        for split, end in ends.items():
            first = max(start - config.window, 0)  # the example that forecasts `start` first
            last = end - config.window - config.horizon
            if last < first:
                raise ConfigError(
                    f"window={config.window} and horizon={config.horizon}: {split} of {dataset} has {end - start} steps"
                    f" and no example; make them smaller"
                )
            made = f"forecasts of {times[max(start, config.window)]} to {times[end - 1]}"
            parts[split] = array_part(seen[first : last + 1], following[first : last + 1], made=made)
            start = end
        channels = 1 + len(names)
        inputs = Inputs(kind="series", shape=(config.window, channels), columns=("value", *names))
        ahead = tuple(f"step {step}" for step in range(1, config.horizon + 1))
        outputs = Outputs(kind="values", names=ahead, size=config.horizon, units=(unit,) * config.horizon)
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=outputs), parts=parts)


def windows(values: Tensor, *, window: int, horizon: int, exogenous: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return all windows of a series and what follows each.

    Args:
        values: ``(T,)``.
        window: Steps of a window.
        horizon: Steps that follow.
        exogenous: ``(T, E)``; beside each value of a window stands the drive of the step *after* it.

    Returns:
        ``(N, window, 1 + E)`` and ``(N, horizon)``, float32; N is 0 of a short series.

    Example:
        >>> seen, following = windows(torch.arange(5.0), window=2, horizon=2)
        >>> seen[..., 0].tolist(), following.tolist()
        ([[0.0, 1.0], [1.0, 2.0]], [[2.0, 3.0], [3.0, 4.0]])
    """
    channels = values[:-1, None] if exogenous is None else torch.cat([values[:-1, None], exogenous[1:]], dim=1)
    count = max(len(values) - window - horizon + 1, 0)
    starts = torch.arange(count)[:, None]
    seen = channels[starts + torch.arange(window)]  # (N, window, 1 + E)
    following = values[starts + window + torch.arange(horizon)]  # (N, horizon)
    return seen.float(), following.float()


def read_series(data: bytes, name: str, *, time: str, value: str) -> tuple[list[str], Tensor]:
    """Read a series from a CSV file.

    Args:
        data: The file's contents.
        name: Its name, for messages.
        time: The column that names the steps.
        value: The column of numbers.

    Returns:
        The names of the steps, and ``(T,)`` float64.

    Raises:
        DataError: No such columns, or a cell that is no number; the line is named.
    """
    lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    if not lines or time not in lines[0] or value not in lines[0]:
        found = shorten(repr(lines[0] if lines else []), 80)
        raise DataError(f"has the columns {found}; expected {time!r} and {value!r}", name, 1)
    at = [lines[0].index(column) for column in (time, value)]
    times, values = [], []
    for row, cells in enumerate(lines[1:], start=2):
        number = read_number(cells[at[1]]) if len(cells) == len(lines[0]) else None
        if number is None or not math.isfinite(number):
            raise DataError(f"holds {shorten(repr(cells), 60)}; expected a number as {value!r}", name, row)
        times.append(cells[at[0]])
        values.append(number)
    return times, torch.tensor(values, dtype=torch.float64)
