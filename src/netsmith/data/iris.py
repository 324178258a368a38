"""150 flowers of three species of iris: length and width of sepals and petals in cm; comes with scikit-learn.

Data: R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936.
"""

from __future__ import annotations

from typing import Literal

import torch

from netsmith.core.extras import require
from netsmith.core.spec import Outputs
from netsmith.data._bundled import BundledFields, BundledTable, twin_table

__all__ = ["Iris"]

_COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
_SPECIES = ("setosa", "versicolor", "virginica")
_COUNT = 150


class Iris(BundledTable):
    """The table on which classifiers have been shown since Fisher: a plane parts setosa from the others, which overlap.

    Scikit-learn's copy is Fisher's, but for two flowers of the well-known file.

    Raises:
        MissingExtraError: scikit-learn is not installed and ``twin`` is not set.
    """

    class Config(BundledFields):
        """Scikit-learn's iris table.

        Attributes:
            against_rest: One species against the two others, in place of all three.
        """

        against_rest: Literal["", "setosa", "versicolor", "virginica"] = ""

    def __init__(self, config: Config) -> None:
        if config.twin:
            rows, values = twin_table("iris", _COUNT, len(_COLUMNS))
            labels = torch.empty(_COUNT, dtype=torch.int64)
            labels[values.argsort()] = torch.arange(_COUNT) * len(_SPECIES) // _COUNT
        else:
            data = require("sklearn.datasets", extra="classic").load_iris()
            rows, labels = torch.from_numpy(data.data).float(), torch.from_numpy(data.target).to(torch.int64)
        names = _SPECIES
        if config.against_rest:
            labels = (labels == _SPECIES.index(config.against_rest)).to(torch.int64)
            names = ("rest", config.against_rest)
        outputs = Outputs(kind="classes", names=names, size=len(names))
        super().__init__(config, dataset="iris", rows=rows, targets=labels, columns=_COLUMNS, outputs=outputs)
