"""Sources of drawn sets whose answer is a list of places in them: what pointer networks learn from."""

from __future__ import annotations

import abc
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs
from netsmith.data._keyed import KeyedFields, KeyedSource
from netsmith.engine.random import keyed_uniform
from netsmith.engine.task import UNLABELED
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.sets import pad_sets

__all__ = ["PlaceFields", "PlaceSource"]


class PlaceFields(KeyedFields):
    """How many elements a set has.

    Attributes:
        least: The fewest.
        most: The most; each number between is as likely.
    """

    least: int = Field(default=5, ge=1, le=1000)
    most: int = Field(default=10, ge=1, le=1000)
    batch: int = Field(default=128, ge=1)

    @model_validator(mode="after")
    def _check(self) -> PlaceFields:
        if self.most < self.least:
            raise ValueError(f"most={self.most} is below least={self.least}")
        return self


class PlaceSource(KeyedSource):
    """Abstract: sets of rows of numbers from U(0, 1), and the places that are the answer.

    Inputs are ``source``, the padded set ``(B, L, F + 1)`` of :func:`~netsmith.layers.sets.pad_sets`, and ``written``
    ``(B, T)``, what stands before each target. The number of place k is k + 3, behind padding, unknown and the end.
    Targets are ``written`` ``(B, T)``, the places and the end, and ``items``, the set again: whether places are right
    may depend on what lies there.

    Args:
        config: The sizes.
        dataset: Name of the data set.
        columns: Names of a row's numbers.
    """

    def __init__(self, config: PlaceFields, *, dataset: str, columns: tuple[str, ...]) -> None:
        self.form = config
        inputs = Inputs(
            kind="set",
            shape=(-1, len(columns)),
            low=0.0,
            high=1.0,
            columns=columns,
            max_length=config.most,
        )
        super().__init__(
            config, dataset=dataset, inputs=inputs, outputs=Outputs(kind="tokens", longest=config.most + 1)
        )

    def _draw(self, keys: Tensor, *, training: bool) -> tuple[Any, Any]:  # noqa: ARG002
        form, features = self.form, self.spec.inputs.shape[1]
        span = form.most - form.least + 1
        counts = form.least + (keyed_uniform(keys, stream="count") * span).long().clamp(max=span - 1)
        drawn = keyed_uniform(keys, form.most, features, stream="set").float()
        sets = [rows[:count] for rows, count in zip(drawn, counts.tolist(), strict=True)]
        answers = [self._answer(rows) for rows in sets]
        length = max(map(len, answers)) + 1
        written = torch.zeros(len(keys), length, dtype=torch.int64)
        targets = torch.full_like(written, UNLABELED)
        written[:, 0] = END_NUMBER
        for row, places in enumerate(answers):
            numbers = torch.tensor(places) + END_NUMBER + 1
            written[row, 1 : len(places) + 1] = numbers
            targets[row, : len(places) + 1] = torch.cat([numbers, torch.tensor([END_NUMBER])])
        items = pad_sets(sets)
        return {"source": items, "written": written}, {"written": targets, "items": items}

    @abc.abstractmethod
    def _answer(self, rows: Tensor) -> list[int]:
        """Return the places, in their order, for a set ``(N, F)``."""
