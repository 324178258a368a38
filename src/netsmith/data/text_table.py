"""One's own labeled texts: a table with one column of text and one of labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Step
from netsmith.data._columns import TableFields, find_target, read_grids, read_target, split_rows, take
from netsmith.data._tables import Grid
from netsmith.data._texts import TextFields, TextSource, tokenizer
from netsmith.layers.rows import read_number
from netsmith.layers.tokenize import tokenize

__all__ = ["TextTable", "looks_like_text"]


class TextTable(TextSource):
    """Texts to classify, from CSV, TSV, JSONL or Parquet (or ``train``, ``val``, ``test`` files).

    Attributes:
        text_column: The column that holds the texts.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a pattern that is not a regular expression.
        DataError: A damaged file, an empty text; names the row.
    """

    class Config(TableFields, TextFields):
        """Labeled texts.

        Attributes:
            text: The column of text; ``auto`` takes the one with the longest texts.
        """

        text: str | Auto = AUTO

    def __init__(self, config: Config) -> None:
        step = tokenizer(config)
        grids = {"train": _twin_grid()} if config.twin else read_grids(config.path, kind="TextTable")
        name = "label" if config.twin else find_target(grids["train"], config.target)
        column = "text" if config.twin else _find_text(grids["train"], config.text, target=name)
        target = read_target(grids, name, problem="classes")
        at, made = split_rows(grids, target, dev=config.dev, test=config.test, seed=config.split_seed)
        texts = {split: _texts(grid, column, step) for split, grid in grids.items()}
        super().__init__(
            config,
            dataset=Path(config.path).name or "text_table",
            texts={split: take(texts[source], where) for split, (source, where) in at.items()},
            targets={split: target.values[source][where] for split, (source, where) in at.items()},
            outputs=target.outputs,
            made=made,
            seeds={split: config.split_seed if made[split] != "given" else 0 for split in at},
        )
        self.text_column = column


def looks_like_text(cells: list[Any]) -> bool:
    """Say whether a column is free text: mostly different texts of three words or more on average."""
    texts = [cell for cell in cells[:2000] if isinstance(cell, str) and read_number(cell) is None and cell.strip()]
    if len(texts) < len(cells[:2000]) / 2:
        return False
    words = sum(len(re.findall(r"\w+", text[:2000])) for text in texts) / len(texts)
    letters = sum(len(text) for text in texts) / len(texts)  # scripts without spaces
    return (words >= 3 or letters >= 24) and len(set(texts)) > len(texts) / 2


def _find_text(grid: Grid, text: str, *, target: str) -> str:
    if text != AUTO:
        if text not in grid.columns:
            raise DataError(f"has no column {text!r}{did_you_mean(text, grid.columns)}", grid.name, 1)
        if text == target:
            raise ConfigError(f"TextTable.Config: text and target are both {text!r}; expected two columns")
        return text
    lengths = {
        column: sum(len(cell) for cell in grid.column(column) if isinstance(cell, str) and read_number(cell) is None)
        for column in grid.columns
        if column != target
    }
    best = max(lengths, key=lambda column: lengths[column])
    if not lengths[best]:
        raise DataError(f"has no column of text besides the target {target!r}", grid.name, 1)
    return best


def _texts(grid: Grid, column: str, step: Step) -> list[str]:
    texts: list[str] = []
    for cell, row in zip(grid.column(column), grid.rows, strict=True):
        if not isinstance(cell, str) or not tokenize(cell, step):
            shown = shorten(repr(cell), 40)
            raise DataError(
                f"column {shorten(column, 40)!r} holds {shown}, which has no token; expected a text", grid.name, row
            )
        texts.append(cell)
    return texts


def _twin_grid() -> Grid:
    """Make texts whose label is the order of two neighboring words: counts of words are the same for both classes."""
    count = 640
    generator = torch.Generator().manual_seed(named_key(0, "twin", "text_table"))
    filler = [f"word{number}" for number in range(40)]
    pairs = (("calm", "sea"), ("wild", "wood"), ("quiet", "hill"))
    texts: list[str] = []
    labels: list[str] = []
    for _ in range(count):
        draw = torch.randint(0, 2**31, (16,), generator=generator).tolist()
        words = [filler[number % len(filler)] for number in draw[4 : 8 + draw[2] % 8]]
        pair = pairs[draw[1] % len(pairs)]
        turned = draw[0] % 2 == 1
        place = draw[3] % (len(words) + 1)
        words[place:place] = reversed(pair) if turned else pair
        texts.append(" ".join(words))
        labels.append("turned" if turned else "plain")
    return Grid(name="twin", columns=("text", "label"), cells=(texts, labels), rows=list(range(2, count + 2)))
