"""Confusions: which classes are taken for which, how often, and by which examples."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError

__all__ = ["ConfusedPair", "confused_examples", "confusion_matrix", "most_confused"]


class ConfusedPair(NamedTuple):
    """One kind of mistake.

    Attributes:
        truth: The right class.
        prediction: The class given instead.
        count: How often.
        rate: ``count`` as a share of the examples of ``truth``, 0..1.
        indices: The examples (positions in ``targets``), most confident mistakes first where confidences are given.
    """

    truth: int
    prediction: int
    count: int
    rate: float
    indices: tuple[int, ...] = ()


def confusion_matrix(targets: Tensor, predictions: Tensor, *, num_classes: int) -> Tensor:
    """Count: ``(K, K)`` int64, rows are the truth, columns the prediction.

    Args:
        targets: ``(N,)`` int64.
        predictions: ``(N,)`` int64.
        num_classes: K.

    Raises:
        UserError: Shapes that differ, or a class out of range.
    """
    if targets.shape != predictions.shape or targets.dim() != 1:
        raise UserError(
            f"targets {tuple(targets.shape)} and predictions {tuple(predictions.shape)}; expected (N,) twice"
        )
    both = torch.stack([targets, predictions]).cpu()
    if both.is_floating_point() or (both.numel() and (int(both.min()) < 0 or int(both.max()) >= num_classes)):
        raise UserError(
            f"classes lie in {both.min().item()}..{both.max().item()}; expected 0..{num_classes - 1} (int64)"
        )
    cells = both[0].long() * num_classes + both[1].long()
    return torch.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def most_confused(
    matrix: Tensor,
    *,
    count: int = 5,
    targets: Tensor | None = None,
    predictions: Tensor | None = None,
    confidences: Tensor | None = None,
    examples: int = 5,
) -> list[ConfusedPair]:
    """Return the most frequent mistakes, most frequent first (ties: the higher rate, then the lower class numbers).

    Args:
        matrix: ``(K, K)`` counts from :func:`confusion_matrix`.
        count: At most so many pairs; pairs that never occur are left out.
        targets: ``(N,)``; with ``predictions``, examples of each pair are named.
        predictions: ``(N,)``.
        confidences: ``(N,)``, orders the examples.
        examples: At most so many examples of each pair.

    Raises:
        UserError: A matrix that is not square, or only one of ``targets`` and ``predictions``.
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UserError(f"matrix has shape {tuple(matrix.shape)}; expected (K, K)")
    if (targets is None) != (predictions is None):
        raise UserError("examples need both targets and predictions; only one was given")
    totals = matrix.sum(1).tolist()
    pairs = [
        ConfusedPair(truth, prediction, number, number / totals[truth])
        for truth, row in enumerate(matrix.tolist())
        for prediction, number in enumerate(row)
        if number and truth != prediction
    ]
    pairs.sort(key=lambda pair: (-pair.count, -pair.rate, pair.truth, pair.prediction))
    pairs = pairs[:count]
    if targets is None or predictions is None:
        return pairs
    return [
        pair._replace(
            indices=tuple(
                confused_examples(
                    targets,
                    predictions,
                    truth=pair.truth,
                    prediction=pair.prediction,
                    confidences=confidences,
                    count=examples,
                )
            )
        )
        for pair in pairs
    ]


def confused_examples(
    targets: Tensor,
    predictions: Tensor,
    *,
    truth: int,
    prediction: int,
    confidences: Tensor | None = None,
    count: int | None = None,
) -> list[int]:
    """Return the examples of ``truth`` that were taken for ``prediction``.

    Args:
        targets: ``(N,)`` int64.
        predictions: ``(N,)`` int64.
        truth: The right class.
        prediction: The class given instead.
        confidences: ``(N,)``; where given, the most confident come first, else the order of the data.
        count: At most so many; None for all.
    """
    found = torch.nonzero((targets == truth) & (predictions == prediction)).flatten()
    if confidences is not None:
        found = found[torch.argsort(confidences[found], descending=True, stable=True)]
    return found.tolist()[:count]
