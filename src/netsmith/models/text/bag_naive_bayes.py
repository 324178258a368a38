"""Naive Bayes over the words of a text, with the multinomial and the Bernoulli event model (McCallum & Nigam 1998)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.models.text._linear_bag import BagFields, LinearBag

__all__ = ["BagNaiveBayes"]


class BagNaiveBayes(LinearBag):
    r"""Count in which class each word comes how often: hard to beat where texts are few or short (Wang & Manning 2012).

    Multinomial, with x the features of a text (Pang et al. 2002 found presence better than counts):

    .. math:: \log p(c, x) = \log \pi_c + \sum_w x_w \log \theta_{cw},
              \quad \theta_{cw} = \frac{N_{cw} + \alpha}{\sum_v (N_{cv} + \alpha)}

    Bernoulli, where a word that is absent counts too:

    .. math:: \log p(c, x) = \log \pi_c + \sum_w [x_w \log \theta_{cw} + (1 - x_w) \log (1 - \theta_{cw})],
              \quad \theta_{cw} = \frac{N_{cw} + \alpha}{N_c + 2 \alpha}

    Both are linear in x, and kept so, less their mean over the classes: what is left of a word's weight is what the
    word says about the class, and the softmax is the same. The same posterior as scikit-learn's ``MultinomialNB`` and
    ``BernoulliNB`` of the same features. Words that training did not know count nowhere.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)`` float64, whose softmax is the
        posterior.

    Raises:
        ConfigError: Features other than presence for the Bernoulli model.
        DataError: In :meth:`fit`: a class without an example, or targets that are no classes.
    """

    class Config(BagFields):
        """The model's form.

        Attributes:
            event_model: What a text is: draws of words, or words that are there or not.
            alpha: Additive smoothing (1: Laplace).
        """

        event_model: Literal["multinomial", "bernoulli"] = "multinomial"
        alpha: float = Field(default=1.0, gt=0)

    def __init__(self, config: BagNaiveBayes.Config) -> None:
        if config.event_model == "bernoulli" and (config.features != "presence" or config.unit_length):
            raise ConfigError(
                f"event_model='bernoulli' takes words that are there or not, got features={config.features!r} and "
                f"unit_length={config.unit_length}; use features='presence' and unit_length=False"
            )
        super().__init__(config)
        self.event_model, self.alpha = config.event_model, config.alpha

    def solve(self, bags: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Count, and turn the counts into weights."""
        chosen = F.one_hot(labels, self.num_classes).double()  # (N, C)
        if weights is not None:
            chosen = chosen * weights[:, None]
        counts = torch.sparse.mm(bags.T, chosen)  # (F, C)
        examples = chosen.sum(0)  # (C,)
        prior = (examples / examples.sum()).log()
        there = counts + self.alpha
        if self.event_model == "multinomial":
            weight, offset = (there / there.sum(0)).log(), prior
        else:
            total = examples + 2 * self.alpha
            absent = ((total - there) / total).log()
            weight, offset = (there / total).log() - absent, prior + absent.sum(0)
        return weight - weight.mean(1, keepdim=True), offset - offset.mean()
