"""Answers that are places of the input, in order: an order, or the corners of a polygon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task
from netsmith.layers.polygons import coverage, same_cycle
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.sets import split_set
from netsmith.layers.writing import Judged
from netsmith.tasks.write import Write

__all__ = ["Point"]


class Point(Task):
    r"""Name places of a set one after the other, as a text of places (Vinyals, Fortunato & Jaitly 2015).

    The loss is the mean over the answer's tokens, its end included, of :math:`-\log p`. The figures:

    - of an ``order``: ``exact``, the share of answers with every place where it should be;
    - of a ``polygon``: ``polygon``, the share that is the same polygon, wherever and in whichever direction it is
      begun; ``simple``, the share of closed ways that do not cross or touch themselves; ``area``, the mean share of the
      true polygon's area that is covered, 0 by those that do (the paper leaves them out where they are below 1 %).

    And ``perplexity``, e to the mean loss. All but that one are of what is written without help.

    Shapes:
        Output ``(B, T, 3 + L)``; target ``{"written": (B, T) int64, "items": (B, L, F + 1)}``; figures take a
        :class:`~netsmith.layers.writing.Judged`.
    """

    class Config(TaskConfig):
        """How answers are judged.

        Attributes:
            figures: What the places are.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tokens",)

        figures: Literal["order", "polygon"] = "order"

    reads_texts = True

    def __init__(self, config: Point.Config) -> None:
        super().__init__()
        self.config = config
        self._write = Write(Write.Config(figures=("exact",)))

    def loss(self, output: Tensor, target: Mapping[str, Tensor], weights: Tensor | None = None) -> Loss:
        return self._write.loss(output, target["written"], weights)

    def weights(self, target: Mapping[str, Tensor], weights: Tensor | None = None) -> Tensor:
        """Return how many tokens each answer has, times its weight."""
        return self._write.weights(target["written"], weights)

    def metrics(self) -> dict[str, Metric]:
        written = {name: _OfWritten(metric) for name, metric in self._write.metrics().items()}
        if self.config.figures == "order":
            return dict(written)
        return {
            "polygon": Ratio(_measured(_same)),
            "area": Ratio(_measured(_covered)),
            "simple": Ratio(_measured(_simple)),
            "perplexity": written["perplexity"],
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return, per answer ``(B, T)`` of tokens, its ``places``, counted from 0."""
        return [{"places": _places(row)} for row in output.tolist()]


class _OfWritten(Metric):
    """A figure of written texts, of whose targets there are others besides."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.higher_is_better = metric.higher_is_better
        self.unit = metric.unit

    def update(self, output: Judged, target: Mapping[str, Tensor]) -> None:
        self.metric.update(output, target["written"])

    def merge(self, other: _OfWritten) -> None:
        self.metric.merge(other.metric)

    def compute(self) -> float:
        return self.metric.compute()


_Judge = Callable[[list[list[float]], list[int], list[int]], tuple[float, int]]


def _measured(judge: _Judge) -> Callable[[Judged, Mapping[str, Tensor]], tuple[float, int]]:
    """Return the sum and the count of what is judged of each answer: points, the places found, the true ones."""

    def measure(output: Judged, target: Mapping[str, Tensor]) -> tuple[float, int]:
        assert output.tokens is not None
        items, there = split_set(target["items"])
        rows = zip(
            items.tolist(), there.sum(1).tolist(), output.tokens.tolist(), target["written"].tolist(), strict=True
        )
        found = [judge(points[:count], _places(own), _places(true)) for points, count, own, true in rows]
        return sum(value for value, _ in found), sum(count for _, count in found)

    return measure


def _same(points: list[list[float]], found: list[int], true: list[int]) -> tuple[float, int]:  # noqa: ARG001
    return float(same_cycle(found, true)), 1


def _covered(points: list[list[float]], found: list[int], true: list[int]) -> tuple[float, int]:  # noqa: ARG001
    return coverage(points, found) or 0.0, 1


def _simple(points: list[list[float]], found: list[int], true: list[int]) -> tuple[float, int]:  # noqa: ARG001
    return float(coverage(points, found) is not None), 1


def _places(numbers: list[int]) -> list[int]:
    """Return the places of an answer up to its end."""
    end = numbers.index(END_NUMBER) if END_NUMBER in numbers else len(numbers)
    return [number - END_NUMBER - 1 for number in numbers[:end] if number > END_NUMBER]
