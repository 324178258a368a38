"""One's own pairs of texts: a table with a column to read and one to write (translations, questions and answers)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError, did_you_mean, shorten
from netsmith.data._columns import read_grids, take
from netsmith.data._listing import divide
from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.data._tables import Grid
from netsmith.data._tsv import parse_texts
from netsmith.data._twin_pairs import twin_sentences

__all__ = ["TextPairs"]


class TextPairs(PairSource):
    """Pairs of texts, from TSV, CSV, JSONL or Parquet (or ``train``, ``val``, ``test`` files).

    Of TSV a line is a pair and a tab ends a column; quotes are signs like others. Splits that are missing are drawn.

    Attributes:
        columns: The columns that are read and written.
        columns_told: Whether the first row of a file was taken as their names.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a pattern that is not a regular expression.
        DataError: A damaged file, bytes that are not UTF-8, a side that is empty or no text; names file and row.
    """

    class Config(PairFields):
        """The files and how to read them.

        Attributes:
            path: A TSV, CSV, JSONL or Parquet file, or a folder or archive of ``train``, ``val`` and ``test`` files.
            source: The column that is read; ``auto``: the one named source, or the first of two.
            target: The column that is written; ``auto``: the one named target, or the second of two.
            header: Whether the first row of TSV and CSV names the columns; else they are ``1``, ``2``, ...
            dev: Share held out as ``dev`` where there is no such file.
            test: Share held out as ``test`` where there is no such file.
            split_seed: Seed of the splits that are drawn.
        """

        path: str = ""
        source: str | Auto = AUTO
        target: str | Auto = AUTO
        header: bool = True
        dev: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
        split_seed: int = 0

    def __init__(self, config: Config) -> None:
        if config.twin:
            grids = {"train": _twin_grid()}
        else:
            grids = read_grids(
                config.path,
                kind="TextPairs",
                parse=lambda data, name: parse_texts(data, name, header=config.header, what="pair"),
            )
        self.columns_told = config.header and Path(grids["train"].name).suffix.lower() in (".tsv", ".csv")
        self.columns = _find_columns(grids["train"], config.source, config.target)
        texts = {split: [_texts(grid, column) for column in self.columns] for split, grid in grids.items()}
        every = {split: torch.zeros(len(grid.rows), dtype=torch.int64) for split, grid in grids.items()}
        at, made = divide(every, dev=config.dev, test=config.test, seed=config.split_seed)
        pairs: dict[str, Pairs] = {}
        for split, (given, where) in at.items():
            grid = grids[given]
            if not len(where):
                raise DataError(f"has {len(grid.rows)} pairs, too few to draw a {split} split", grid.name)
            sources, targets = (take(side, where) for side in texts[given])
            seed = config.split_seed if made[split] != "given" else 0
            pairs[split] = Pairs(sources, targets, grid.name, take(grid.rows, where), made[split], seed)
        super().__init__(config, dataset=Path(config.path).name or "text_pairs", pairs=pairs)


def _find_columns(grid: Grid, source: str, target: str) -> tuple[str, str]:
    """Return the column that is read and the one that is written."""
    found = [source, target]
    for name in found:
        if name != AUTO and name not in grid.columns:
            raise DataError(f"has no column {name!r}{did_you_mean(name, grid.columns)}", grid.name, 1)
    for side, name in enumerate(("source", "target")):
        named = [column for column in grid.columns if column.lower() == name and column not in found]
        if found[side] == AUTO and named:
            found[side] = named[0]
    left = [column for column in grid.columns if column not in found]
    if AUTO in found and len(left) != found.count(AUTO):
        shown = shorten(", ".join(map(repr, grid.columns)), 80)
        raise DataError(
            f"has the columns {shown}; say which is read and which is written: --set data.source=NAME "
            "--set data.target=NAME",
            grid.name,
            1,
        )
    one, other = (left.pop(0) if name == AUTO else name for name in found)
    if one == other:
        raise DataError(f"is to be read and written in the same column {one!r}; expected two", grid.name, 1)
    return one, other


def _texts(grid: Grid, column: str) -> list[str]:
    for cell, row in zip(grid.column(column), grid.rows, strict=True):
        if not isinstance(cell, str) or not cell.strip():
            shown = "is empty" if cell is None or cell == "" else f"holds {shorten(repr(cell), 40)}, no text"
            raise DataError(f"column {shorten(column, 40)!r} {shown}; expected a text", grid.name, row)
    return grid.column(column)


def _twin_grid() -> Grid:
    cells = tuple(twin_sentences(language, "train", name="text_pairs") for language in ("en", "fr"))
    return Grid("twin", ("source", "target"), cells, list(range(2, len(cells[0]) + 2)))
