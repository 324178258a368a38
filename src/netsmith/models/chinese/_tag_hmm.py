"""Parts of speech of words that no dictionary has: one hidden Markov model for a word's places and its tag."""

from __future__ import annotations

import re
from math import inf
from typing import NamedTuple

from netsmith.core.errors import DataError, shorten
from netsmith.models.chinese._blocks import HAN
from netsmith.models.chinese._tables import IMPOSSIBLE, HmmTable

__all__ = ["TagHmm", "TaggedWord"]

_HAN = re.compile(f"([{HAN}]+)")
_NUMBER = re.compile(r"([.0-9]+|[a-zA-Z0-9]+)")
_FEW = 4


class TaggedWord(NamedTuple):
    """A word with its part of speech; ``x`` where nothing is known of it."""

    word: str
    tag: str


class _Option(NamedTuple):
    state: int
    emission: float
    before: dict[int, float]  # states it may follow, with the logarithm of the transition


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
        self._start = [table.start[state] for state in self.states]
        self._before: list[dict[int, float]] = [{} for _ in self.states]
        for state in self.states:  # sorted, so that of equals the last wins
            for after, weight in table.transitions.get(state, {}).items():
                self._before[numbers[after]][numbers[state]] = weight
        self._emissions = [table.emissions.get(state, {}) for state in self.states]
        self._allowed = {
            char: sorted(numbers[state] for state in states) for char, states in table.allowed.items() if states
        }
        self._options: dict[str, list[_Option]] = {}  # of the characters met so far

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
        options = self._options_of(text[0])
        scores = {option.state: self._start[option.state] + option.emission for option in options}
        came: list[dict[int, int]] = []
        for char in text[1:]:
            scores, back = self._step(scores, self._options_of(char)) or self._escape(scores, char)
            came.append(back)
        state = max((score, state) for state, score in scores.items())[1]
        path = [state]
        for back in reversed(came):
            state = back[state]
            path.append(state)
        path.reverse()
        return path

    def _step(self, scores: dict[int, float], options: list[_Option]) -> tuple[dict[int, float], dict[int, int]] | None:
        reached: dict[int, float] = {}
        back: dict[int, int] = {}
        live = list(scores.items())
        for state, emission, before in options:
            best, source = -inf, -1
            if len(before) <= _FEW:
                for old, weight in before.items():
                    if old in scores:
                        score = scores[old] + weight + emission
                        if score >= best:
                            best, source = score, old
            else:
                for old, given in live:
                    weight = before.get(old)
                    if weight is not None:
                        score = given + weight + emission
                        if score >= best:
                            best, source = score, old
            if source >= 0:
                reached[state] = best
                back[state] = source
        return (reached, back) if reached else None

    def _escape(self, scores: dict[int, float], char: str) -> tuple[dict[int, float], dict[int, int]]:
        """Go on where the character has no state that may follow: with every state that may, else from the start."""
        every = [
            _Option(state, row.get(char, IMPOSSIBLE), self._before[state]) for state, row in enumerate(self._emissions)
        ]
        found = self._step(scores, every)
        if found is not None:
            return found
        best, source = max((score, state) for state, score in scores.items())
        reached = {option.state: best + self._start[option.state] + option.emission for option in every}
        return reached, dict.fromkeys(reached, source)

    def _options_of(self, char: str) -> list[_Option]:
        found = self._options.get(char)
        if found is None:
            states = self._allowed.get(char, range(len(self.states)))
            found = self._options[char] = [
                _Option(state, self._emissions[state].get(char, IMPOSSIBLE), self._before[state]) for state in states
            ]
        return found
