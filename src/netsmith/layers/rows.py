"""From rows of a table to numbers; the same functions in training, predict and serve."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.spec import Inputs

__all__ = ["cell_text", "encode_column", "encode_rows", "is_missing", "read_number"]

_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_INFINITE = re.compile(r"\s*[+-]?inf(?:inity)?\s*", re.IGNORECASE)
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
_LARGEST = float(torch.finfo(torch.float32).max)


def is_missing(cell: Any) -> bool:
    """Say whether a cell is empty: null, NaN, or a usual word for it (``NA``, ``NaN``, ``null``, ``none``, ``?``)."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return cell.strip().lower() in _MISSING
    return isinstance(cell, float) and math.isnan(cell)


def read_number(cell: Any) -> float | None:
    """Return a cell as a number (perhaps infinite), or None where it is not one; true and false are not."""
    if isinstance(cell, str):
        if len(cell) > 400:
            return None
        return float(cell) if _NUMBER.fullmatch(cell) or _INFINITE.fullmatch(cell) else None
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return None
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def cell_text(cell: Any) -> str:
    """Return a cell as the text of a category: stripped, ``true`` and ``false`` in lower case, ``""`` for null."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def encode_column(
    cells: Sequence[Any],
    name: str,
    *,
    categories: tuple[str, ...] = (),
    rows: Sequence[int] | None = None,
    path: str | Path | None = None,
    missing: Literal["refuse", "mean"] = "refuse",
    unknown: Literal["refuse", "zeros"] = "refuse",
) -> list[float]:
    """Turn one column into numbers: the number itself, or the position of a text among its categories.

    Args:
        cells: Values as read: texts, numbers, booleans, null.
        name: The column's name, for messages.
        categories: The column's texts in order; empty for a column of numbers.
        rows: The row of each cell in its file, for messages; 1, 2, ... by default.
        path: The file, for messages.
        missing: ``mean`` turns an empty number into NaN, which :class:`~netsmith.layers.preprocess.Preprocess`
            replaces by the training mean; ``refuse`` raises.
        unknown: ``zeros`` turns a text that is no category into -1; ``refuse`` raises.

    Raises:
        DataError: A cell that fits neither; names the row and the column.
    """
    positions = {text: float(position) for position, text in enumerate(categories)}
    numbers: list[float] = []
    for index, cell in enumerate(cells):
        problem = ""
        if categories:
            number = positions.get(cell_text(cell))
            if number is None and unknown == "zeros":
                number = -1.0
            if number is None:
                known = ", ".join(map(repr, categories[:6])) + (", ..." if len(categories) > 6 else "")
                problem = f"which training never saw; expected one of {known}"
        elif is_missing(cell):
            number = math.nan if missing == "mean" else None
            problem = "which is empty; expected a number (fill it in, or set missing='mean')"
        else:
            number = read_number(cell)
            problem = "expected a number"
            if number is not None and abs(number) > _LARGEST:
                number, problem = None, "expected a finite number"
        if number is None:
            shown = shorten(repr(cell), 40)
            raise DataError(
                f"column {shorten(name, 40)!r} holds {shown}, {problem}",
                path,
                index + 1 if rows is None else rows[index],
            )
        numbers.append(number)
    return numbers


def encode_rows(
    rows: Sequence[Mapping[str, Any]],
    inputs: Inputs,
    *,
    missing: Literal["refuse", "mean"] = "refuse",
    unknown: Literal["refuse", "zeros"] = "refuse",
    ignore: Collection[str] = (),
    at: Sequence[int] | None = None,
    path: str | Path | None = None,
) -> Tensor:
    """Turn rows (one mapping each, by column name) into the raw array that ``Preprocess`` takes.

    Args:
        rows: ``B`` rows; values are numbers, texts that hold numbers, or categories.
        inputs: The schema's inputs of kind ``table``.
        missing: What to do with an empty number, as in :func:`encode_column`.
        unknown: What to do with an unknown category, as in :func:`encode_column`.
        ignore: Names that may be there and are not used (the target, an identifier).
        at: The row of each in its file, for messages; 1, 2, ... by default.
        path: The file, for messages.

    Returns:
        ``(B, F)`` float32, one number per column.

    Raises:
        DataError: A row that is no mapping, lacks a column, has one too many, or holds a wrong value; names the row.
        ConfigError: The schema is not that of a table with named columns.
    """
    if inputs.kind != "table" or not inputs.columns:
        raise ConfigError(f"rows need a schema of kind 'table' with column names, got kind {inputs.kind!r}")
    known, ignored = set(inputs.columns), set(ignore)
    numbers = at if at is not None else range(1, len(rows) + 1)
    for number, row in zip(numbers, rows, strict=True):
        if not isinstance(row, Mapping):
            raise DataError(f"expected values by column name, got {type(row).__name__}", path, number)
        lacking = next((name for name in inputs.columns if name not in row), None)
        if lacking is not None:
            near = did_you_mean(lacking, map(str, row))
            raise DataError(f"has no column {shorten(lacking, 60)!r}{near}", path, number)
        surplus = next((str(name) for name in row if name not in known and name not in ignored), None)
        if surplus is not None:
            near = did_you_mean(surplus, known)
            raise DataError(f"has a column {shorten(surplus, 60)!r} unknown to training{near}", path, number)
    result = torch.empty(len(rows), len(inputs.columns))
    for column, name in enumerate(inputs.columns):
        categories = inputs.categories[column] if inputs.categories else ()
        cells = [row[name] for row in rows]
        values = encode_column(cells, name, categories=categories, rows=at, path=path, missing=missing, unknown=unknown)
        result[:, column] = torch.tensor(values, dtype=torch.float64).to(torch.float32)
    return result
