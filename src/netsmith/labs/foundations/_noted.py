"""What a formula as course notes have it is shown by, beside the formula that is meant."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.findings import Figure
from netsmith.core.keys import key

__all__ = ["RIGHT", "WRONG", "Row", "Shown", "drawn"]

WRONG, RIGHT = "as noted", "as meant"


class Row(NamedTuple):
    """One figure of both forms.

    Attributes:
        what: Is measured.
        noted: Of the formula as noted.
        meant: Of the one that is meant.
        wanted: From theory, or from torch's own function.
    """

    what: str
    noted: float
    meant: float
    wanted: float


class Shown(NamedTuple):
    """What one error does.

    Attributes:
        rows: Of the table.
        figure: None where the table says it all.
        remark: One sentence.
    """

    rows: tuple[Row, ...]
    figure: Figure | None
    remark: str


def drawn(seed: int, name: str, *shape: int) -> Tensor:
    """Return standard normal numbers in double precision, the same for the same name."""
    generator = torch.Generator().manual_seed(key(seed, name))
    return torch.randn(shape, generator=generator, dtype=torch.float64)
