"""One's own table: columns of numbers and of categories, and a target that decides the kind of problem."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Spec, Step
from netsmith.data._arrays import FixedSource, array_part
from netsmith.data._columns import TableFields, find_target, read_grids, read_target, split_rows, take
from netsmith.data._tables import Grid
from netsmith.layers.preprocess import Preprocess
from netsmith.layers.rows import cell_text, encode_column, is_missing, read_number

__all__ = ["Table", "column_kind"]


class Table(FixedSource):
    """A CSV, TSV, JSONL or Parquet file (or ``train``, ``val``, ``test`` files) with numbers and categories.

    A column is of numbers where more than half of its filled cells are; then all must be. Otherwise it is of
    categories: the texts of the training part in order of the alphabet, an empty cell being one of its own. A row
    becomes one number per column (:func:`netsmith.layers.rows.encode_rows`), and
    :class:`~netsmith.layers.preprocess.Preprocess` makes the categories one-hot and normalizes the numbers with the
    mean and deviation of the training part, or with its least and largest number. Categories that only dev or test
    have become all zeros.

    The target is a class where it is text or at most 20 different whole numbers, else a value: ``(B, 1)`` float32 in
    its own unit.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a name in ``drop`` that is no column.
        DataError: A damaged file; names the row.
    """

    class Config(TableFields):
        """A table.

        Attributes:
            problem: ``classes`` or ``values``; ``auto`` decides by the target's values.
            drop: Columns that are not used (identifiers, free text).
            missing: An empty number: ``refuse`` it, or take the training ``mean``.
            max_categories: The most different texts a column may have.
            scaling: ``z_score`` takes columns of numbers to mean 0 and deviation 1, ``min_max`` to 0..1, both by the
                training part. Without outliers the second keeps what is bounded within its bounds.
        """

        problem: Literal["auto", "classes", "values"] = "auto"
        drop: tuple[str, ...] = ()
        missing: Literal["refuse", "mean"] = "refuse"
        max_categories: Annotated[int, Field(ge=2)] = 64
        scaling: Literal["z_score", "min_max"] = later("z_score")

        @model_validator(mode="after")
        def _check_scaling(self) -> Self:
            if self.scaling == "min_max" and self.missing == "mean":
                raise ValueError("scaling='min_max' keeps no mean to take for a missing number; set missing='refuse'")
            return self

    def __init__(self, config: Config) -> None:
        grids = {"train": _twin_grid(config)} if config.twin else read_grids(config.path, kind="Table")
        name = "target" if config.twin else find_target(grids["train"], config.target)
        unknown = next((column for column in config.drop if column not in grids["train"].columns), None)
        if unknown is not None and not config.twin:
            raise ConfigError(
                f"Table.Config.drop: no column {unknown!r}{did_you_mean(unknown, grids['train'].columns)}"
            )
        columns = [column for column in grids["train"].columns if column != name and column not in config.drop]
        if not columns:
            raise DataError(
                f"has no column besides the target {name!r} and those that are dropped", grids["train"].name
            )
        target = read_target(grids, name, problem=config.problem)
        at, made = split_rows(grids, target, dev=config.dev, test=config.test, seed=config.split_seed)
        kinds = {column: column_kind(grids["train"], column) for column in columns}
        categories = tuple(
            _categories(grids["train"], column, at["train"][1], limit=config.max_categories)
            if kinds[column] == "text"
            else ()
            for column in columns
        )
        raw = {split: _encode(grid, columns, categories, missing=config.missing) for split, grid in grids.items()}
        parts = {
            split: array_part(
                raw[source][where],
                target.values[source][where],
                made=made[split],
                seed=config.split_seed if made[split] != "given" else 0,
            )
            for split, (source, where) in at.items()
        }
        inputs = _fit(columns, categories, raw["train"][at["train"][1]], scaling=config.scaling)
        super().__init__(
            config,
            spec=Spec(dataset=Path(config.path).name or "table", inputs=inputs, outputs=target.outputs),
            parts=parts,
        )
        self._preprocess = Preprocess(inputs)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:  # noqa: ARG002
        return self._preprocess(raw)


def column_kind(grid: Grid, column: str) -> Literal["number", "text", "empty"]:
    """Say what a column holds: numbers where more than half of its filled cells are."""
    cells = [cell for cell in grid.column(column) if not is_missing(cell)]
    if not cells:
        return "empty"
    return "number" if sum(read_number(cell) is not None for cell in cells) > len(cells) / 2 else "text"


def _categories(grid: Grid, column: str, at: Tensor, *, limit: int) -> tuple[str, ...]:
    found = sorted({cell_text(cell) for cell in take(grid.column(column), at)})
    if len(found) > limit:
        raise DataError(
            f"column {shorten(column, 40)!r} holds {len(found)} different texts; expected at most {limit} "
            "(drop it with drop, or raise max_categories)",
            grid.name,
        )
    return tuple(found)


def _encode(
    grid: Grid, columns: list[str], categories: tuple[tuple[str, ...], ...], *, missing: Literal["refuse", "mean"]
) -> Tensor:
    """Return the raw numbers of all rows: ``(N, F)`` float32."""
    result = torch.empty(len(grid.rows), len(columns))
    for position, (column, texts) in enumerate(zip(columns, categories, strict=True)):
        numbers = encode_column(
            grid.column(column),
            column,
            categories=texts,
            rows=grid.rows,
            path=grid.name,
            missing=missing,
            unknown="zeros",
        )
        result[:, position] = torch.tensor(numbers, dtype=torch.float64).to(torch.float32)
    return result


def _fit(
    columns: list[str],
    categories: tuple[tuple[str, ...], ...],
    train: Tensor,
    *,
    scaling: Literal["z_score", "min_max"],
) -> Inputs:
    """Return the schema of the inputs, with what is taken off the numbers and what they are then divided by."""
    mean: list[float] = []
    std: list[float] = []
    for position, texts in enumerate(categories):
        if texts:
            mean += [0.0] * len(texts)
            std += [1.0] * len(texts)
            continue
        values = train[:, position].double()
        values = values[~torch.isnan(values)]
        center = spread = 0.0
        if len(values) and scaling == "min_max":
            center, spread = float(values.min()), float(values.max() - values.min())
        elif len(values):
            center = float(values.mean())
            spread = math.sqrt(float(((values - center) ** 2).mean()))
        mean.append(center)
        std.append(spread if spread > 1e-12 * max(1.0, abs(center)) else 1.0)  # a constant column becomes 0
    step = Step(name="normalize", mean=tuple(mean), std=tuple(std))
    kept = categories if any(categories) else ()
    return Inputs(kind="table", shape=(len(mean),), columns=tuple(columns), categories=kept, preprocessing=(step,))


def _twin_grid(config: Table.Config) -> Grid:
    """Make a table whose target no linear model finds: the sign (or the value) of the product of two columns."""
    count = 640
    generator = torch.Generator().manual_seed(named_key(0, "twin", "table"))
    signs = torch.randint(0, 2, (count, 2), generator=generator) * 2.0 - 1.0
    pair = signs * (0.3 + 0.7 * torch.rand(count, 2, generator=generator))
    other = torch.randn(count, generator=generator)
    colors = [("blue", "green", "red")[index] for index in torch.randint(0, 3, (count,), generator=generator).tolist()]
    product = pair[:, 0] * pair[:, 1]
    target = product.tolist() if config.problem == "values" else ["same" if p > 0 else "opposite" for p in product]
    cells = (pair[:, 0].tolist(), pair[:, 1].tolist(), other.tolist(), colors, target)
    names = ("left", "right", "noise", "color", "target")
    return Grid(name="twin", columns=names, cells=cells, rows=list(range(2, count + 2)))
