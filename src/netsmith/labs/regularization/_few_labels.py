"""A source of which only a few training examples keep their labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key as named_key
from netsmith.engine.batch import Batch
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED

__all__ = ["FewLabels"]


class FewLabels(Source):
    """Show labels of so many training examples of each class; the others have none.

    A training batch holds both kinds, in numbers of their own: of 20 labels among 1,000 examples a batch drawn from all
    would hold hardly one. Labeled examples come again as often as an epoch over the others needs them. ``dev`` and
    ``test`` are as they were.

    Args:
        inner: Where the examples come from.
        per_class: Labels of each class that are kept.
        labeled: Examples of a batch that have one.
        unlabeled: And that have none; 0 leaves those out altogether.
        seed: Which labels are kept.

    Raises:
        ConfigError: A class has fewer examples.
    """

    def __init__(self, inner: Source, *, per_class: int, labeled: int, unlabeled: int, seed: int) -> None:
        self.inner = inner
        self.spec = inner.spec
        split = inner.spec.split("train")
        assert split is not None
        targets = torch.cat([inner.load("train", at).targets for at in torch.arange(split.size).split(1000)])
        generator = torch.Generator().manual_seed(named_key(seed, "few labels"))
        order = torch.randperm(split.size, generator=generator)
        kept = []
        for label in range(len(inner.spec.outputs.names)):
            own = order[targets[order] == label]
            if len(own) < per_class:
                raise ConfigError(
                    f"per_class={per_class}: class {inner.spec.outputs.names[label]!r} has {len(own)} examples"
                )
            kept.append(own[:per_class])
        self._known = torch.cat(kept)
        self._is_known = torch.zeros(split.size, dtype=torch.bool)
        self._is_known[self._known] = True
        self._unknown = (~self._is_known).nonzero()[:, 0]
        self._sizes = labeled, unlabeled

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return batches of the labeled, then the unlabeled; an epoch passes over the unlabeled once (if any)."""
        if split != "train":
            return self.inner.order(split, seed=seed, epoch=epoch)
        labeled, unlabeled = self._sizes
        generator = torch.Generator().manual_seed(named_key(seed, "few labels", epoch))
        if unlabeled:
            shuffled = self._unknown[torch.randperm(len(self._unknown), generator=generator)]
            others = list(shuffled.split(unlabeled))[: max(1, len(shuffled) // unlabeled)]
        else:
            others = [self._unknown[:0]] * max(1, len(self._known) // labeled)
        rounds = -(-len(others) * labeled // len(self._known))
        again = [torch.randperm(len(self._known), generator=generator) for _ in range(rounds)]
        known = self._known[torch.cat(again)].split(labeled)
        return [torch.cat(pair) for pair in zip(known, others, strict=False)]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples, without the labels that are hidden."""
        batch = self.inner.load(split, indices, key=key)
        if split != "train":
            return batch
        targets = torch.where(self._is_known[indices], batch.targets, UNLABELED)
        return Batch(batch.inputs, targets, batch.keys, batch.indices, batch.weights)
