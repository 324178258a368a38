"""Sources of examples that are drawn from their keys: every epoch has fresh ones, tests are always the same."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import PositiveInt
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source, cut_batches

__all__ = ["KeyedFields", "KeyedSizes", "KeyedSource"]


class KeyedSizes(SourceConfig):
    """Abstract: the sizes of a source that is drawn; a subclass says how many are for evaluation.

    Attributes:
        batch: Examples per batch.
        batches: Training batches that make up an epoch.
        evaluation_batch: Examples per dev or test batch.
        twin: The same examples, 8 batches an epoch and ``twin_size`` for evaluation.
    """

    twin_size: ClassVar[int] = 200

    batch: PositiveInt = 64
    batches: PositiveInt = 100
    evaluation_batch: PositiveInt = 500

    @property
    @abc.abstractmethod
    def evaluated(self) -> int:
        """Examples in the dev and in the test split."""


class KeyedFields(KeyedSizes):
    """The sizes of a source whose examples are drawn one by one.

    Attributes:
        evaluation_size: Examples in the dev and in the test split.
    """

    evaluation_size: PositiveInt = 1_000

    @property
    def evaluated(self) -> int:
        """Examples in the dev and in the test split."""
        return self.evaluation_size


class KeyedSource(Source):
    """Abstract: an example is a pure function of its key.

    Args:
        config: The sizes.
        dataset: Name of the data set.
        inputs: What goes in.
        outputs: What comes out.
    """

    def __init__(self, config: KeyedSizes, *, dataset: str, inputs: Inputs, outputs: Outputs) -> None:
        self.config = config
        evaluation = config.twin_size if config.twin else config.evaluated
        train = config.batch * (8 if config.twin else config.batches)
        drawn, whose = ("tasks drawn", "their") if config.gives == "tasks" else ("drawn", "its")
        self.spec = Spec(
            dataset=dataset,
            inputs=inputs,
            outputs=outputs,
            splits=(
                Split(name="train", size=train, made=f"{drawn} anew each epoch"),
                Split(name="dev", size=evaluation, made=f"{drawn} from {whose} own key"),
                Split(name="test", size=evaluation, made=f"{drawn} from {whose} own key"),
            ),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:  # noqa: ARG002
        found = self.spec.split(split)
        assert found is not None
        batch = self.config.batch if split == "train" else self.config.evaluation_batch
        # Training examples are independent draws: an order of their own would add nothing.
        return cut_batches(found.size, batch, seed=None, epoch=epoch, drop_last=False)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        base = named_key(0 if key is None or split != "train" else key, self.spec.dataset, split)
        keys = example_keys(base, indices)
        inputs, targets = self._draw(keys, training=split == "train")
        return Batch(inputs=inputs, targets=targets, keys=keys, indices=indices)

    @abc.abstractmethod
    def _draw(self, keys: Tensor, *, training: bool) -> tuple[Any, Any]:
        """Return the inputs and targets of ``(B,)`` keys, for training or for an evaluation."""
