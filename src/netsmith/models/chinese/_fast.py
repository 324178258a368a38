"""The segmenter compiled: the same words, by numba (extra ``fast``)."""

from __future__ import annotations

import re
from collections.abc import Collection
from math import log

import numpy as np
from numpy.typing import NDArray

from netsmith.core.extras import require
from netsmith.models.chinese._blocks import HAN, LETTERS, pieces
from netsmith.models.chinese._every_word import every_word
from netsmith.models.chinese._kernels import compiled
from netsmith.models.chinese._place_hmm import PlaceHmm
from netsmith.models.chinese._prefix_dictionary import PrefixDictionary
from netsmith.models.chinese._tables import IMPOSSIBLE
from netsmith.models.chinese._tree_arrays import TreeArrays, tree_arrays

__all__ = ["FastSegmenter"]

_PIECE = 2**17
_WAYS = ("BE", "BM", "ME", "MM", "EB", "ES", "SB", "SS")


class FastSegmenter:
    """Holds the compiled loops and the arrays they read; arrays follow a change of the dictionary.

    Raises:
        MissingExtraError: numba is not installed.
    """

    def __init__(self) -> None:
        self._loops = compiled(require("numba", extra="fast"))
        self._kinds = _kinds()
        self._seen: tuple[PrefixDictionary, int, int] | None = None
        self._tree: TreeArrays | None = None
        self._hmm: PlaceHmm | None = None
        self._model = _model(None)

    def segment(
        self, text: str, dictionary: PrefixDictionary, *, mode: str, hmm: PlaceHmm | None, forced: Collection[str]
    ) -> list[str]:
        """Return the words of a text, as :meth:`Segmenter.segment` does."""
        seen = dictionary, dictionary.version, len(forced)
        if self._tree is None or self._seen != seen:
            self._tree, self._seen = tree_arrays(dictionary, forced), seen
        if hmm is not None and hmm is not self._hmm:
            self._model, self._hmm = _model(hmm), hmm
        words: list[str] = []
        for piece in pieces(text, _PIECE):
            if not piece:
                continue
            codes = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), dtype=np.int32)
            if mode == "full":
                places = self._full(codes, self._tree)
            else:
                places = self._accurate(codes, self._tree, log(dictionary.total), hmm is not None, mode == "search")
            if places is None:
                words += every_word(piece, dictionary)
            else:
                words += self._words(piece, codes, *places)
        return words

    def _accurate(
        self, codes: NDArray[np.int32], tree: TreeArrays, total: float, hmm: bool, search: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        size = len(codes)
        scores, ends = np.empty(size + 1), np.empty(size, dtype=np.int32)
        came = np.empty(size, dtype=np.uint8)
        starts, stops = np.empty((2, size), dtype=np.int64)
        self._loops.route(codes, self._kinds, tree.roots, tree.first, tree.codes, tree.weights, total, scores, ends)
        count = self._loops.accurate(codes, self._kinds, tree, self._model, ends, came, hmm, starts, stops)
        if not search:
            return starts[:count], stops[:count]
        more, further = np.empty((2, 3 * size), dtype=np.int64)
        count = self._loops.search(codes, tree, starts, stops, count, more, further)
        return more[:count], further[:count]

    def _full(self, codes: NDArray[np.int32], tree: TreeArrays) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        room = 3 * len(codes) + 8
        while True:
            starts, stops = np.empty((2, room), dtype=np.int64)
            count = self._loops.full(codes, self._kinds, tree, starts, stops)
            if count >= 0:
                return starts[:count], stops[:count]
            if count == -1:
                return None
            room *= 4

    def _words(
        self, piece: str, codes: NDArray[np.int32], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> list[str]:
        """Cut all words at once: written behind each other with a sign between that the text lacks."""
        separator = next((sign for sign in ("\0", "\1", "\uffff", "\ufffe") if sign not in piece), None)
        if separator is None:
            return [piece[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
        out = np.empty(int((stops - starts).sum()) + len(starts), dtype=np.int32)
        self._loops.spell(codes, starts, stops, ord(separator), out)
        return out.tobytes().decode("utf-32-le", "surrogatepass")[:-1].split(separator)


def _kinds() -> NDArray[np.uint8]:
    found = np.zeros(65536, dtype=np.uint8)
    every = "".join(map(chr, range(65536)))
    for bit, pattern in ((1, f"[{LETTERS}]"), (2, f"[{HAN}]"), (4, "[a-zA-Z0-9]"), (8, "[0-9]"), (16, r"\s")):
        for match in re.finditer(pattern, every):
            found[match.start()] |= bit
    return found


def _model(
    hmm: PlaceHmm | None,
) -> tuple[tuple[float, ...], tuple[float, ...], NDArray[np.float64]]:
    """Return the logarithms of starts and ways, and of emissions by character: ``(Chinese characters, B E M S)``."""
    emissions = np.full((0x9FD5 - 0x4E00 + 1, 4), IMPOSSIBLE)
    if hmm is None:
        return (0.0,) * 4, (0.0,) * 8, emissions
    for char, scores in hmm.emissions.items():
        if "\u4e00" <= char <= "\u9fd5":
            emissions[ord(char) - 0x4E00] = scores
    return hmm.start, tuple(hmm.transitions[way] for way in _WAYS), emissions
