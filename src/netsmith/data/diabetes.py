"""442 diabetes patients: ten measurements, and how far the disease had gone a year later; comes with scikit-learn.

Data: B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least Angle Regression", Annals of Statistics 32, 2004.
"""

from __future__ import annotations

import torch

from netsmith.core.extras import require
from netsmith.core.spec import Outputs
from netsmith.data._bundled import BundledFields, BundledTable, twin_table

__all__ = ["Diabetes"]

_COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
_COUNT = 442


class Diabetes(BundledTable):
    """The small table on which regression is shown: age, sex, body mass index, blood pressure, six blood serum values.

    There is no official split: it is drawn from ``split_seed``. Columns are normalized with the mean and deviation of
    the training part; the target stays in its own unit, 25..346.

    Raises:
        MissingExtraError: scikit-learn is not installed and ``twin`` is not set.
    """

    class Config(BundledFields):
        """Scikit-learn's diabetes table."""

    def __init__(self, config: Config) -> None:
        if config.twin:
            rows, values = twin_table("diabetes", _COUNT, len(_COLUMNS))
            values = 150 + 40 * values[:, None]
        else:
            data = require("sklearn.datasets", extra="classic").load_diabetes(scaled=False)
            rows, values = torch.from_numpy(data.data).float(), torch.from_numpy(data.target).float()[:, None]
        outputs = Outputs(kind="values", names=("progression",))
        super().__init__(config, dataset="diabetes", rows=rows, targets=values, columns=_COLUMNS, outputs=outputs)
