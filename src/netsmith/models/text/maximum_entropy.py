"""The maximum entropy classifier of texts (Berger, Della Pietra & Della Pietra 1996): logistic regression of words."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.models.text._linear_bag import BagFields, LinearBag, fit_by

__all__ = ["MaximumEntropy"]


class MaximumEntropy(LinearBag):
    r"""Of all distributions that give each word its share in each class, the one that assumes nothing more.

    .. math:: p(c \mid x) = \frac{\exp (w_c \cdot x + b_c)}{\sum_k \exp (w_k \cdot x + b_k)}, \qquad
              \min_{w, b} \; C \sum_n -\log p(c_n \mid x_n) + \tfrac12 \sum_c |w_c|^2

    Unlike naive Bayes it takes no word for independent of another (Pang et al. 2002 with presence as features). Their
    Gaussian prior on the weights is the second term; improved iterative scaling is replaced by L-BFGS, which ends at
    the same, single optimum. Fitted by scikit-learn's ``LogisticRegression`` to convergence, and kept as arrays. Of two
    classes each has half of the weights that are fitted, the first with the opposite sign.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)`` float64, logits.

    Raises:
        ConfigError: In :meth:`fit`: no convergence within ``max_steps``.
        DataError: In :meth:`fit`: a class without an example, or targets that are no classes.
        MissingExtraError: In :meth:`fit`: scikit-learn is not installed.
    """

    class Config(BagFields):
        """The model's form.

        Attributes:
            strength: C: large values trust the data more than the prior.
            tolerance: The largest slope of the mean loss at which the fit ends.
            max_steps: Steps of L-BFGS after which it gives up.
        """

        strength: float = Field(default=1.0, gt=0)
        tolerance: float = Field(default=1e-7, gt=0)
        max_steps: int = Field(default=5000, ge=1)

    def __init__(self, config: MaximumEntropy.Config) -> None:
        super().__init__(config)
        self.form = config

    def solve(self, bags: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Minimize the regularized loss."""
        learner = require("sklearn.linear_model", extra="classic").LogisticRegression(
            C=self.form.strength, tol=self.form.tolerance, max_iter=self.form.max_steps
        )
        return fit_by(learner, bags, labels, weights, classes=self.num_classes)
