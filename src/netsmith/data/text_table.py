"""One's own labeled texts: a table with one column of text and one of labels."""

from __future__ import annotations

import collections
import re
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Spec, Step
from netsmith.data._arrays import FixedSource, array_part
from netsmith.data._columns import TableFields, find_target, read_grids, read_target, split_rows, take
from netsmith.data._tables import Grid
from netsmith.layers.rows import read_number
from netsmith.layers.tokenize import PADDING, UNKNOWN, encode, tokenize

__all__ = ["TextTable", "looks_like_text"]


class TextTable(FixedSource):
    """Texts to classify, from CSV, TSV, JSONL or Parquet (or ``train``, ``val``, ``test`` files).

    The vocabulary is fitted on the training part: the most frequent tokens first (ties by letter), after 0 for padding
    and 1 for unknown. Inputs are ``(B, max_length)`` int64, cut and padded on the right.

    Attributes:
        text_column: The column that holds the texts.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a pattern that is not a regular expression.
        DataError: A damaged file, an empty text; names the row.
    """

    class Config(TableFields):
        """Labeled texts.

        Attributes:
            text: The column of text; ``auto`` takes the one with the longest texts.
            max_length: Longest text in tokens; what is longer is cut.
            vocabulary_size: The most tokens that are known.
            min_count: How often a token must come in the training part to be known.
            pattern: Regular expression of one token: by default a word, or one sign.
            lowercase: Lower the case first.
        """

        text: str | Auto = AUTO
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 64
        vocabulary_size: Annotated[int, Field(gt=2)] = 20_000
        min_count: Annotated[int, Field(gt=0)] = 1
        pattern: str = r"\w+|[^\w\s]"
        lowercase: bool = True

    def __init__(self, config: Config) -> None:
        step = Step(name="tokenize", pattern=config.pattern, lowercase=config.lowercase)
        tokenize("", step)  # a wrong pattern is refused before the file is read
        grids = {"train": _twin_grid()} if config.twin else read_grids(config.path, kind="TextTable")
        name = "label" if config.twin else find_target(grids["train"], config.target)
        column = "text" if config.twin else _find_text(grids["train"], config.text, target=name)
        target = read_target(grids, name, problem="classes")
        at, made = split_rows(grids, target, dev=config.dev, test=config.test, seed=config.split_seed)
        texts = {split: _texts(grid, column, step) for split, grid in grids.items()}
        train = take(texts["train"], at["train"][1])
        words = _vocabulary(train, step, size=config.vocabulary_size, least=config.min_count)
        inputs = Inputs(
            kind="text",
            shape=(config.max_length,),
            dtype="int64",
            preprocessing=(step,),
            vocabulary=words,
            max_length=config.max_length,
        )
        parts = {
            split: array_part(
                encode(take(texts[source], where), inputs),
                target.values[source][where],
                made=made[split],
                seed=config.split_seed if made[split] != "given" else 0,
            )
            for split, (source, where) in at.items()
        }
        dataset = Path(config.path).name or "text_table"
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=target.outputs), parts=parts)
        self.text_column = column
        self._texts = {split: take(texts[source], where) for split, (source, where) in at.items()}

    def texts(self, split: str, indices: Tensor) -> list[str]:
        """Return some texts as they stand in the file."""
        self._part(split)
        return take(self._texts[split], indices)


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


def _vocabulary(texts: list[str], step: Step, *, size: int, least: int) -> tuple[str, ...]:
    counts = collections.Counter(token for text in texts for token in tokenize(text, step))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = [token for token, count in ordered if count >= least and token not in (PADDING, UNKNOWN)]
    return (PADDING, UNKNOWN, *known[: size - 2])


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
