"""The data of these labs: ten measurements of 442 people with diabetes, and how far it went a year later."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.extras import require

__all__ = ["Diabetes", "read_diabetes"]


class Diabetes(NamedTuple):
    """Columns with mean 0 and deviation 1, and their target with mean 0.

    Attributes:
        names: Of the columns.
        x: ``(442, 10)`` float64.
        y: ``(442,)`` float64.
    """

    names: tuple[str, ...]
    x: Tensor
    y: Tensor


def read_diabetes() -> Diabetes:
    """Return the data that comes with scikit-learn (Efron et al. 2004, doi:10.1214/009053604000000067).

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    data = require("sklearn.datasets", extra="classic").load_diabetes()
    x, y = torch.from_numpy(data.data), torch.from_numpy(data.target)
    return Diabetes(tuple(data.feature_names), (x - x.mean(0)) / x.std(0, correction=0), y - y.mean())
