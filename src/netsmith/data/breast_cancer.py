"""569 tumors of the breast, malignant or benign, by 30 measurements of cell nuclei; comes with scikit-learn.

Data: W. N. Street, W. H. Wolberg, O. L. Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", SPIE
1905, 1993 (Wisconsin Diagnostic Breast Cancer, UCI 1995).
"""

from __future__ import annotations

import torch

from netsmith.core.extras import require
from netsmith.core.spec import Outputs
from netsmith.data._bundled import BundledFields, BundledTable, twin_table

__all__ = ["BreastCancer"]

_MEASURED = (
    *("radius", "texture", "perimeter", "area", "smoothness"),
    *("compactness", "concavity", "concave_points", "symmetry", "fractal_dimension"),
)
_COLUMNS = tuple(f"{form}_{name}" for form in ("mean", "error", "worst") for name in _MEASURED)
_COUNT = 569


class BreastCancer(BundledTable):
    """Ten measurements of the nuclei in one picture: their mean, its standard error, and the mean of the three largest.

    Raises:
        MissingExtraError: scikit-learn is not installed and ``twin`` is not set.
    """

    class Config(BundledFields):
        """Scikit-learn's breast cancer table."""

    def __init__(self, config: Config) -> None:
        if config.twin:
            rows, values = twin_table("breast_cancer", _COUNT, len(_COLUMNS))
            labels = torch.ones(_COUNT, dtype=torch.int64)
            labels[values.argsort()[:212]] = 0  # malignant, as many as in the table
        else:
            data = require("sklearn.datasets", extra="classic").load_breast_cancer()
            rows, labels = torch.from_numpy(data.data).float(), torch.from_numpy(data.target).to(torch.int64)
        outputs = Outputs(kind="classes", names=("malignant", "benign"), size=2)
        super().__init__(config, dataset="breast-cancer", rows=rows, targets=labels, columns=_COLUMNS, outputs=outputs)
