"""Logistic regression (Cox 1958), multinomial, fitted by scikit-learn and kept as arrays."""

from __future__ import annotations

import warnings
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.extras import require
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.fitted import Fitted, class_targets, row_numbers

__all__ = ["LogisticRegression"]

_NEVER = -1e4
"""The logit of a class without an example: its probability is 0, and a loss stays a number."""


class LogisticRegression(Fitted):
    r"""One linear function per class, the softmax of which is the class's probability: a network of a single layer.

    .. math:: p(c \mid x) = \operatorname{softmax}_c (W x + b), \qquad
              \min_{W, b} \tfrac12 |W|^2 - C \sum_n \log p(y_n \mid x_n)

    The minimum is the only one, and scikit-learn's L-BFGS looks for it; the answer is a product of matrices here, equal
    to scikit-learn's. With the method ``supervised`` and an ``mlp`` without hidden layers the same is learned by steps.
    Of two classes scikit-learn fits one function z; the logits are then -z/2 and z/2.

    Attributes:
        weight: ``(C, F)`` float64, W.
        bias: ``(C,)`` float64, b.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64 logits.

    Raises:
        DataError: In :meth:`fit`: numbers that are not finite, targets that are no classes, examples of one class, or
            a search that did not arrive.
        MissingExtraError: In :meth:`fit`: scikit-learn is not installed.
    """

    weight: Tensor
    bias: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            strength: C, the inverse of the penalty.
            iterations: Of L-BFGS, at most.
            tolerance: Of the gradient's largest number at the end.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")

        strength: float = Field(default=1.0, gt=0)
        iterations: int = Field(default=1000, ge=1)
        tolerance: float = Field(default=1e-4, gt=0)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: LogisticRegression.Config) -> None:
        super().__init__()
        self.config = config
        shape = (int(config.num_classes), int(config.in_features))
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(shape[0], dtype=torch.float64))

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Fit to the examples ``(N, ...)``, their classes ``(N,)`` and weights."""
        rows, labels = row_numbers(inputs), class_targets(targets, len(self.bias))
        learner = require("sklearn.linear_model", extra="classic").LogisticRegression(
            C=self.config.strength, max_iter=self.config.iterations, tol=self.config.tolerance
        )
        unfinished = require("sklearn.exceptions", extra="classic").ConvergenceWarning
        with warnings.catch_warnings():
            warnings.simplefilter("error", unfinished)
            try:
                learner.fit(rows.numpy(), labels.numpy(), None if weights is None else weights.cpu().double().numpy())
            except unfinished:
                raise DataError(
                    f"L-BFGS did not arrive in iterations={self.config.iterations}; raise it, or normalize the features"
                ) from None
        found = torch.from_numpy(learner.classes_)
        rows_of_weights, offsets = torch.from_numpy(learner.coef_), torch.from_numpy(learner.intercept_)
        if len(found) == 2:  # one function z of the second class against the first, which each gets half of
            rows_of_weights = torch.cat([-rows_of_weights / 2, rows_of_weights / 2])
            offsets = torch.cat([-offsets / 2, offsets / 2])
        weight, bias = torch.zeros_like(self.weight).cpu(), torch.full_like(self.bias, _NEVER).cpu()
        weight[found], bias[found] = rows_of_weights, offsets
        self.hold(weight=weight, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits."""
        return inputs.flatten(1).double() @ self.weight.T + self.bias

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}
