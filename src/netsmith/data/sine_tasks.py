"""Few-shot regression of sine waves: an example is a whole task (Finn, Abbeel & Levine 2017, section 5.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.roles import Batches, SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.engine.source import Source, cut_batches

__all__ = ["SineTasks"]


class SineTasks(Source):
    r"""Draw tasks: each a sine wave of its own, known at a few points and asked for at others.

    .. math:: y = A \sin(x - \varphi), \quad
        A \sim U(0.1, 5), \; \varphi \sim U(0, \pi), \; x \sim U(-5, 5)

    A task is a pure function of its key: every epoch has fresh ones, the dev and test tasks are always the same.

    Batches hold ``inputs = {"support": (B, K, 1), "support_targets": (B, K, 1), "query": (B, Q, 1)}`` and ``targets``
    ``(B, Q, 1)``, all float32; B counts tasks.
    """

    class Config(SourceConfig):
        """The distribution of tasks and the sizes.

        Attributes:
            shots: K, points given per task.
            queries: Q, points asked for per training task.
            evaluation_queries: Points asked for per dev or test task.
            batch: Tasks per batch.
            batches: Training batches that make up an epoch.
            evaluation_tasks: Tasks in the dev and in the test split.
            evaluation_batch: Tasks per dev or test batch.
            twin: The same tasks, 100 of them for evaluation and 8 batches an epoch.
        """

        gives: ClassVar[Batches] = "tasks"

        shots: PositiveInt = 10
        queries: PositiveInt = 10
        evaluation_queries: PositiveInt = 100
        batch: PositiveInt = 25
        batches: PositiveInt = 1_000
        evaluation_tasks: PositiveInt = 1_000
        evaluation_batch: PositiveInt = 100

    def __init__(self, config: SineTasks.Config) -> None:
        self.config = config
        evaluation = 100 if config.twin else config.evaluation_tasks
        self.spec = Spec(
            dataset="sine_tasks",
            inputs=Inputs(kind="table", shape=(1,), columns=("x",), low=-5.0, high=5.0),
            outputs=Outputs(kind="values", names=("y",)),
            splits=(
                Split(
                    name="train",
                    size=config.batch * (8 if config.twin else config.batches),
                    made="tasks drawn anew each epoch",
                ),
                Split(name="dev", size=evaluation, made="tasks drawn from their own key"),
                Split(name="test", size=evaluation, made="tasks drawn from their own key"),
            ),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:  # noqa: ARG002
        found = self.spec.split(split)
        assert found is not None
        batch = self.config.batch if split == "train" else self.config.evaluation_batch
        # Tasks are independent draws: an order of their own would add nothing.
        return cut_batches(found.size, batch, seed=None, epoch=epoch, drop_last=False)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        training = split == "train"
        base = named_key(key if training and key is not None else 0, "sine_tasks", split)
        keys = example_keys(base, indices)
        shots = self.config.shots
        queries = self.config.queries if training else self.config.evaluation_queries
        amplitude = 0.1 + 4.9 * keyed_uniform(keys, 1, 1, stream="amplitude")  # (B, 1, 1)
        phase = math.pi * keyed_uniform(keys, 1, 1, stream="phase")
        x = 10.0 * keyed_uniform(keys, shots + queries, 1, stream="x") - 5.0  # (B, K + Q, 1)
        y = (amplitude * torch.sin(x - phase)).float()
        x = x.float()
        return Batch(
            inputs={"support": x[:, :shots], "support_targets": y[:, :shots], "query": x[:, shots:]},
            targets=y[:, shots:],
            keys=keys,
            indices=indices,
        )
