"""Counting more tokens than memory holds."""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import operator
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import IO

from netsmith.data._spill import room_to_wait
from netsmith.layers.frequency import frequency_rank

__all__ = ["most_frequent"]

_HELD = 500_000  # different tokens: about 60 MB


def most_frequent(tokens: Iterable[str], most: int, *, but: Collection[str] = (), held: int = _HELD) -> list[str]:
    """Return the most frequent tokens in memory that the text's length is not in.

    Their order is that of :func:`~netsmith.layers.frequency.by_frequency`.

    Whenever more than ``held`` different tokens are counted, the counts go to a temporary file in the order of the
    tokens; in the end the files are merged. Nothing is estimated.

    Args:
        tokens: Passed through once.
        most: How many at most.
        but: Tokens that do not count.
        held: How many different tokens are counted in memory.

    Raises:
        DataError: The folder of temporary files is full.

    Example:
        >>> most_frequent("c a b c a c".split(), 2, held=1)
        ['c', 'a']
    """
    counts: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as files:
        runs: list[Iterator[tuple[str, int]]] = []
        for few in _batched(tokens):
            counts.update(few)
            if len(counts) > held:
                with room_to_wait():
                    runs.append(_rows(_written(counts, files.enter_context(tempfile.TemporaryFile("w+b")))))
                counts.clear()
        merged = heapq.merge(*runs, sorted(counts.items()))
        total = ((token, sum(n for _, n in same)) for token, same in itertools.groupby(merged, operator.itemgetter(0)))
        best = heapq.nsmallest(most, (pair for pair in total if pair[0] not in but), key=frequency_rank)
    return [token for token, _ in best]


def _batched(tokens: Iterable[str], size: int = 2**16) -> Iterator[list[str]]:
    rest = iter(tokens)
    while few := list(itertools.islice(rest, size)):
        yield few


def _written(counts: Mapping[str, int], file: IO[bytes]) -> IO[bytes]:
    for token in sorted(counts):
        code = token.encode("utf-8", "surrogatepass")
        file.write(b"%d %d\n%b" % (counts[token], len(code), code))  # a token may hold any sign, line breaks too
    file.flush()
    file.seek(0)
    return file


def _rows(file: IO[bytes]) -> Iterator[tuple[str, int]]:
    while head := file.readline():
        count, size = map(int, head.split())
        yield file.read(size).decode("utf-8", "surrogatepass"), count
