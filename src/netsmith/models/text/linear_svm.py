"""The linear support vector machine for texts (Joachims 1998)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.models.text._linear_bag import BagFields, LinearBag, fit_by

__all__ = ["LinearSvm"]


class LinearSvm(LinearBag):
    r"""The hyperplane of widest margin in the space of words, where texts are so sparse that no kernel is needed.

    .. math:: \min_{w, b} \; \tfrac12 (|w|^2 + b^2) + C \sum_n \ell(y_n (w \cdot x_n + b)), \qquad
              \ell(m) = \max(0, 1 - m) \text{ or its square}

    One machine for two classes, else one for each class against the rest. Pang et al. 2002 give every text the same
    length, ``unit_length``. Fitted by scikit-learn's ``LinearSVC`` (coordinate descent in the dual; Hsieh et al. 2008)
    and kept as arrays. Of two classes each has half of the decision value for its logit, the first with the opposite
    sign. Margins are no probabilities: their softmax only ranks.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)`` float64, the decision values.

    Raises:
        ConfigError: In :meth:`fit`: no convergence within ``max_steps``.
        DataError: In :meth:`fit`: a class without an example, or targets that are no classes.
        MissingExtraError: In :meth:`fit`: scikit-learn is not installed.
    """

    class Config(BagFields):
        """The model's form.

        Attributes:
            strength: C, what an example within the margin costs.
            loss: ``hinge``, or ``squared_hinge``.
            tolerance: The violation of the optimum's conditions at which the fit ends.
            max_steps: Passes over the examples after which it gives up.
        """

        scores: ClassVar[str] = "margins"

        strength: float = Field(default=1.0, gt=0)
        loss: Literal["hinge", "squared_hinge"] = "squared_hinge"
        tolerance: float = Field(default=1e-6, gt=0)
        max_steps: int = Field(default=100_000, ge=1)

    def __init__(self, config: LinearSvm.Config) -> None:
        super().__init__(config)
        self.form = config

    def solve(self, bags: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Find the widest margin."""
        learner = require("sklearn.svm", extra="classic").LinearSVC(
            C=self.form.strength,
            loss=self.form.loss,
            dual=True,
            tol=self.form.tolerance,
            max_iter=self.form.max_steps,
            random_state=0,
        )
        return fit_by(learner, bags, labels, weights, classes=self.num_classes)
