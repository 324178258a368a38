"""What table and text sources share: reading a file or ``train|val|test`` files, finding and coding the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.spec import Outputs
from netsmith.data._arrays import FixedFields
from netsmith.data._files import open_tree
from netsmith.data._listing import SPLIT_NAMES, divide
from netsmith.data._tables import TABLE_LIMIT, TABLE_SUFFIXES, Grid, parse_table, read_table
from netsmith.layers.rows import cell_text, is_missing, read_number

__all__ = ["TableFields", "Target", "find_target", "read_grids", "read_target", "split_rows", "take"]

_TARGET_NAMES = ("target", "label", "class", "y", "output", "outcome")
_CLASS_LIMIT = 1000
_NUMBER_CLASSES = 20


class TableFields(FixedFields):
    """The fields of every source that reads a table.

    Attributes:
        path: A CSV, TSV, JSONL or Parquet file, or a folder or archive of ``train``, ``val`` and ``test`` files.
        target: The column to predict; ``auto`` takes the one named target, label, class, y, output or outcome, else
            the last.
        test: Share held out as ``test`` where there is no such file; ``dev`` alike.
    """

    path: str = ""
    target: str | Auto = AUTO
    test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1


def read_grids(path: str, *, kind: str, parse: Callable[[bytes, str], Grid] = parse_table) -> dict[str, Grid]:
    """Read the table, or the tables of the given splits; ``train`` is among them and comes first.

    Args:
        path: The table, or the folder or archive of tables.
        kind: Which source reads it, for errors.
        parse: What makes a table of a file's contents and its name.

    Raises:
        ConfigError: The path is empty.
        DataError: No table, or tables whose columns differ.
    """
    if not path:
        raise ConfigError(f"{kind}.Config.path is empty; expected a table or a folder of tables (--data PATH)")
    place = Path(path)
    if place.suffix.lower() in TABLE_SUFFIXES and not place.is_dir():
        return {"train": read_table(place, parse=parse)}
    tree = open_tree(place, besides=f" nor a table ({', '.join(TABLE_SUFFIXES)})")
    grids: dict[str, Grid] = {}
    for name in tree.files:
        stem, dot, suffix = name.rpartition(".")
        if dot + suffix.lower() not in TABLE_SUFFIXES or stem.lower() not in SPLIT_NAMES:
            continue
        split = SPLIT_NAMES[stem.lower()]
        if split in grids:
            raise DataError(f"{name} and {grids[split].name} are both the split {split!r}; keep one", place)
        grids[split] = parse(tree.read(name, limit=TABLE_LIMIT), name)
    if "train" not in grids:
        raise DataError("holds no train.csv (or .tsv, .jsonl, .parquet)", place)
    first = grids["train"]
    for grid in grids.values():
        if set(grid.columns) != set(first.columns):
            odd = sorted(set(grid.columns) ^ set(first.columns))[0]
            raise DataError(f"the column {shorten(odd, 60)!r} is not in both this file and {first.name}", grid.name, 1)
    return {split: grids[split] for split in ("train", "dev", "test") if split in grids}


def find_target(grid: Grid, target: str) -> str:
    """Return the name of the target column.

    Raises:
        DataError: There is no such column, or no other one.
    """
    if len(grid.columns) < 2:
        raise DataError(f"has {len(grid.columns)} column; expected a target and at least one other", grid.name, 1)
    if target == AUTO:
        named = [column for wanted in _TARGET_NAMES for column in grid.columns if column.lower() == wanted]
        return named[0] if named else grid.columns[-1]
    if target not in grid.columns:
        raise DataError(f"has no column {target!r}{did_you_mean(target, grid.columns)}", grid.name, 1)
    return target


@dataclasses.dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes:
        outputs: Classes or values.
        values: By split: ``(N,)`` int64 labels, or ``(N, 1)`` float32.
        groups: What the draw of splits balances: the labels, or all 0.
    """

    outputs: Outputs
    values: dict[str, Tensor]
    groups: dict[str, Tensor]


def read_target(grids: dict[str, Grid], name: str, *, problem: Literal["auto", "classes", "values"] = "auto") -> Target:
    """Code the target column.

    It is a class where a value is no number, or where all are whole numbers with at most 20 different ones; otherwise
    it is a value. Classes are sorted: numbers by size, texts by letter.

    Raises:
        DataError: An empty or infinite target, numbers mixed with texts, one class only, a label that train lacks.
    """
    numbers: dict[str, list[float | None]] = {}
    for split, grid in grids.items():
        cells = grid.column(name)
        for cell, row in zip(cells, grid.rows, strict=True):
            if is_missing(cell):
                raise DataError(
                    f"the target {shorten(name, 40)!r} is empty or NaN; fill it in or drop the row", grid.name, row
                )
        numbers[split] = [read_number(cell) for cell in cells]
    train, first = numbers["train"], grids["train"]
    share = sum(number is not None for number in train) / len(train)
    numeric = share > 0.5 if problem == "auto" else problem == "values" or share == 1
    if numeric:
        for split, grid in grids.items():
            for number, cell, row in zip(numbers[split], grid.column(name), grid.rows, strict=True):
                if number is None or abs(number) > 3e38:
                    shown = shorten(repr(cell), 40)
                    raise DataError(
                        f"the target {shorten(name, 40)!r} holds {shown} among numbers; expected a finite number",
                        grid.name,
                        row,
                    )
    whole = numeric and all(number is not None and number.is_integer() for part in numbers.values() for number in part)
    few = len(set(train)) <= _NUMBER_CLASSES
    if problem == "values" or (problem == "auto" and numeric and not (whole and few)):
        values = {split: torch.tensor(part, dtype=torch.float32)[:, None] for split, part in numbers.items()}
        groups = {split: torch.zeros(len(part), dtype=torch.int64) for split, part in numbers.items()}
        return Target(Outputs(kind="values", names=(name,), size=1), values, groups)
    texts: dict[str, list[str]] = {}
    for split, grid in grids.items():
        if numeric:
            texts[split] = [f"{number:.15g}" for number in numbers[split] if number is not None]
        else:
            texts[split] = [cell_text(cell) for cell in grid.column(name)]
    labels = sorted(set(texts["train"]), key=(lambda text: (float(text), text)) if numeric else None)
    if len(labels) < 2:
        raise DataError(
            f"the target {shorten(name, 40)!r} has one class only ({shorten(labels[0], 40)!r}); expected at least 2",
            first.name,
        )
    if len(labels) > _CLASS_LIMIT:
        raise DataError(
            f"the target {shorten(name, 40)!r} has {len(labels)} classes; expected at most {_CLASS_LIMIT}", first.name
        )
    positions = {label: position for position, label in enumerate(labels)}
    for split, grid in grids.items():
        for text, row in zip(texts[split], grid.rows, strict=True):
            if text not in positions:
                raise DataError(f"the label {shorten(text, 40)!r} is in no row of {first.name}", grid.name, row)
    coded = {split: torch.tensor([positions[text] for text in part]) for split, part in texts.items()}
    return Target(Outputs(kind="classes", names=tuple(labels), size=len(labels)), coded, coded)


def split_rows(
    grids: dict[str, Grid], target: Target, *, dev: float, test: float, seed: int
) -> tuple[dict[str, tuple[str, Tensor]], dict[str, str]]:
    """Complete the splits by drawing from train; see :func:`netsmith.data._listing.divide`.

    Raises:
        DataError: Too few rows for the splits asked for.
    """
    at, made = divide(target.groups, dev=dev, test=test, seed=seed)
    for split, (_, where) in at.items():
        if not len(where):
            rows = len(grids["train"].rows)
            raise DataError(
                f"has {rows} rows, too few to draw a {split} split; expected 3 of one class at least",
                grids["train"].name,
            )
    return at, made


def take(cells: list[Any], where: Tensor) -> list[Any]:
    """Return the cells at some positions."""
    return [cells[index] for index in where.tolist()]
