"""Parts of speech of words that no dictionary has: one hidden Markov model for a word's places and its tag."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netsmith.core.errors import DataError, shorten
from netsmith.models.chinese._blocks import HAN
from netsmith.models.chinese._tables import IMPOSSIBLE, HmmTable

__all__ = ["TagHmm", "TaggedWord"]

_HAN = re.compile(f"([{HAN}]+)")
_NUMBER = re.compile(r"([.0-9]+|[a-zA-Z0-9]+)")


class TaggedWord(NamedTuple):
    """A word with its part of speech; ``x`` where nothing is known of it."""

    word: str
    tag: str


class _Options(NamedTuple):
    """The states a character may have, last ones first: of equals, argmax takes the one that sorts last."""

    states: NDArray[np.int64]  # (K,)
    emissions: NDArray[np.float64]  # (K,)


class TagHmm:
    """Cuts a run of characters into words with tags: the states are a place B, E, M or S with a tag (``B-n``).

    A character has only the states it was seen in, as far as one of them may follow; where none may, every state that
    may. Of two ways as probable, the state that sorts last is taken.

    Args:
        table: Natural logarithms of the probabilities; what is missing is impossible.

    Raises:
        DataError: A state's name has another form.
    """

    def __init__(self, table: HmmTable) -> None:
        self.table = table
        self.states = sorted(table.states())
        for state in self.states:
            if not re.fullmatch("[BEMS]-.+", state):
                raise DataError(f"a table of tags has states like B-n (place, tag); got {shorten(repr(state), 30)}")
        numbers = {state: number for number, state in enumerate(self.states)}
        size = len(self.states)
        self._start = np.array([table.start[state] for state in self.states])
        self._ways = np.full((size, size), -np.inf)  # from, to
        for state, row in table.transitions.items():
            for after, weight in row.items():
                self._ways[numbers[state], numbers[after]] = weight
        self._emissions = [table.emissions.get(state, {}) for state in self.states]
        self._allowed = {
            char: sorted({numbers[state] for state in states}, reverse=True)
            for char, states in table.allowed.items()
            if states
        }
        self._options: dict[str, _Options] = {}  # of the characters met so far

    def split(self, run: str) -> list[TaggedWord]:
        """Return the words of a run with their tags: numbers get ``m``, Latin words ``eng``, other signs ``x``."""
        found: list[TaggedWord] = []
        for number, part in enumerate(_HAN.split(run)):
            if number % 2:
                found += self.words(part)
                continue
            for at, piece in enumerate(_NUMBER.split(part)):
                if piece:
                    tag = "x" if at % 2 == 0 else "m" if piece[0] in ".0123456789" else "eng"
                    found.append(TaggedWord(piece, tag))
        return found

    def words(self, text: str) -> list[TaggedWord]:
        """Return the words of a text of Chinese characters alone."""
        path = [self.states[state].partition("-") for state in self.path(text)]
        found, begin = [], 0
        for end, (place, _, tag) in enumerate(path, start=1):
            if place in ("E", "S"):
                found.append(TaggedWord(text[begin:end], tag))
                begin = end
        if begin < len(text):
            found.append(TaggedWord(text[begin:], path[begin][2]))
        return found

    def path(self, text: str) -> list[int]:
        """Return the numbers of the states on the most probable path (Viterbi)."""
        states, emissions = self._options_of(text[0])
        scores = self._start[states] + emissions  # (K,)
        came: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = [(states, states)]
        for char in text[1:]:
            options = self._options_of(char)
            best, source = self._step(scores, states, options)
            reached = best > -np.inf
            if not reached.any():  # no state it was seen in may follow: every state that may
                options = self._every(char)
                best, source = self._step(scores, states, options)
                reached = best > -np.inf
            if not reached.any():  # none at all: as at the beginning of a run
                source = np.full(len(options.states), np.flatnonzero(scores == scores.max())[0])
                best = scores.max() + self._start[options.states] + options.emissions
                reached = np.ones(len(best), dtype=bool)
            came.append((options.states[reached], source[reached]))
            states, scores = options.states[reached], best[reached]
        at = int(scores.argmax())
        path = []
        for of, source in reversed(came):
            path.append(int(of[at]))
            at = int(source[at])
        path.reverse()
        return path

    def _step(
        self, scores: NDArray[np.float64], states: NDArray[np.int64], options: _Options
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        every = scores[:, None] + self._ways[states[:, None], options.states] + options.emissions  # (before, after)
        source = every.argmax(0)
        return every[source, np.arange(len(source))], source

    def _options_of(self, char: str) -> _Options:
        found = self._options.get(char)
        if found is None:
            found = self._options[char] = self._every(char, self._allowed.get(char))
        return found

    def _every(self, char: str, states: list[int] | None = None) -> _Options:
        states = list(reversed(range(len(self.states)))) if states is None else states
        emissions = [self._emissions[state].get(char, IMPOSSIBLE) for state in states]
        return _Options(np.array(states), np.array(emissions))
