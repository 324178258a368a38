"""What an answer means: the contracts of tasks and metrics."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.core.spec import Outputs

__all__ = ["UNLABELED", "Loss", "Metric", "Ratio", "Task", "figures", "weighted"]

UNLABELED = -100
"""The target of an element (a word, a node) that has no label: no loss and no figure counts it."""


class Loss(NamedTuple):
    """A loss before division: ``total / weight`` is the mean.

    The updater adds the totals of all micro-batches and ranks, and divides the gradient by the sum of the weights, so
    that unequal pieces give the gradient of the whole.

    Attributes:
        total: Scalar, the sum over examples (or tokens) of weight times loss.
        weight: The sum of the weights: a number, or a scalar tensor.
    """

    total: Tensor
    weight: Tensor | float


class Metric(abc.ABC):
    """A figure that is exact under any split of the data into batches or ranks.

    ``higher_is_better`` says which way is up; ``unit`` is empty for a proportion in 0..1.
    """

    higher_is_better: bool = True
    unit: str = ""

    @abc.abstractmethod
    def update(self, output: Any, target: Any) -> None:
        """Take in a batch of outputs of the product and their targets."""

    @abc.abstractmethod
    def merge(self, other: Any) -> None:
        """Take in what another metric of the same class has seen."""

    @abc.abstractmethod
    def compute(self) -> float:
        """Return the figure; NaN if nothing was seen."""


class Ratio(Metric):
    """The common kind of metric: a sum divided by a weight; ``measure(output, target)`` returns both for a batch.

    Example:
        >>> mean = Ratio(lambda output, target: (output.sum(), output.numel()))
        >>> mean.update(torch.tensor([1.0, 2.0]), None); mean.update(torch.tensor([6.0]), None); mean.compute()
        3.0
    """

    def __init__(self, measure: Any, *, higher_is_better: bool = True, unit: str = "") -> None:
        self.measure = measure
        self.higher_is_better = higher_is_better
        self.unit = unit
        self.total = 0.0
        self.weight = 0.0

    def update(self, output: Any, target: Any) -> None:
        total, weight = self.measure(output, target)
        self.total += float(total)
        self.weight += float(weight)

    def merge(self, other: Ratio) -> None:
        self.total += other.total
        self.weight += other.weight

    def compute(self) -> float:
        return self.total / self.weight if self.weight else float("nan")

    def __getstate__(self) -> tuple[float, float]:
        # Only the sums travel between ranks: a function need not be sendable.
        return self.total, self.weight

    def __setstate__(self, state: tuple[float, float]) -> None:
        self.total, self.weight = state


class Task(nn.Module, abc.ABC):
    """What an answer means; a method composes with any task.

    A task is a module so that one with parameters of its own (a CRF) is trained and saved with the model.
    """

    @abc.abstractmethod
    def loss(self, output: Any, target: Any, weights: Tensor | None = None) -> Loss:
        """Return the summed loss of a batch and its weight."""

    def weights(self, target: Any, weights: Tensor | None = None) -> Tensor | None:  # noqa: ARG002
        """Return what each example weighs in :meth:`loss`, ``(B,)``; None for all ones.

        By default what it is given; a task with several labels per example says how many count.
        """
        return weights

    @abc.abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """Return fresh metrics by name, in the order they are shown; the first one is the main figure."""

    def average(self, outputs: Tensor) -> Tensor:  # noqa: ARG002
        """Return one answer for the answers ``(B, V, ...)`` to several views of each example.

        Raises:
            UnsupportedError: By default: the task does not say what their average is.
        """
        raise UnsupportedError(
            f"the task {type(self).__name__} does not average answers to several views of an example; "
            "evaluate one view (for crops: test_crops=1 and one of test_scales)"
        )

    @property
    def class_axis(self) -> int:
        """Return where the classes are among the axes of an output; the last by default."""
        return -1

    def classes_last(self, output: Tensor) -> Tensor:
        """Return the output of a task of classes with the classes in the last axis."""
        return output if self.class_axis == -1 else output.movedim(self.class_axis, -1)

    @abc.abstractmethod
    def decode(self, output: Any, outputs: Outputs) -> list[dict[str, Any]]:
        """Return one readable prediction per example: JSON values, labels by name.

        Args:
            output: What the product returned.
            outputs: The schema's outputs (label names, units).
        """

    def decode_scores(self, output: Any, outputs: Outputs, *, kind: str) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return what :meth:`decode` does, of a model whose scores of classes are no logits of probabilities.

        By default the same; a task that shows probabilities shows the scores, and what they are, instead.

        Args:
            output: What the product returned.
            outputs: The schema's outputs.
            kind: What the scores are (``votes``).
        """
        return self.decode(output, outputs)

    def unpadded(self, predictions: Sequence[dict[str, Any]], lengths: Sequence[int]) -> list[dict[str, Any]]:
        """Return what :meth:`decode` says of sequences of tokens without what it says of their padding.

        By default the lists of a prediction have an entry per token, the first ones first.

        Args:
            predictions: One per example.
            lengths: How many tokens each example has.
        """
        return [
            {name: value[:length] if isinstance(value, list) else value for name, value in one.items()}
            for one, length in zip(predictions, lengths, strict=True)
        ]


def figures(metrics: Mapping[str, Metric], split: str) -> dict[str, float]:
    """Compute every metric once, named ``split/name``."""
    return {f"{split}/{name}": float(metric.compute()) for name, metric in metrics.items()}


def weighted(losses: Tensor, weights: Tensor | None) -> Loss:
    """Return the loss of ``(B,)`` losses under optional ``(B,)`` weights.

    Example:
        >>> weighted(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 0.0])).total
        tensor(1.)
    """
    if weights is None:
        return Loss(losses.sum(), float(losses.shape[0]))
    return Loss((losses * weights).sum(), weights.sum())
