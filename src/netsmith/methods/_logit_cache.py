"""The teacher's answers, kept in memory: what comes again unchanged is not asked again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError
from netsmith.core.keys import key
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.random import example_keys

__all__ = ["LogitCache", "SharedAnswers", "fingerprints"]


def fingerprints(inputs: Any) -> Tensor:
    """Return ``(B,)`` int64 hashes of the bits of each example's inputs.

    A sum of 64-bit products with fixed odd numbers: a change of one number is always seen, of several it is missed with
    a chance of about 2^-32 or less.

    Args:
        inputs: A tensor, or a tree of tensors.
    """
    parts: list[Tensor] = []

    def add(tensor: Tensor) -> None:
        rows = tensor.detach().contiguous().flatten(1) if tensor.dim() > 1 else tensor.detach()[:, None]
        words = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.uint8}[rows.element_size()]
        bits = rows.view(words).to(torch.int64)
        places = torch.arange(bits.shape[1], device=bits.device)
        factors = example_keys(key(0, "fingerprint", len(parts)), places) | 1
        parts.append((bits * factors).sum(1))

    map_tensors(inputs, add)
    return torch.stack(parts).sum(0)


class LogitCache:
    """Logits by example, filled on first use.

    An answer is taken from the cache only if the example's inputs are the same, bit for bit (by their hash): under
    augmentation, which draws anew every epoch, every example is asked again and the cache is of no use, but never
    wrong. A batch with one unknown example is asked whole, so that the teacher always sees batches of the run's size.
    The logits then were computed in another batch of the same size. On CPUs that gave the same bits wherever it was
    measured, but no kernel promises it: runs with and without a cache may differ by about 1e-6 relative in the logits.

    Attributes:
        asked: Batches that went to the teacher.
        answered: Batches that were answered from memory.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the teacher has changed."""
        self.logits = torch.zeros(0, 0)
        self.prints = torch.zeros(0, dtype=torch.int64)
        self.known = torch.zeros(0, dtype=torch.bool)
        self.asked = self.answered = 0

    def look_up(self, batch: Batch, ask: Callable[[], Tensor]) -> Tensor:
        """Return the ``(B, ..., K)`` logits of a batch.

        Args:
            batch: The examples; their ``indices`` name them.
            ask: Asks the teacher about this batch.

        Raises:
            UnsupportedError: The source does not number its examples, or pads them to other lengths.
        """
        at = batch.indices
        if at is None:
            raise UnsupportedError("cache=True: this source does not number its examples; set method.cache to false")
        if self.known.device != at.device:  # restored on the CPU, or the run went to another device
            self.logits, self.prints, self.known = (t.to(at.device) for t in (self.logits, self.prints, self.known))
        prints = fingerprints(batch.inputs)
        inside = int(at.max()) < len(self.known)
        if inside and bool((self.known[at] & (self.prints[at] == prints)).all()):
            self.answered += 1
            return self.logits[at]
        self.asked += 1
        logits = ask()
        if len(self.known) and logits.shape[1:] != self.logits.shape[1:]:
            raise UnsupportedError(
                f"cache=True: the teacher answers {tuple(logits.shape[1:])} here and {tuple(self.logits.shape[1:])} "
                "before, since batches are padded to their longest; set method.cache to false"
            )
        self._grow(int(at.max()) + 1, logits)
        self.logits[at], self.prints[at], self.known[at] = logits, prints, True
        return logits

    def _grow(self, size: int, like: Tensor) -> None:
        have = len(self.known)
        if size <= have:
            return
        size = max(size, 2 * have)
        grown = like.new_zeros(size, *like.shape[1:])
        prints = torch.zeros(size, dtype=torch.int64, device=like.device)
        known = torch.zeros(size, dtype=torch.bool, device=like.device)
        if have:
            grown[:have], prints[:have], known[:have] = self.logits, self.prints, self.known
        self.logits, self.prints, self.known = grown, prints, known

    def state(self) -> dict[str, Tensor]:
        """Return what :meth:`restore` needs; with it a resumed run asks no more, and no less, than one never cut."""
        return {"logits": self.logits, "prints": self.prints, "known": self.known}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` returned; the tensors go where the next batch is."""
        self.logits, self.prints, self.known = state["logits"], state["prints"], state["known"]


class SharedAnswers:
    """What one teacher said to whole batches, for several students of one process.

    It belongs to the first teacher it is used with (:meth:`belongs_to`). Answers stay where the teacher runs: on a GPU
    they take its memory.

    Augmentation is drawn by keys (:mod:`netsmith.core.keys`), so that trainings of one seed see the same images in the
    same batches, epoch by epoch: the teacher is asked once for all of them. An answer is taken only for the same batch,
    bit for bit (by its hash), so that a student learns what it would have learned without.

    Args:
        limit: Bytes of answers at most; what comes after that is asked each time.

    Attributes:
        asked: Batches that went to the teacher.
        answered: Batches that were answered from memory.
    """

    def __init__(self, *, limit: int = 2**30) -> None:
        self.limit = limit
        self.asked = self.answered = 0
        self._answers: dict[bytes, Tensor] = {}
        self._bytes = 0
        self._teacher = ""

    def belongs_to(self, teacher: str) -> None:
        """Bind it to a teacher.

        Args:
            teacher: The hash of its weights.

        Raises:
            ValueError: It was used with another one.
        """
        if self._teacher not in ("", teacher):
            raise ValueError("these answers are another teacher's; make new SharedAnswers for this one")
        self._teacher = teacher

    def look_up(self, batch: Batch, ask: Callable[[], Tensor]) -> Tensor:
        """Return the logits of a batch; see :meth:`LogitCache.look_up`."""
        forms: list[Any] = []
        map_tensors(batch.inputs, lambda part: forms.append((tuple(part.shape), part.dtype, _mixed(part.device.type))))
        seen = hashlib.sha256(repr(forms).encode())
        seen.update(fingerprints(batch.inputs).cpu().numpy().tobytes())
        mark = seen.digest()
        known = self._answers.get(mark)
        if known is not None:
            self.answered += 1
            return known
        self.asked += 1
        logits = ask()
        size = logits.numel() * logits.element_size()
        if self._bytes + size <= self.limit:
            self._answers[mark] = logits.detach().clone()
            self._bytes += size
        return logits


def _mixed(device: str) -> torch.dtype | None:
    """Return the type in which a device computes under autocast, or None."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
