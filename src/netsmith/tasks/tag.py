"""One of several classes for each element of an example: the nodes of a graph, the words of a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import later
from netsmith.core.errors import DataError
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.tasks._decoding import class_names, probabilities_of, scores_of
from netsmith.tasks._metrics import correct, full, negative_log_likelihood
from netsmith.tasks._spans import SchemeFields, span_metric, spans_found

__all__ = ["Tag"]


class Tag(Task):
    r"""Cross entropy between the softmax of each element's logits and its class, over the elements that have a label.

    .. math:: -\sum_{i: y_i \ne u} \log p_{i, y_i}

    divided by the number of labels in the whole batch, so that an example counts by its labels. An element whose target
    is :data:`~netsmith.engine.task.UNLABELED` counts nowhere. Figures: ``accuracy`` in 0..1 over the labels and
    ``loss``, their mean cross entropy in nats; with a ``scheme`` of tags ``f1`` first, of the names they mark
    (:class:`~netsmith.tasks._spans.SpanF1`, CoNLL's rule).

    Shapes:
        Output ``(B, ..., K)``, or with ``classes_first`` ``(B, K, ...)``; target ``(B, ...)`` int64.

    Raises:
        DataError: The targets are not of that shape.
    """

    class Config(SchemeFields):
        """How tags are learned.

        Attributes:
            label_smoothing: Share of each target's mass that is spread evenly over all classes, in [0, 1).
            classes_first: The network answers as convolutions do, with the classes in the place of channels.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tags",)

        label_smoothing: float = Field(default=0.0, ge=0, lt=1)
        classes_first: bool = later(False)

    def __init__(self, config: Tag.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        output = self.classes_last(output)
        _check(output, target)
        losses = F.cross_entropy(
            full(output).movedim(-1, 1),
            target,
            reduction="none",
            ignore_index=UNLABELED,
            label_smoothing=self.config.label_smoothing,
        )
        share = 1 if weights is None else weights
        return Loss((losses.flatten(1).sum(1) * share).sum(), self.weights(target, weights).sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return how many labels each example has, times its weight."""
        labels = (target != UNLABELED).flatten(1).sum(1)
        return labels.to(torch.get_default_dtype()) if weights is None else labels * weights

    def metrics(self) -> dict[str, Metric]:
        return {
            **span_metric(lambda output: self.classes_last(output).argmax(-1), self.config),
            "accuracy": Ratio(lambda output, target: correct(*labeled(self.classes_last(output), target))),
            "loss": Ratio(
                lambda output, target: negative_log_likelihood(*labeled(self.classes_last(output), target)),
                higher_is_better=False,
                unit="nat",
            ),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per example, the likeliest class of each element and its probability; with a scheme, the spans.

        Raises:
            ConfigError: The schema has another number of names than the network has classes.
            DataError: A probability is not a number.
        """
        output = self.classes_last(output)
        return self._marked(_highest(probabilities_of(output), "probabilities", class_names(output, outputs)))

    def decode_scores(self, output: Tensor, outputs: Outputs, *, kind: str) -> list[dict[str, Any]]:
        """Return, per example, the class of the highest score of each element, that score, and what scores are.

        Raises:
            ConfigError: The schema has another number of names than the network has classes.
            DataError: A score is not a number.
        """
        output = self.classes_last(output)
        rows = _highest(scores_of(output), "scores", class_names(output, outputs))
        return self._marked([{**row, "scores_are": kind} for row in rows])

    def unpadded(self, predictions: Sequence[dict[str, Any]], lengths: Sequence[int]) -> list[dict[str, Any]]:
        """Return predictions without padding, of which no span is a part."""
        return self._marked(super().unpadded(predictions, lengths))

    def _marked(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"spans": spans_found(row["labels"])} for row in rows] if self.config.scheme else rows

    @property
    def class_axis(self) -> int:
        """Return where the classes are among the axes of the logits."""
        return 1 if self.config.classes_first else -1


def labeled(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits ``(M, K)`` and the classes ``(M,)`` of the elements that have a label."""
    _check(output, target)
    has = target != UNLABELED
    return output[has], target[has]


def _highest(values: Tensor, what: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    values = values.flatten(1, -2)  # (B, elements, K)
    return [
        {"labels": [names[index] for index in indices], what: highest}
        for indices, highest in zip(values.argmax(-1).tolist(), values.amax(-1).tolist(), strict=True)
    ]


def _check(output: Tensor, target: Tensor) -> None:
    if output.dim() < 3 or output.shape[:-1] != target.shape or target.is_floating_point():
        raise DataError(
            f"expected one class (int64) per element: the network answers {tuple(output.shape)} (examples, elements, "
            f"classes), the targets are {target.dtype} {tuple(target.shape)}"
        )
