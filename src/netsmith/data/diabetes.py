"""442 diabetes patients: ten measurements, and how far the disease had gone a year later; comes with scikit-learn.

Data: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least Angle Regression", Annals of Statistics 32, 2004.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import FixedFields, FixedSource, array_part
from netsmith.data._splits import draw_splits, share_text
from netsmith.layers.preprocess import Preprocess

__all__ = ["Diabetes"]

_COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
_COUNT = 442


class Diabetes(FixedSource):
    """The small table on which regression is shown: age, sex, body mass index, blood pressure, six blood serum values.

    There is no official split: it is drawn from ``split_seed``. Columns are normalized with the mean and deviation of
    the training part; the target stays in its own unit, 25..346.

    Raises:
        MissingExtraError: scikit-learn is not installed and ``twin`` is not set.
    """

    class Config(FixedFields):
        """Scikit-learn's diabetes table.

        Attributes:
            dev: Share of all patients held out as ``dev``.
            test: Share of all patients held out as ``test``.
        """

        test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2

    def __init__(self, config: Config) -> None:
        if config.twin:
            generator = torch.Generator().manual_seed(named_key(0, "twin", "diabetes"))
            rows = torch.randn(_COUNT, len(_COLUMNS), generator=generator)
            values = 150 + 40 * (rows[:, :1] + rows[:, 1:2] * rows[:, 2:3])  # a linear model finds half of it
        else:
            data = require("sklearn.datasets", extra="classic").load_diabetes(scaled=False)
            rows, values = torch.from_numpy(data.data).float(), torch.from_numpy(data.target).float()[:, None]
        shares = {"dev": config.dev, "test": config.test}
        drawn = draw_splits(torch.zeros(len(rows), dtype=torch.int64), shares, seed=config.split_seed)
        made = f"seeded {share_text(shares)}"
        parts = {
            name: array_part(rows[at], values[at], made=made, seed=config.split_seed) for name, at in drawn.items()
        }
        train = rows[drawn["train"]].double()
        step = Step(
            name="normalize", mean=tuple(train.mean(0).tolist()), std=tuple(train.std(0, correction=0).tolist())
        )
        inputs = Inputs(kind="table", shape=(len(_COLUMNS),), columns=_COLUMNS, preprocessing=(step,))
        outputs = Outputs(kind="values", names=("progression",))
        super().__init__(config, spec=Spec(dataset="diabetes", inputs=inputs, outputs=outputs), parts=parts)
        self._preprocess = Preprocess(inputs)

    def _prepare(self, raw: Tensor, keys: Tensor | None) -> Tensor:  # noqa: ARG002
        return self._preprocess(raw)
