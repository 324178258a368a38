"""Few-shot regression of sine waves: an example is a whole task (Finn, Abbeel & Levine 2017, section 5.1)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from netsmith.core.roles import Batches
from netsmith.core.spec import Inputs, Outputs
from netsmith.data._keyed import KeyedSizes, KeyedSource
from netsmith.engine.random import keyed_uniform

__all__ = ["SineTasks"]


class SineTasks(KeyedSource):
    r"""Draw tasks: each a sine wave of its own, known at a few points and asked for at others.

    .. math:: y = A \sin(x - \varphi), \quad
        A \sim U(0.1, 5), \; \varphi \sim U(0, \pi), \; x \sim U(-5, 5)

    A task is a pure function of its key: every epoch has fresh ones, the dev and test tasks are always the same.

    Batches hold ``inputs = {"support": (B, K, 1), "support_targets": (B, K, 1), "query": (B, Q, 1)}`` and ``targets``
    ``(B, Q, 1)``, all float32; B counts tasks.
    """

    class Config(KeyedSizes):
        """The distribution of tasks and the sizes.

        Attributes:
            shots: K, points given per task.
            queries: Q, points asked for per training task.
            evaluation_queries: Points asked for per dev or test task.
            evaluation_tasks: Tasks in the dev and in the test split.
        """

        gives: ClassVar[Batches] = "tasks"
        twin_size: ClassVar[int] = 100

        shots: PositiveInt = 10
        queries: PositiveInt = 10
        evaluation_queries: PositiveInt = 100
        batch: PositiveInt = 25
        batches: PositiveInt = 1_000
        evaluation_tasks: PositiveInt = 1_000
        evaluation_batch: PositiveInt = 100

        @property
        def evaluated(self) -> int:
            """Tasks in the dev and in the test split."""
            return self.evaluation_tasks

    def __init__(self, config: SineTasks.Config) -> None:
        super().__init__(
            config,
            dataset="sine_tasks",
            inputs=Inputs(kind="table", shape=(1,), columns=("x",), low=-5.0, high=5.0),
            outputs=Outputs(kind="values", names=("y",)),
        )
        self.form = config

    def _draw(self, keys: Tensor, *, training: bool) -> tuple[dict[str, Tensor], Tensor]:
        shots = self.form.shots
        queries = self.form.queries if training else self.form.evaluation_queries
        amplitude = 0.1 + 4.9 * keyed_uniform(keys, 1, 1, stream="amplitude")  # (B, 1, 1)
        phase = math.pi * keyed_uniform(keys, 1, 1, stream="phase")
        x = 10.0 * keyed_uniform(keys, shots + queries, 1, stream="x") - 5.0  # (B, K + Q, 1)
        y = (amplitude * torch.sin(x - phase)).float()
        x = x.float()
        inputs = {"support": x[:, :shots], "support_targets": y[:, :shots], "query": x[:, shots:]}
        return inputs, y[:, shots:]
