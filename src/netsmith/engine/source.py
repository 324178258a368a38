"""Where batches come from: a source of a fixed set of examples, or a live one that answers actions."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch

__all__ = ["Act", "LiveSource", "Source", "TextCollection", "cut_batches"]

Act = Callable[[Any, Tensor | None], Tensor]
"""``act(observations, noise) -> actions``, greedy without noise: see :meth:`netsmith.engine.method.Method.act`."""


class Source(abc.ABC):
    """A fixed set of examples; ``order`` and ``load`` are pure functions, which is what makes a resume exact.

    Attributes:
        spec: What goes in and what comes out, fitted on the training split only.
    """

    spec: Spec

    @abc.abstractmethod
    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the index batches of an epoch: a pure function of (seed, epoch).

        Args:
            split: ``train``, ``dev`` or ``test``; others than ``train`` are in their natural order.
            seed: The seed of the run.
            epoch: 0, 1, ...
        """

    in_order: ClassVar[bool] = False
    """Whether batches of an evaluation go on from each other: one rank judges them all."""

    @abc.abstractmethod
    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some examples.

        Args:
            split: ``train``, ``dev`` or ``test``.
            indices: ``(B,)`` int64.
            key: The key of (seed, epoch) for augmentation, or None for the plain examples.
        """

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Return what evaluation sees of some examples: by default what :meth:`load` returns.

        A source whose examples are looked at several times returns :class:`~netsmith.engine.batch.Views` of them.
        """
        return self.load(split, indices)

    def splits(self) -> list[str]:
        """Return the names of the splits that exist."""
        return [split.name for split in self.spec.splits]


@runtime_checkable
class TextCollection(Protocol):
    """A source whose texts tell something, whether they are judged or not."""

    def collection(self) -> Iterable[Tensor]:
        """Return the token numbers of each document of the training part, ``(l,)`` int64."""
        ...


class LiveSource(abc.ABC):
    """An environment that answers actions.

    Its state is the reset key and the actions since, replayed on :meth:`restore`, so a resume is exact.
    """

    spec: Spec

    @abc.abstractmethod
    def next(self, act: Act, *, key: int, part: tuple[int, int]) -> Batch:
        """Act for a while and return what happened.

        Args:
            act: The method's policy.
            key: The key of the run, the same at every call: resets and the noise of actions derive from it.
            part: ``(rank, world)``: this process plays its share of the environments.
        """

    @abc.abstractmethod
    def episodes(self, act: Act, *, split: str, key: int) -> Iterator[Batch]:
        """Play whole episodes for evaluation; the batches hold what the task's metrics take as targets."""

    @abc.abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""

    @abc.abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where :meth:`state` was taken."""

    def splits(self) -> list[str]:
        """Return the names of the splits that exist."""
        return ["test"]


def cut_batches(size: int, batch: int, *, seed: int | None, epoch: int, drop_last: bool) -> list[Tensor]:
    """Return index batches of ``range(size)``: shuffled by (seed, epoch), or in order where ``seed`` is None.

    Args:
        size: Number of examples.
        batch: Batch size; a set smaller than one batch gives one smaller batch.
        seed: The seed of the shuffle, or None.
        epoch: The epoch of the shuffle.
        drop_last: Leave out a last batch that is not full.

    Example:
        >>> [b.tolist() for b in cut_batches(5, 2, seed=None, epoch=0, drop_last=False)]
        [[0, 1], [2, 3], [4]]
    """
    if seed is None:
        order = torch.arange(size)
    else:
        generator = torch.Generator().manual_seed(named_key(seed, "order", epoch))
        order = torch.randperm(size, generator=generator)
    batches = list(order.split(batch))
    if drop_last and len(batches) > 1 and len(batches[-1]) < batch:
        batches.pop()
    return batches
