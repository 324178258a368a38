"""What the tables that come with scikit-learn share: drawn splits, normalized columns."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import FixedFields, FixedSource, array_part
from netsmith.data._splits import draw_splits, share_text
from netsmith.layers.preprocess import Preprocess

__all__ = ["BundledFields", "BundledTable", "twin_table"]


class BundledFields(FixedFields):
    """The fields of every such table.

    Attributes:
        dev: Share of all rows held out as ``dev``.
        test: Share of all rows held out as ``test``.
    """

    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2


class BundledTable(FixedSource):
    """Abstract: rows of numbers, a class or a value each.

    There is no official split: it is drawn from ``split_seed``, classes one by one. Columns are normalized with the
    mean and deviation of the training part.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        rows: ``(N, F)`` float32.
        targets: ``(N,)`` int64 classes, or ``(N, 1)`` float32 values.
        columns: Names of the F columns.
        outputs: What the targets mean.
    """

    def __init__(
        self,
        config: BundledFields,
        *,
        dataset: str,
        rows: Tensor,
        targets: Tensor,
        columns: tuple[str, ...],
        outputs: Outputs,
    ) -> None:
        shares = {"dev": config.dev, "test": config.test}
        groups = targets if outputs.kind == "classes" else torch.zeros(len(rows), dtype=torch.int64)
        drawn = draw_splits(groups, shares, seed=config.split_seed)
        made = f"seeded {share_text(shares)}"
        parts = {
            name: array_part(rows[at], targets[at], made=made, seed=config.split_seed) for name, at in drawn.items()
        }
        train = rows[drawn["train"]].double()
        step = Step(
            name="normalize", mean=tuple(train.mean(0).tolist()), std=tuple(train.std(0, correction=0).tolist())
        )
        inputs = Inputs(kind="table", shape=(len(columns),), columns=columns, preprocessing=(step,))
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=outputs), parts=parts)
        self._preprocess = Preprocess(inputs)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:  # noqa: ARG002
        return self._preprocess(raw)


def twin_table(name: str, count: int, columns: int) -> tuple[Tensor, Tensor]:
    """Make a table of noise with something to learn, of which a linear model finds half.

    Args:
        name: Which data set; other names give other rows.
        count: How many rows.
        columns: How many numbers each.

    Returns:
        The rows, ``(count, columns)``, and a value of each, ``(count,)``, of variance 2; both float32.
    """
    rows = torch.randn(count, columns, generator=torch.Generator().manual_seed(named_key(0, "twin", name)))
    return rows, rows[:, 0] + rows[:, 1] * rows[:, 2]
