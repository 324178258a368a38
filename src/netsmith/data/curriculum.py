"""A curriculum: examples in the order of their difficulty (Bengio, Louradour, Collobert & Weston 2009)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.data._arrays import FixedSource
from netsmith.engine.batch import Batch
from netsmith.engine.source import Source

__all__ = ["Curriculum", "Graded"]


@runtime_checkable
class Graded(Protocol):
    """A source that knows how difficult its examples are."""

    def difficulty(self, split: str) -> Tensor:
        """Return a number for each example of a split, ``(N,)``; larger is harder."""
        ...


class Curriculum(Source):
    r"""Begin with the easy examples and let harder ones in, epoch by epoch.

    In epoch e, the training examples among the easiest share

    .. math:: g(e) = \min(1, s + (1 - s) \, e / E)

    are in reach (``start`` s, ``full_epoch`` E: the pacing function), shuffled. Every epoch has as many batches as
    without a curriculum: where fewer examples are in reach, they come more often. ``by="hard"`` begins with the hardest
    (an anti-curriculum), ``by="random"`` with any: it differs from the curriculum in the order alone, and not in how
    many different examples have been seen. The order of a run is a pure function of its seed and the epoch.

    Raises:
        ConfigError: ``data`` does not know how difficult its examples are, or mixes them.
    """

    class Config(SourceConfig):
        """What, and at what pace.

        Attributes:
            data: A source that grades its examples (``shapes``); its batches stay.
            by: What comes first.
            start: Share in reach in the first epoch.
            full_epoch: From this epoch on all are in reach.
        """

        data: SourceConfig
        by: Literal["easy", "hard", "random"] = "easy"
        start: float = Field(default=0.2, gt=0, le=1)
        full_epoch: int = Field(default=10, ge=1)

    def __init__(self, config: Config) -> None:
        if getattr(config.data, "mixup", 0.0):
            raise ConfigError("mixup: an example would be mixed with ones that are not in reach yet; leave it out")
        inner = (config.data.derive(twin=True) if config.twin else config.data).build()
        if not isinstance(inner, FixedSource) or not isinstance(inner, Graded):
            raise ConfigError(
                f"curriculum needs examples whose difficulty is known (shapes, or a source of your own with "
                f"difficulty(split)); {config.data!r} does not say it"
            )
        self.config = config
        self.inner: Any = inner
        self.spec = inner.spec
        self._easy_first = torch.argsort(inner.difficulty("train"), stable=True)

    def share(self, epoch: int) -> float:
        """Return g(e), the share of the training examples in reach."""
        start = self.config.start
        return min(1.0, start + (1 - start) * epoch / self.config.full_epoch)

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the batches of an epoch."""
        plain = self.inner.order(split, seed=seed, epoch=epoch)
        if split != "train":
            return plain
        size = len(self._easy_first)
        reach = self._ranked(seed)[: math.ceil(self.share(epoch) * size - 1e-9)]
        wanted = sum(map(len, plain))
        generator = torch.Generator().manual_seed(named_key(seed, "curriculum", epoch))
        rounds = [reach[torch.randperm(len(reach), generator=generator)] for _ in range(-(-wanted // len(reach)))]
        return list(torch.cat(rounds)[:wanted].split([len(batch) for batch in plain]))

    def _ranked(self, seed: int) -> Tensor:
        """Return the training examples in the order in which they come into reach."""
        if self.config.by == "random":
            generator = torch.Generator().manual_seed(named_key(seed, "curriculum", "rank"))
            return torch.randperm(len(self._easy_first), generator=generator)
        return self._easy_first if self.config.by == "easy" else self._easy_first.flip(0)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples."""
        return self.inner.load(split, indices, key=key)

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees of some examples."""
        return self.inner.judged(split, indices)

    def raw(self, split: str, indices: Tensor) -> Tensor:
        """Return some examples as a user would hand them in, before preprocessing."""
        return self.inner.raw(split, indices)
