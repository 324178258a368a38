"""A split of classes with what a network answers: the base of figures, confusion matrices and chosen examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netsmith.api.raw import join
from netsmith.core.errors import DataError
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED, Task
from netsmith.explain.confusion import ConfusedPair, most_confused

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["Judged", "judge"]


@dataclass(frozen=True)
class Judged:
    """A split with what a network answers.

    Attributes:
        raw: Raw inputs of N examples.
        targets: ``(M,)`` classes: one of each example, or of each of their elements that has a label.
        logits: ``(M, K)``.
        labeled: ``(N, ...)`` which elements of the examples those are; None where each example has one class.
        task: What an answer means, for where its classes stand; None for the last axis.
    """

    raw: Any
    targets: Tensor
    logits: Tensor
    labeled: Tensor | None = None
    task: Task | None = None

    def of(self, output: Tensor) -> Tensor:
        """Return the logits ``(M, K)`` within what another network (or file) answers to the same raw inputs."""
        if self.labeled is None:
            return output
        return (output if self.task is None else self.task.classes_last(output))[self.labeled]

    def right(self, output: Tensor) -> Tensor:
        """Return which classes an answer to the same raw inputs gets right, ``(M,)`` bool."""
        return self.of(output).argmax(1) == self.targets

    @property
    def predictions(self) -> Tensor:
        """The likeliest class of each target."""
        return self.logits.argmax(1)

    def matrix(self) -> Tensor:
        """Return the confusion matrix, rows the truth."""
        classes = self.logits.shape[1]
        cells = self.targets * classes + self.predictions
        return torch.bincount(cells, minlength=classes**2).view(classes, classes)

    def pairs(self, *, count: int = 5) -> list[ConfusedPair]:
        """Return the most confused pairs with their examples."""
        confidence = self.logits.softmax(1).amax(1)
        return most_confused(
            self.matrix(), count=count, targets=self.targets, predictions=self.predictions, confidences=confidence
        )


def judge(network: Network, source: Source, split: str, *, most: int = 10_000) -> Judged:
    """Run a network over a split of classes (or of tags), from the raw examples as a user would hand them in.

    Args:
        network: Answers with classes.
        source: Its data.
        split: Which examples.
        most: Examples at most; of a larger split as many spread evenly, since neighbors may be of one class.

    Raises:
        DataError: No example looked at has a label.
    """
    found = source.spec.split(split)
    step = max(1, -(-(found.size if found else 0) // most))
    order = source.order(split, seed=0, epoch=0)
    if split == "train":  # shuffled; an example may come more than once
        order = torch.cat(list(order)).unique().split(len(order[0]))
    raws, targets, seen = [], [], 0
    for batch in order:
        indices = batch[(-seen) % step :: step]
        seen += len(batch)
        target = source.load(split, indices).targets if len(indices) else indices
        if target.dim() == 1:
            indices, target = indices[target != UNLABELED], target[target != UNLABELED]
        if len(indices):
            raws.append(source.raw(split, indices))  # type: ignore[attr-defined]
            targets.append(target)
    if not targets:
        raise DataError(f"no example of the split {split!r} has a label to judge by")
    raw, target = join(raws), torch.cat(targets)
    output = network(raw)
    if target.dim() == 1:
        return Judged(raw, target, output)
    labeled = target != UNLABELED
    if network.task is not None:
        output = network.task.classes_last(output)
    return Judged(raw, target[labeled], output[labeled], labeled, network.task)
