"""What ``next(feed)`` gives: batches in an order that depends on the seed and the position alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from netsmith.core.errors import ConfigError, NetsmithError
from netsmith.core.keys import key
from netsmith.engine.batch import Batch
from netsmith.engine.ranks import Ranks
from netsmith.engine.source import Act, LiveSource, Source

__all__ = ["LiveFeed", "MapFeed", "Move", "evaluation_batches"]

Move = Callable[[Batch], Batch]
"""Puts a batch on the device, in the precision and memory format of the run."""


class _Loads(Dataset[Any]):
    """Lets loader processes call the source: an item is (key, indices)."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __getitems__(self, item: tuple[int, Any]) -> Batch | _Failure:
        try:
            return self.source.load("train", torch.from_numpy(item[1]), key=item[0])
        except NetsmithError as error:
            return _Failure(type(error), str(error))

    def __getitem__(self, item: Any) -> Batch | _Failure:
        return self.__getitems__(item)


class _Failure(NamedTuple):
    """An error on its way out of a loader process: torch would drown its line in a traceback."""

    kind: type[NetsmithError]
    text: str

    def error(self) -> NetsmithError:
        return self.kind.__new__(self.kind, self.text)


def _as_it_is(batch: Any) -> Any:
    return batch


class MapFeed:
    """Training batches of a fixed set of examples; ``position`` counts those that were taken.

    Args:
        source: Where they come from.
        seed: The run's seed.
        workers: Loader processes; the batches do not depend on their number.
        ranks: Each rank loads its share of every batch.
        move: Puts a batch where the run wants it.
    """

    def __init__(self, source: Source, *, seed: int, workers: int, ranks: Ranks, move: Move) -> None:
        self.source = source
        self.seed = seed
        self.workers = workers
        self.ranks = ranks
        self.move = move
        self.position = 0
        self._epoch = -1
        self._order: Sequence[Tensor] = ()
        self._key = 0
        self._loader: Iterator[Batch | _Failure] | None = None

    def _at(self, position: int) -> tuple[int, Tensor]:
        length = len(self._order) or len(self.source.order("train", seed=self.seed, epoch=0))
        if length == 0:
            raise ConfigError("the training split has no examples; there is nothing to learn from")
        epoch = position // length
        if epoch != self._epoch:
            self._order = self.source.order("train", seed=self.seed, epoch=epoch)
            self._key = key(self.seed, "augment", epoch)
            self._epoch = epoch
        indices = self._order[position % length]
        if self.ranks.world == 1:
            return self._key, indices
        start, stop = self.ranks.share(len(indices))
        return self._key, indices[start:stop]

    def __iter__(self) -> MapFeed:
        return self

    def __next__(self) -> Batch:
        if self.workers:
            if self._loader is None:
                self._loader = iter(self._start())
            batch = next(self._loader)
            if isinstance(batch, _Failure):
                raise batch.error()
        else:
            base, indices = self._at(self.position)
            batch = self.source.load("train", indices, key=base)
        self.position += 1
        return self.move(batch)

    def _start(self) -> DataLoader[Any]:
        def places() -> Iterator[tuple[int, Any]]:
            # Arrays, not tensors: those would travel through shared memory, served by a thread of this process, and a
            # process forked from this one later would wait for that thread for ever.
            position = self.position
            while True:
                base, indices = self._at(position)
                yield base, indices.numpy()
                position += 1

        return DataLoader(
            _Loads(self.source),
            batch_sampler=_Endless(places),  # type: ignore[arg-type]
            num_workers=self.workers,
            collate_fn=_as_it_is,
            generator=torch.Generator().manual_seed(0),
        )

    def close(self) -> None:
        """Stop the loader processes."""
        self._loader = None


class _Endless:
    """An iterable of index batches that starts at the feed's position."""

    def __init__(self, places: Callable[[], Iterator[tuple[int, Any]]]) -> None:
        self.places = places

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        return self.places()


class LiveFeed:
    """Batches of a live source, played with the method's policy of the moment."""

    def __init__(self, source: LiveSource, act: Act, *, seed: int, ranks: Ranks, move: Move) -> None:
        self.source = source
        self.act = act
        self.seed = seed
        self.ranks = ranks
        self.move = move
        self.position = 0

    def __iter__(self) -> LiveFeed:
        return self

    def __next__(self) -> Batch:
        part = (self.ranks.rank, self.ranks.world)
        with torch.no_grad():
            batch = self.source.next(self.act, key=key(self.seed, "live"), part=part)
        self.position += 1
        return self.move(batch)

    def close(self) -> None:
        """Do nothing; there are no loader processes."""


def evaluation_batches(
    source: Source | LiveSource, act: Act, *, split: str, seed: int, ranks: Ranks, move: Move
) -> Iterator[Batch]:
    """Yield this rank's share of a split's batches, without augmentation."""
    if isinstance(source, LiveSource):
        if ranks.first:
            for batch in source.episodes(act, split=split, key=key(seed, "episodes", split)):
                yield move(batch)
        return
    for number, indices in enumerate(source.order(split, seed=seed, epoch=0)):
        if (0 if source.in_order else number % ranks.world) == ranks.rank:
            yield move(source.judged(split, indices))
