"""k nearest neighbors (Fix & Hodges 1951, Cover & Hart 1967): the examples themselves are the model."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.fitted import Fitted, class_targets, log_shares, row_numbers

__all__ = ["KNearestNeighbors"]

_AT_ONCE = 2**23
"""Distances held at the same time; a batch is taken in pieces where it would have more."""


class KNearestNeighbors(Fitted):
    r"""Answer as most of the k nearest training examples do; nothing is learned but what they are.

    .. math:: p(c \mid x) = \frac1k \sum_{n \in N_k(x)} [y_n = c], \qquad
              |x - x_n|^2 = |x|^2 - 2\, x \cdot x_n + |x_n|^2

    Of equally many votes the first class wins, and of equally distant examples at the edge of the neighborhood the
    first ones of the training split are in it. The same shares as scikit-learn's ``KNeighborsClassifier``, which
    takes any of those that are equally distant. As the number of examples grows, the error of k = 1 is at most twice
    the least possible one (Cover & Hart).

    The examples are kept as they came, and compared in double precision; there is nothing to fit, and a checkpoint is
    as large as the training split.

    Attributes:
        examples: ``(N, F)`` float32.
        labels: ``(N,)`` int64.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64: the logarithm of the
        classes' shares among the neighbors, of 0 that of 1.2e-38.

    Raises:
        ConfigError: In :meth:`fit`: fewer examples than k.
        DataError: In :meth:`fit`: numbers that are not finite, or targets that are no classes.
        UnsupportedError: In :meth:`fit`: weights other than 0 and 1.
    """

    examples: Tensor
    labels: Tensor

    class Config(ModelConfig):
        """Who is asked.

        Attributes:
            neighbors: k.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        uncounted: ClassVar[str] = "the fit decides how many examples there are to compare with"

        neighbors: int = Field(default=5, ge=1)
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: KNearestNeighbors.Config) -> None:
        super().__init__(examples=(2, torch.float32), labels=(1, torch.int64))
        self.config = config

    @torch.no_grad()
    def fit(self, inputs: Tensor, targets: Tensor, *, weights: Tensor | None = None) -> None:
        """Keep the examples ``(N, ...)`` and their classes ``(N,)``; those of weight 0 are left out."""
        row_numbers(inputs)
        labels = class_targets(targets, int(self.config.num_classes), least=1)
        rows = inputs.flatten(1)
        if weights is not None:
            if not bool(((weights == 0) | (weights == 1)).all()):
                raise UnsupportedError("an example is a neighbor or is not: weights must be 0 or 1")
            rows, labels = rows[weights == 1], labels[weights.cpu() == 1]
        if len(labels) < self.config.neighbors:
            raise ConfigError(
                f"neighbors={self.config.neighbors}, and there are {len(labels)} training examples; set neighbors to "
                f"at most {len(labels)}"
            )
        self.hold(examples=rows, labels=labels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logarithm of each class's share of the neighbors."""
        rows = inputs.flatten(1).double()
        if not len(self.labels):
            return self.unsure(inputs, int(self.config.num_classes))
        known = self.examples.double()
        lengths = torch.einsum("nf,nf->n", known, known)
        if torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling():  # a graph takes batches of any size whole
            return log_shares(self._shares(lengths - 2 * rows @ known.T))
        parts = rows.split(max(1, _AT_ONCE // len(known)))
        return log_shares(torch.cat([self._quick_shares(lengths - 2 * part @ known.T) for part in parts]))

    def _shares(self, squares: Tensor) -> Tensor:
        """Return the shares, of distances less |x|^2; ties at the edge go by the order of the examples."""
        k = self.config.neighbors
        edge = squares.topk(k, dim=1, largest=False).values[:, -1:]
        nearer, at_edge = squares < edge, squares == edge
        room = k - nearer.sum(1, keepdim=True)
        chosen = nearer | (at_edge & (at_edge.int().cumsum(1, dtype=torch.int32) <= room))
        return chosen.double() @ F.one_hot(self.labels, int(self.config.num_classes)).double() / k

    def _quick_shares(self, squares: Tensor) -> Tensor:
        """Return the same, where nothing is tied at the edge from the k nearest alone."""
        k = self.config.neighbors
        if k == len(self.labels):
            return self._shares(squares)
        values, nearest = squares.topk(k + 1, dim=1, largest=False)
        if bool((values[:, k - 1] == values[:, k]).any()):
            return self._shares(squares)
        return F.one_hot(self.labels[nearest[:, :k]], int(self.config.num_classes)).double().mean(1)

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}
