"""What word vectors know: analogies they complete, and how their cosines go with people's judgments."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.keys import key
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task
from netsmith.layers.reading import UNKNOWN_NUMBER

__all__ = ["Analogies", "Known", "RankCorrelation", "WordRelations", "set_number"]

_WORDS = 4  # of an analogy; a pair has two


class WordRelations(Task):
    r"""Answer the standard questions to word vectors, those whose words are all known.

    *a is to b as c is to d* (Mikolov et al. 2013, arXiv:1301.3781, section 4): right if, of all words but a, b and c, d
    has the largest cosine with :math:`b - a + c` of unit vectors. The figure ``analogies`` is the share of right ones;
    each kind (``semantic``, ``syntactic``) has its own too. Pairs that people judged give Spearman's rank correlation
    between cosines and judgments, a figure for each collection. Beside each stands how many questions had all their
    words known (``ws353_known``), which is what it is over.

    Shapes:
        Output ``(B, V)``, cosines of every word with what was asked; target ``(questions, scores)``: ``(B, 5)`` int64,
        the collection's number (:func:`set_number`) and its words (of a pair the first two, 0 behind), and ``(B,)``.

    Raises:
        UnsupportedError: A loss is asked for: the model has it.
        DataError: Output and targets are not of those shapes.
    """

    class Config(TaskConfig):
        """Which collections have figures.

        Attributes:
            analogies: Kinds of analogies.
            similarity: Collections of pairs.
            near: How many words a prediction shows.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("embedding",)

        analogies: tuple[str, ...] = ("semantic", "syntactic")
        similarity: tuple[str, ...] = ("men", "ws353")
        near: int = Field(default=10, ge=1)

    def __init__(self, config: WordRelations.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Any, target: Any, weights: Tensor | None = None) -> Loss:  # noqa: ARG002
        raise UnsupportedError("questions to word vectors have no loss; learn them with the method word_vectors")

    def metrics(self) -> dict[str, Metric]:
        kinds, sets = self.config.analogies, self.config.similarity
        found: dict[str, Metric] = {"analogies": Analogies(kinds), "analogies_known": Known(kinds)} if kinds else {}
        for name in kinds if len(kinds) > 1 else ():
            found |= {name: Analogies([name]), f"{name}_known": Known([name])}
        for name in sets:
            found |= {name: RankCorrelation(name), f"{name}_known": Known([name])}
        return found

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return the nearest words with their cosines (falling), a word that was asked for among them."""
        words, names = output[:, UNKNOWN_NUMBER + 1 :], outputs.names[UNKNOWN_NUMBER + 1 :]
        values, order = words.topk(min(self.config.near, words.shape[1]))
        return [
            {"near": {names[place]: value for place, value in zip(places, row, strict=True)}}
            for places, row in zip(order.tolist(), values.tolist(), strict=True)
        ]


def set_number(name: str) -> int:
    """Return the number that stands for a collection of questions.

    Example:
        >>> set_number("men") == set_number("men") != set_number("ws353")
        True
    """
    return key(0, "questions", name)


class Analogies(Ratio):
    """The share of analogies that are completed, of some kinds, over those whose four words are known."""

    def __init__(self, kinds: tuple[str, ...] | list[str]) -> None:
        super().__init__(lambda output, target: _completed(output, target, kinds))


class Known(Ratio):
    """How many questions of some collections have all their words known."""

    unit = "questions"

    def __init__(self, names: tuple[str, ...] | list[str]) -> None:
        super().__init__(lambda output, target: (_chosen(output, target, names).sum(), 1), unit="questions")

    def compute(self) -> float:
        """Return the number."""
        return self.total


class RankCorrelation(Metric):
    """Spearman's correlation between cosines and people's scores of pairs, ties at their mean rank.

    Example:
        >>> correlation = RankCorrelation("men")
        >>> words = torch.tensor([[set_number("men"), 2, other, 0, 0] for other in (3, 4, 5)])
        >>> cosines = torch.tensor([[0, 0, 1, 0.9, 0.5, 0.1]]).expand(3, 6)
        >>> correlation.update(cosines, (words, torch.tensor([10.0, 2.0, 7.0])))
        >>> round(correlation.compute(), 6)
        0.5
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pairs: list[tuple[float, float]] = []

    def update(self, output: Tensor, target: tuple[Tensor, Tensor]) -> None:
        rows = _chosen(output, target, [self.name])
        cosines = output[rows].gather(1, target[0][rows, 2:3])[:, 0]
        self.pairs += zip(cosines.tolist(), target[1][rows].tolist(), strict=True)

    def merge(self, other: RankCorrelation) -> None:
        self.pairs += other.pairs

    def compute(self) -> float:
        """Return the correlation; NaN where fewer than two pairs are known, or all are equal."""
        if len(self.pairs) < 2:
            return float("nan")
        first, second = (_ranks(column) for column in torch.tensor(self.pairs, dtype=torch.float64).unbind(1))
        first, second = first - first.mean(), second - second.mean()
        return float((first @ second) / (first.norm() * second.norm()))


def _ranks(values: Tensor) -> Tensor:
    """Return the rank of each value, equal ones their mean rank."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0) - (counts - 1) / 2)[inverse].double()


def _chosen(output: Tensor, target: Any, names: tuple[str, ...] | list[str]) -> Tensor:
    """Return which rows, ``(B,)``, are questions of some collections with all words known."""
    questions = target[0]
    if output.dim() != 2 or questions.shape != (len(output), 1 + _WORDS) or target[1].shape != output.shape[:1]:
        raise DataError(
            f"expected a cosine with each word, questions of 5 numbers and a score: got {tuple(output.shape)}, "
            f"{tuple(questions.shape)} and {tuple(target[1].shape)}"
        )
    numbers = torch.tensor([set_number(name) for name in names], device=questions.device)
    return torch.isin(questions[:, 0], numbers) & (questions[:, 1:] != UNKNOWN_NUMBER).all(1)


def _completed(output: Tensor, target: Any, kinds: tuple[str, ...] | list[str]) -> tuple[Tensor, Tensor]:
    """Return how many analogies are completed, and of how many."""
    rows = _chosen(output, target, kinds)
    questions = target[0][rows, 1:]  # (M, 4)
    barred = output[rows].scatter(1, questions[:, :3], -torch.inf)  # (M, V)
    barred[:, : UNKNOWN_NUMBER + 1] = -torch.inf
    return (barred.argmax(1) == questions[:, 3]).sum(), rows.sum()
