"""What the tables of classes that come with scikit-learn share: drawn splits, normalized columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import FixedFields, FixedSource, array_part
from netsmith.data._splits import draw_splits, share_text
from netsmith.layers.preprocess import Preprocess

__all__ = ["BundledFields", "BundledTable"]


class BundledFields(FixedFields):
    """The fields of every such table.

    Attributes:
        dev: Share of all rows held out as ``dev``.
        test: Share of all rows held out as ``test``.
    """

    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2


class BundledTable(FixedSource):
    """Abstract: rows of numbers, a class each.

    There is no official split: it is drawn, class by class, from ``split_seed``. Columns are normalized with the mean
    and deviation of the training part.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        rows: ``(N, F)`` float32.
        labels: ``(N,)`` int64.
        columns: Names of the F columns.
        names: Names of the classes.
    """

    def __init__(
        self,
        config: BundledFields,
        *,
        dataset: str,
        rows: Tensor,
        labels: Tensor,
        columns: tuple[str, ...],
        names: Sequence[str],
    ) -> None:
        shares = {"dev": config.dev, "test": config.test}
        drawn = draw_splits(labels, shares, seed=config.split_seed)
        made = f"seeded {share_text(shares)}"
        parts = {
            name: array_part(rows[at], labels[at], made=made, seed=config.split_seed) for name, at in drawn.items()
        }
        train = rows[drawn["train"]].double()
        step = Step(
            name="normalize", mean=tuple(train.mean(0).tolist()), std=tuple(train.std(0, correction=0).tolist())
        )
        inputs = Inputs(kind="table", shape=(len(columns),), columns=columns, preprocessing=(step,))
        outputs = Outputs(kind="classes", names=tuple(names), size=len(names))
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=outputs), parts=parts)
        self._preprocess = Preprocess(inputs)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:  # noqa: ARG002
        return self._preprocess(raw)
