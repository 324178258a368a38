"""The numbers of a text's tokens, to be read in stretches: in memory, or in a temporary file where they are many."""

from __future__ import annotations

import array
import itertools
import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError
from netsmith.data._spill import room_to_wait

__all__ = ["Numbers", "smallest"]

_HELD = 2**25  # bytes
_PIECE = 2**20  # numbers


def smallest(size: int) -> str:
    """Return the type code of the smallest numbers that count to a size: one byte, two, or four.

    Example:
        >>> smallest(256), smallest(257), smallest(40_000)
        ('B', 'h', 'i')
    """
    return "B" if size <= 2**8 else "h" if size <= 2**15 else "i"


class Numbers:
    """Whole numbers in a row, read in stretches.

    Up to ``held`` bytes stay in memory; more stand in a temporary file (folder ``TMPDIR``), which is gone with them.

    Args:
        numbers: Passed through once.
        code: Their type as :mod:`array` names it; see :func:`smallest`.
        held: Bytes that may stay in memory.

    Raises:
        DataError: The folder of temporary files is full.
        UnsupportedError: A file is to be pickled.

    Example:
        >>> Numbers(range(5), "B").read(1, 3)
        tensor([1, 2])
    """

    def __init__(self, numbers: Iterable[int], code: str, *, held: int = _HELD) -> None:
        self.code = code
        rest = iter(numbers)
        self._type = np.dtype(code)
        self._memory = array.array(code, itertools.islice(rest, held // self._type.itemsize))
        self._size = len(self._memory)
        self._file: IO[bytes] | None = None
        self._reading = threading.Lock()  # training data may be read ahead while dev is judged
        following = array.array(code, itertools.islice(rest, _PIECE))
        if following:
            self._file = tempfile.TemporaryFile("w+b")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
            with room_to_wait():
                self._memory.tofile(self._file)
                self._memory = array.array(code)
                while following:
                    following.tofile(self._file)
                    self._size += len(following)
                    following = array.array(code, itertools.islice(rest, _PIECE))
                self._file.flush()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs, which cannot be given a file without a name."""
        if self._file is not None:
            raise UnsupportedError(
                "this text waits in a temporary file, which loader processes that are not forked cannot read; "
                "expected workers=0"
            )
        return {name: value for name, value in vars(self).items() if name != "_reading"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _reading=threading.Lock())

    def __len__(self) -> int:
        return self._size

    def read(self, start: int, stop: int) -> Tensor:
        """Return the numbers from a place up to another, ``(stop - start,)`` int64."""
        start, stop = max(0, start), max(0, start, min(stop, self._size))
        if self._file is None:
            return torch.from_numpy(np.array(self._memory[start:stop], dtype=np.int64))
        found = self._read(self._file, start * self._type.itemsize, (stop - start) * self._type.itemsize)
        return torch.from_numpy(np.frombuffer(found, dtype=self._type).astype(np.int64))

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """Return what stands from each of some places on, ``(B, length)`` int64; -1 where there is nothing.

        Args:
            starts: ``(B,)``; may lie before the first number.
            length: Of each window.
        """
        if self._file is None:
            at = starts.numpy()[:, None] + np.arange(length)
            held = np.frombuffer(self._memory, dtype=self._type) if self._size else np.zeros(1, self._type)
            found = held.take(at, mode="clip").astype(np.int64)
            found[(at < 0) | (at >= self._size)] = -1
            return torch.from_numpy(found)
        rows = torch.full((len(starts), length), -1)
        for row, start in zip(rows, starts.tolist(), strict=True):
            found = self.read(start, start + length)
            begin = max(0, -start)
            row[begin : begin + len(found)] = found
        return rows

    def _read(self, file: IO[bytes], start: int, size: int) -> bytes:
        if sys.platform != "win32":  # loader processes that are forked share the place where a file is read
            return os.pread(file.fileno(), size, start)
        with self._reading:
            file.seek(start)
            return file.read(size)

    def pieces(self) -> Iterator[Tensor]:
        """Yield all numbers, a million at a time."""
        for start in range(0, self._size, _PIECE):
            yield self.read(start, start + _PIECE)
