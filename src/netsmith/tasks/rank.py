"""Which documents answer a query best: several candidates are scored, and their order is what counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.layers.candidates import ABSENT
from netsmith.measure.ranking import average_precision, ndcg, reciprocal_rank
from netsmith.tasks._metrics import full

__all__ = ["Rank"]

_NOTHING = -1e30  # a logit that adds nothing; finite, so that a query without any others has a gradient


class Rank(Task):
    r"""Scores of a query's candidates, learned from which of them answer it.

    With ``loss="softmax"`` that of DSSM (Huang et al. 2013, equations 5 and 6), for each candidate that answers beside
    those that do not:

    .. math:: -\log \frac{\exp(\gamma s^+)}{\exp(\gamma s^+) + \sum_{-} \exp(\gamma s^-)}

    With ``loss="hinge"`` that of DRMM and KNRM (Guo et al. 2016, equation 6), for each pair of candidates of which one
    answers better than the other:

    .. math:: \max(0, m - s^+ + s^-)

    The mean over those of a query is its loss; a query without any (all its candidates answer, or none) counts nothing.

    Figures are means over queries: ``map``, mean average precision; ``mrr``, of the reciprocal rank of the first that
    answers; ``ndcg@k`` of the grades, with linear gain. They are those of :mod:`netsmith.measure.ranking`; of equal
    scores the earlier candidate comes first, and a query that nothing answers is left out. A target above 0 where there
    is no candidate (:data:`~netsmith.layers.candidates.ABSENT`) is one that was not retrieved: it counts among those
    that answer, and is never found.

    Shapes:
        Output ``(B, C)``; target ``(B, C)``, grades of 0 or more, :data:`~netsmith.engine.task.UNLABELED` where there
        is no candidate.

    Raises:
        DataError: Output or targets are not of those shapes.
    """

    class Config(TaskConfig):
        """How scores are learned and judged.

        Attributes:
            loss: ``softmax`` over one that answers and all that do not, or ``hinge`` of pairs.
            gamma: What multiplies the scores in the softmax, gamma above.
            margin: By how much a better candidate's score is to be above, m above.
            depth: k of nDCG.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("ranking",)

        loss: Literal["softmax", "hinge"] = "hinge"
        gamma: float = Field(default=10.0, gt=0)
        margin: float = Field(default=1.0, gt=0)
        depth: int = Field(default=10, ge=1)

    def __init__(self, config: Rank.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        _check(output, target)
        scores = full(output)
        target = target.masked_fill(output.detach() <= ABSENT / 2, UNLABELED)  # what was not retrieved teaches nothing
        losses, pairs = self._softmax(scores, target) if self.config.loss == "softmax" else self._hinge(scores, target)
        each = losses.flatten(1).sum(1) / pairs.flatten(1).sum(1).clamp(min=1)  # (B,)
        share = 1 if weights is None else weights
        return Loss((each * share).sum(), self.weights(target, weights).sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return 1 for each query whose candidates are not all alike, times its weight."""
        there = target != UNLABELED
        highest = target.masked_fill(~there, 0).amax(1)
        lowest = target.masked_fill(~there, torch.iinfo(torch.int64).max).amin(1)
        counts = (highest > 0) & (lowest == 0) if self.config.loss == "softmax" else highest > lowest
        counts = counts.to(torch.get_default_dtype())
        return counts if weights is None else counts * weights

    def metrics(self) -> dict[str, Metric]:
        depth = self.config.depth
        return {
            "map": _mean(lambda ranked, judged: average_precision(ranked, relevant=sum(one > 0 for one in judged))),
            "mrr": _mean(lambda ranked, _: reciprocal_rank(ranked)),
            f"ndcg@{depth}": _mean(lambda ranked, judged: ndcg(ranked, depth, judged=judged)),
            "loss": Ratio(self.loss, higher_is_better=False),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return, per query, the places of its candidates (from 0), best first, and their scores.

        Raises:
            DataError: A score is not a number.
        """
        if not bool(output.isfinite().all()):
            raise DataError("the network's answer is not finite; check the range of the input")
        scores, order = output.detach().cpu().double().sort(dim=1, descending=True, stable=True)
        there = (scores > ABSENT / 2).sum(1).tolist()
        return [
            {"ranking": places[:count], "scores": values[:count]}
            for places, values, count in zip(order.tolist(), scores.tolist(), there, strict=True)
        ]

    def _softmax(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of the candidates that answer, and which they are; ``(B, C)``."""
        logits = self.config.gamma * scores
        others = logits.masked_fill(target != 0, _NOTHING).logsumexp(1, keepdim=True)  # (B, 1)
        right = (target > 0) & (target == 0).any(1, keepdim=True)
        losses = torch.logaddexp(logits, others) - logits  # Eq. 5, 6
        return losses.masked_fill(~right, 0), right

    def _hinge(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of the pairs, and which they are; ``(B, C, C)``, the better candidate first."""
        there = target != UNLABELED
        pairs = (target[:, :, None] > target[:, None, :]) & there[:, :, None] & there[:, None, :]
        losses = (self.config.margin - scores[:, :, None] + scores[:, None, :]).clamp(min=0)  # Eq. 6
        return losses.masked_fill(~pairs, 0), pairs


def _mean(figure: Callable[[Sequence[float], Sequence[float]], float]) -> Ratio:
    """Return the mean over queries of a figure of the grades in ranked order and of all grades."""

    def measure(output: Tensor, target: Tensor) -> tuple[float, int]:
        rows = _ranked(output, target)
        if bool(output.isnan().any()):
            return math.nan, len(rows)  # what has no score has no place
        return sum(figure(ranked, judged) for ranked, judged in rows), len(rows)

    return Ratio(measure)


def _ranked(output: Tensor, target: Tensor) -> list[tuple[list[float], list[float]]]:
    """Return, for each query that something answers, the grades in ranked order and all grades."""
    _check(output, target)
    order = output.double().argsort(dim=1, descending=True, stable=True)
    grades = target.gather(1, order)
    kept = (output.gather(1, order) > ABSENT / 2) & (grades != UNLABELED)
    rows = []
    for ranked, found, judged in zip(grades.tolist(), kept.tolist(), target.tolist(), strict=True):
        every = [grade for grade in judged if grade != UNLABELED]
        if any(grade > 0 for grade in every):
            rows.append(([grade for grade, one in zip(ranked, found, strict=True) if one], every))
    return rows


def _check(output: Tensor, target: Tensor) -> None:
    if output.dim() != 2 or output.shape != target.shape or target.is_floating_point():
        raise DataError(
            f"expected a score and a grade (int64) per candidate: the network answers {tuple(output.shape)} (queries, "
            f"candidates), the targets are {target.dtype} {tuple(target.shape)}"
        )
