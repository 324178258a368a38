"""A sequence of tasks made from one set of images: in each, the pixels stand in another fixed order."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.data._arrays import FixedSource
from netsmith.engine.batch import Batch, Views
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source

__all__ = ["PermutedTasks"]


class PermutedTasks(Source):
    """Permuted MNIST, of any images: tasks of equal difficulty for a network without convolutions, one after another.

    Goodfellow et al. 2013 (arXiv:1312.6211); Kirkpatrick et al. 2017 (arXiv:1612.00796, section 2.2). The first task
    has the images as they are; in each further one all pixels of all images change places by one permutation, drawn
    from ``seed``. Labels stay. Augmentation comes before.

    Each task is trained for ``epochs_each`` epochs of its own, then the next one; after the last one the first begins
    again. A split holds the tasks one after another: example i of task t is at ``t * n + i``. Evaluation is over all
    tasks. What is predicted for a raw image is the answer of the first task.

    Raises:
        ConfigError: ``data`` gives no images, or no fixed set of examples.
    """

    class Config(SourceConfig):
        """Which images, how often.

        Attributes:
            data: The images; its batches stay.
            tasks: How many there are.
            epochs_each: Epochs of each before the next begins.
            seed: Of the permutations.
        """

        data: SourceConfig
        tasks: int = Field(default=5, ge=2, le=1000)
        epochs_each: int = Field(default=1, ge=1)
        seed: int = Field(default=0, ge=0)

        @property
        def whole_run(self) -> int:
            """Epochs of all tasks, one after another."""
            return self.tasks * self.epochs_each

    def __init__(self, config: Config) -> None:
        data = config.data.derive(twin=True) if config.twin else config.data
        inner = data.build()
        if not isinstance(inner, FixedSource) or inner.spec.inputs.kind != "image" or min(inner.spec.inputs.shape) < 1:
            raise ConfigError(f"permuted_tasks permutes the pixels of images of one size; {config.data!r} gives none")
        self.config = config
        self.inner = inner
        pixels = inner.spec.inputs.shape[1] * inner.spec.inputs.shape[2]
        self.permutations = torch.stack([_permutation(config, task, pixels) for task in range(config.tasks)])  # (T, P)
        mark = f"{config.tasks} permutations of seed {config.seed}"
        splits = tuple(
            split.derive(
                size=split.size * config.tasks,
                made=f"{split.made}, {mark}",
                sha256=hashlib.sha256(f"{split.sha256} {mark}".encode()).hexdigest(),
            )
            for split in inner.spec.splits
        )
        self.spec = inner.spec.derive(dataset=f"permuted {inner.spec.dataset}", splits=splits)

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the batches of one task's epoch; for evaluation those of all tasks."""
        size = self._size(split)
        if split != "train":
            batches = self.inner.order(split, seed=seed, epoch=0)
            return [batch + task * size for task in range(self.config.tasks) for batch in batches]
        task = epoch // self.config.epochs_each % self.config.tasks
        return [batch + task * size for batch in self.inner.order("train", seed=seed, epoch=epoch)]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples, each in the order of its task's pixels."""
        size = self._size(split)
        plain = self.inner.load(split, indices % size, key=key)
        keys = example_keys(0 if key is None else key, indices)
        return dataclasses.replace(plain, inputs=self._moved(plain.inputs, indices // size), keys=keys, indices=indices)

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees of some examples, each in the order of its task's pixels."""
        size = self._size(split)
        plain, tasks = self.inner.judged(split, indices % size), indices // size
        if isinstance(plain.inputs, Views):
            each = plain.inputs.each  # (B, V, C, H, W)
            moved = self._moved(each.flatten(0, 1), tasks.repeat_interleave(each.shape[1]))
            inputs: Tensor | Views = Views(moved.view(each.shape))
        else:
            inputs = self._moved(plain.inputs, tasks)
        return dataclasses.replace(plain, inputs=inputs, keys=example_keys(0, indices), indices=indices)

    def raw(self, split: str, indices: Tensor) -> Tensor:
        """Return some examples before preprocessing, each in the order of its task's pixels."""
        size = self._size(split)
        return self._moved(self.inner.raw(split, indices % size), indices // size)

    def _moved(self, images: Tensor, tasks: Tensor) -> Tensor:
        rows = images.flatten(2)  # (B, C, P)
        return rows.gather(2, self.permutations[tasks][:, None].expand(rows.shape)).view(images.shape)

    def _size(self, split: str) -> int:
        found = self.inner.spec.split(split)
        if found is None:
            raise ConfigError(f"{self.spec.dataset} has no split {split!r}; expected {', '.join(self.splits())}")
        return found.size


def _permutation(config: PermutedTasks.Config, task: int, pixels: int) -> Tensor:
    if not task:
        return torch.arange(pixels)
    return torch.randperm(pixels, generator=torch.Generator().manual_seed(named_key(config.seed, "permutation", task)))
