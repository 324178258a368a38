"""Many examples, few labels: a training set of which most labels are hidden."""

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
from netsmith.data.class_subset import some_of_each
from netsmith.engine.batch import Batch
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED

__all__ = ["FewLabels"]


class FewLabels(Source):
    """Hide the labels of a training set but for some of each class: semi-supervised learning on data whose truth is
    known.

    A hidden label is ``UNLABELED``. Each training batch holds ``labeled_batch`` examples with labels and as many
    without as the data's own batch size; an epoch passes over those without labels once, and over those with labels as
    often as it takes. Dev and test keep their labels, and so does the training split where it is judged.

    Raises:
        ConfigError: ``data`` has no classes, fewer than ``per_class`` examples of one, or ``labeled_batch`` is more
            than are kept, or no label would be hidden.
    """

    class Config(SourceConfig):
        """Which labels are kept.

        Attributes:
            data: Where the examples come from; its batch size is that of the examples without labels.
            per_class: Labels of each class that are kept.
            labeled_batch: Examples with labels in each batch.
            seed: Which labels are kept.
        """

        data: SourceConfig
        per_class: int = Field(default=10, ge=1)
        labeled_batch: int = Field(default=32, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: Config) -> None:
        if getattr(config.data, "mixup", 0.0):
            raise ConfigError("mixup: a mixed label would show hidden ones; leave it out")
        inner = (config.data.derive(twin=True) if config.twin else config.data).build()
        if not isinstance(inner, FixedSource) or inner.spec.outputs.kind != "classes":
            raise ConfigError(f"few_labels hides labels of classes; {config.data!r} has none")
        self.config = config
        self.inner = inner
        labels = inner._parts["train"].targets
        names = inner.spec.outputs.names or tuple(map(str, range(inner.spec.outputs.size)))
        self.labeled = some_of_each(labels, config.per_class, names=names, seed=config.seed)
        if len(self.labeled) < config.labeled_batch:
            raise ConfigError(
                f"labeled_batch={config.labeled_batch}, but per_class={config.per_class} keeps {len(self.labeled)} "
                f"labels; set labeled_batch to at most {len(self.labeled)}, or keep more"
            )
        self._known = torch.zeros(len(labels), dtype=torch.bool)
        self._known[self.labeled] = True
        self.unlabeled = torch.nonzero(~self._known)[:, 0]
        if not len(self.unlabeled):
            raise ConfigError(
                f"per_class={config.per_class} keeps all {len(labels)} labels of {inner.spec.dataset}; give fewer, or "
                "take the data as they are"
            )
        mark = f"{len(self.labeled)} labels kept"
        train = inner.spec.splits[0]
        hidden = hashlib.sha256(f"{train.sha256} {self.labeled.tolist()}".encode()).hexdigest()
        splits = (train.derive(made=f"{train.made}, {mark}", sha256=hidden), *inner.spec.splits[1:])
        self.spec = inner.spec.derive(dataset=f"{inner.spec.dataset} ({mark})", splits=splits)

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the batches of an epoch, labeled examples first in each."""
        if split != "train":
            return self.inner.order(split, seed=seed, epoch=epoch)
        generator = torch.Generator().manual_seed(named_key(seed, "order", epoch))
        size = self.inner.config.batch
        others = list(self.unlabeled[torch.randperm(len(self.unlabeled), generator=generator)].split(size))
        if len(others) > 1 and len(others[-1]) < size:
            others.pop()
        count = self.config.labeled_batch
        rounds = -(-len(others) * count // len(self.labeled))
        known = torch.cat([torch.randperm(len(self.labeled), generator=generator) for _ in range(rounds)])
        return [torch.cat([self.labeled[known[n * count :][:count]], other]) for n, other in enumerate(others)]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples; in training, with the labels that are kept."""
        batch = self.inner.load(split, indices, key=key)
        if split != "train":
            return batch
        return dataclasses.replace(batch, targets=batch.targets.where(self._known[indices], UNLABELED))

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees: all labels."""
        return self.inner.judged(split, indices)

    def raw(self, split: str, indices: Tensor) -> Tensor:
        """Return some examples as a user would hand them in, before preprocessing."""
        return self.inner.raw(split, indices)
