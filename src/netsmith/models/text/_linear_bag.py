"""What linear learners over bags of words share: features, the linear answer, rows for a fit."""

from __future__ import annotations

import abc
import warnings
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.bag_of_words import bag_entries, bag_of_words, frequent_pairs
from netsmith.layers.fitted import Fitted, class_targets

__all__ = ["BagFields", "LinearBag", "fit_by"]

_AT_ONCE = 64  # texts: their bags are dense


class BagFields(ModelConfig):
    r"""The fields of every linear learner over bags of words.

    Attributes:
        features: What a word gives: 1 where it is there (``presence``), how often (``count``), or that times the
            logarithm of its rarity (``tf_idf``: :math:`\ln \frac{1 + n}{1 + n_w} + 1` for a word in n_w of n texts).
        bigrams: How many pairs of neighbors are features too, the most frequent of the training texts.
        unit_length: Divide each text's features by their Euclidean length.
        vocab_size: Words known, padding and unknown included.
        num_classes: Number of classes.
    """

    takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
    uncounted: ClassVar[str] = "the fit decides how many features there are"

    features: Literal["presence", "count", "tf_idf"] = "presence"
    bigrams: int = Field(default=0, ge=0)
    unit_length: bool = False
    vocab_size: int | Auto = AUTO
    num_classes: int | Auto = AUTO


class LinearBag(Fitted):
    """Abstract: the logits are linear in a text's bag of words; a subclass says by which weights.

    Attributes:
        pairs: ``(P,)`` int64, the pairs of neighbors that are features.
        rarity: ``(F,)`` float64, the factors of tf-idf; empty for other features.
        weight: ``(F, C)`` float64.
        offset: ``(C,)`` float64.
    """

    pairs: Tensor
    rarity: Tensor
    weight: Tensor
    offset: Tensor

    def __init__(self, config: BagFields) -> None:
        f = torch.float64
        super().__init__(pairs=(1, torch.int64), rarity=(1, f), weight=(2, f), offset=(1, f))
        self.config = config
        self.vocab_size, self.num_classes = int(config.vocab_size), int(config.num_classes)

    @abc.abstractmethod
    def solve(self, bags: Tensor, labels: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the weight ``(F, C)`` and the offset ``(C,)`` for the features of texts, sparse ``(N, F)`` float64."""

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Fit to the texts ``(N, L)``, their classes ``(N,)`` and weights."""
        labels = class_targets(targets, self.num_classes, least=self.num_classes)
        tokens = inputs.detach().cpu()
        device = self.weight.device
        self.cpu()
        most = self.config.bigrams
        self.hold(pairs=frequent_pairs(tokens, vocab_size=self.vocab_size, most=most) if most else [], rarity=[])
        entries = bag_entries(tokens, self.pairs, vocab_size=self.vocab_size)
        size = (len(tokens), self.vocab_size - 2 + len(self.pairs))
        if self.config.features == "tf_idf":
            self.hold(rarity=((1 + size[0]) / (1 + entries[1].bincount(minlength=size[1]).double())).log() + 1)
        bags = torch.sparse_coo_tensor(
            torch.stack(entries[:2]), self._valued(*entries), size, is_coalesced=True, check_invariants=False
        )
        weight, offset = self.solve(bags, labels, None if weights is None else weights.cpu().double())
        self.hold(weight=weight, offset=offset)
        self.to(device)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits, ``(B, C)`` float64; zeros before the fit."""
        if not len(self.offset):
            return self.unsure(tokens, self.num_classes)
        if torch.jit.is_tracing() or torch.compiler.is_compiling():  # a graph takes batches of any size whole
            return self.features(tokens) @ self.weight + self.offset
        return torch.cat([self.features(part) @ self.weight + self.offset for part in tokens.split(_AT_ONCE)])

    def features(self, tokens: Tensor) -> Tensor:
        """Return what the weights are multiplied with, ``(B, F)`` float64."""
        features = bag_of_words(tokens, self.pairs, vocab_size=self.vocab_size)
        if self.config.features == "presence":
            features = features.clamp(max=1)
        elif self.config.features == "tf_idf":
            features = features * self.rarity
        if self.config.unit_length:
            length = features.square().sum(1, keepdim=True).sqrt()
            features = features / torch.where(length > 0, length, 1.0)
        return features

    def _valued(self, rows: Tensor, columns: Tensor, counts: Tensor) -> Tensor:
        """Return the features from the entries of bags, as :meth:`features` from whole ones."""
        values = counts
        if self.config.features == "presence":
            values = torch.ones_like(counts)
        elif self.config.features == "tf_idf":
            values = counts * self.rarity[columns]
        if self.config.unit_length:
            squares = torch.zeros(int(rows[-1]) + 1 if len(rows) else 0, dtype=torch.float64)
            values = values / squares.index_add(0, rows, values.square()).sqrt()[rows]
        return values

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def fit_by(
    learner: Any, bags: Tensor, labels: Tensor, weights: Tensor | None, *, classes: int
) -> tuple[Tensor, Tensor]:
    """Fit a linear classifier of scikit-learn and return its weight ``(F, C)`` and offset ``(C,)``.

    Of two classes scikit-learn keeps one row of weights, positive for the second: each class gets half of it, so that
    their difference is what was fitted, and either can be asked what speaks for it.

    Raises:
        ConfigError: It did not converge.
    """
    (at, columns), values = bags.indices().numpy(), bags.values().numpy()
    rows = require("scipy.sparse", extra="classic").csr_matrix((values, (at, columns)), shape=tuple(bags.shape))
    warning = require("sklearn.exceptions", extra="classic").ConvergenceWarning
    with warnings.catch_warnings():
        warnings.simplefilter("error", warning)
        try:
            learner.fit(rows, labels.numpy(), sample_weight=None if weights is None else weights.numpy())
        except warning:
            raise ConfigError(
                f"the fit did not converge in max_steps={learner.max_iter}; raise max_steps, or lower strength"
            ) from None
    coefficients, intercept = torch.from_numpy(learner.coef_), torch.as_tensor(learner.intercept_).double()
    if classes == 2:
        coefficients = torch.cat([-coefficients / 2, coefficients / 2])
        intercept = torch.cat([-intercept / 2, intercept / 2])
    return coefficients.T.contiguous(), intercept
