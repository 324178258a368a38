"""Naive Bayes with the multinomial and the Bernoulli event model (McCallum & Nigam 1998)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["NaiveBayes"]


class NaiveBayes(nn.Module):
    r"""Learn by counting, in one pass: a strong baseline for counts of words, and the fastest classifier there is.

    Multinomial (an example is a bag of draws; x holds counts):

    .. math:: \log p(c, x) = \log \pi_c + \sum_f x_f \log \theta_{cf},
              \quad \theta_{cf} = (N_{cf} + \alpha) / (N_c + \alpha F)

    Bernoulli (each feature is there or not, and absence counts too; x is compared with ``binarize``):

    .. math:: \log p(c, x) = \log \pi_c + \sum_f [x_f \log \theta_{cf} + (1 - x_f) \log (1 - \theta_{cf})],
              \quad \theta_{cf} = (D_{cf} + \alpha) / (D_c + 2 \alpha)

    Only counts are kept, as buffers in float64; there are no parameters. The same counts and answers as scikit-learn's
    ``MultinomialNB`` and ``BernoulliNB``. A class without a single example has log prior minus infinity. Count each
    example once: a second pass over the data weakens the smoothing.

    Attributes:
        class_count: ``(C,)`` float64, (weighted) examples of each class.
        feature_count: ``(C, F)`` float64, N or D above.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64, the joint log-likelihood:
        its softmax is the posterior.

    Raises:
        DataError: In ``absorb``: negative or non-finite features for the multinomial model, or a class out of range.
    """

    class_count: Tensor
    feature_count: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            event_model: What an example is: a bag of draws, or features that are there or not.
            alpha: Additive smoothing (1: Laplace).
            fit_prior: Learn the classes' prior by counting; else all classes are equally likely.
            binarize: Bernoulli only: a feature is there if it is greater than this.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")

        event_model: Literal["multinomial", "bernoulli"] = "multinomial"
        alpha: float = Field(default=1.0, gt=0)
        fit_prior: bool = True
        binarize: float = 0.0
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: NaiveBayes.Config) -> None:
        super().__init__()
        if config.event_model == "multinomial" and config.binarize != 0.0:
            raise ConfigError(f"binarize={config.binarize} applies to event_model='bernoulli' only; leave it out")
        self.config = config
        shape = (config.num_classes, config.in_features)
        self.register_buffer("class_count", torch.zeros(shape[0], dtype=torch.float64))
        self.register_buffer("feature_count", torch.zeros(shape, dtype=torch.float64))

    def absorb(
        self,
        inputs: Tensor,
        targets: Tensor,
        *,
        weights: Tensor | None = None,
        sum_ranks: Callable[[list[Tensor]], None] | None = None,
    ) -> None:
        """Add a batch to the counts.

        Args:
            inputs: ``(B, ...)`` features.
            targets: ``(B,)`` int64 classes.
            weights: ``(B,)`` weights of the examples, or None for all ones.
            sum_ranks: Adds a list of tensors over all processes in place.
        """
        features = self._features(inputs)
        if self.config.event_model == "multinomial" and not bool(((features >= 0) & features.isfinite()).all()):
            raise DataError("the multinomial event model takes counts: finite features that are not negative")
        classes = len(self.class_count)
        if targets.dim() != 1 or targets.is_floating_point() or not bool(((targets >= 0) & (targets < classes)).all()):
            raise DataError(f"expected one class in 0..{classes - 1} per example, got {tuple(targets.shape)} targets")
        chosen = nn.functional.one_hot(targets, classes).to(torch.float64)  # (B, C)
        if weights is not None:
            chosen = chosen * weights.to(torch.float64)[:, None]
        counts = [chosen.sum(0), chosen.T @ features]  # (C,), (C, F)
        if sum_ranks is not None:
            sum_ranks(counts)
        self.class_count += counts[0]
        self.feature_count += counts[1]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the joint log-likelihood of each class."""
        features, alpha = self._features(inputs), self.config.alpha
        if self.config.event_model == "multinomial":
            smoothed = self.feature_count + alpha  # (C, F)
            log_theta = smoothed.log() - smoothed.sum(1, keepdim=True).log()
            evidence = features @ log_theta.T  # (B, C)
        else:
            total = (self.class_count + 2 * alpha).log()[:, None]  # (C, 1)
            there = (self.feature_count + alpha).log() - total  # (C, F)
            absent = (self.class_count[:, None] - self.feature_count + alpha).log() - total
            evidence = features @ (there - absent).T + absent.sum(1)  # (B, C)
        return evidence + self._log_prior()

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _log_prior(self) -> Tensor:
        if self.config.fit_prior:
            return self.class_count.log() - self.class_count.sum().log()
        return -torch.full_like(self.class_count, len(self.class_count)).log()

    def _features(self, inputs: Tensor) -> Tensor:
        features = inputs.flatten(1).to(torch.float64)  # (B, F)
        if self.config.event_model == "bernoulli":
            features = (features > self.config.binarize).to(torch.float64)
        return features
