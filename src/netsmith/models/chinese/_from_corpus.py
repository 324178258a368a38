"""A dictionary and the tables of hidden Markov models, counted in a text whose words are marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import log

from netsmith.core.errors import DataError, shorten
from netsmith.models.chinese._blocks import HAN
from netsmith.models.chinese._prefix_dictionary import PrefixDictionary
from netsmith.models.chinese._tables import IMPOSSIBLE, HmmTable

__all__ = ["CorpusCounts", "marked_words"]

_TAGGED = re.compile(r"\[?(.+)/([A-Za-z]+)(?:\][A-Za-z]*)?")
_PARAGRAPH = re.compile(r"\d{8}-\d\d-\d{3}-\d{3}/m")
_HAN = re.compile(f"[{HAN}]+")


def marked_words(lines: Iterable[tuple[int, str]], path: str = "") -> Iterator[list[tuple[str, str]]]:
    """Yield the words of each line that holds any, with their tags (``""``: none).

    Words stand between blanks, alone or as ``word/tag``; which of both, the first line says. The marks of the corpus
    PFR 199801 are known: a paragraph's number before it, and ``[word/tag word/tag]tag`` around long names.

    Args:
        lines: Each with its number.
        path: Stands in errors.

    Raises:
        DataError: A word without a tag among tagged ones; names the line.
    """
    tagged: bool | None = None
    for row, line in lines:
        parts = line.split()
        if parts and _PARAGRAPH.fullmatch(parts[0]):
            del parts[0]
        if not parts:
            continue
        if tagged is None:
            tagged = all(map(_TAGGED.fullmatch, parts))
        if not tagged:
            yield [(part, "") for part in parts]
            continue
        found = []
        for part in parts:
            match = _TAGGED.fullmatch(part)
            if match is None:
                raise DataError(f"{shorten(repr(part), 40)} has no tag, but the first line's words have", path, row)
            found.append((match[1], match[2]))
        yield found


class CorpusCounts:
    """Counts of words, and of what stands where in them; :meth:`add` one sentence after the other.

    Example:
        >>> counts = CorpusCounts()
        >>> counts.add([("我", "r"), ("爱", "v"), ("北京", "ns")])
        >>> counts.dictionary().counts, sorted(counts.place_table().transitions)
        ({'我': 1, '爱': 1, '北京': 1}, ['B', 'S'])
    """

    def __init__(self) -> None:
        self._words: Counter[str] = Counter()
        self._tags: dict[str, Counter[str]] = {}
        self._places, self._tagged = _Chain(), _Chain()

    def add(self, sentence: Iterable[tuple[str, str]]) -> None:
        """Count a sentence's words, given with their tags."""
        places: list[tuple[str, str]] = []
        tagged: list[tuple[str, str]] = []
        for word, tag in [*sentence, ("", "")]:
            if word:
                self._words[word] += 1
            if tag:
                self._tags.setdefault(word, Counter())[tag] += 1
            if not _HAN.fullmatch(word):  # a run of Chinese words ends
                self._places.add(places)
                self._tagged.add(tagged)
                places, tagged = [], []
                continue
            own = "S" if len(word) == 1 else "B" + "M" * (len(word) - 2) + "E"
            places += zip(word, own, strict=True)
            if tag:
                tagged += ((char, f"{place}-{tag}") for char, place in zip(word, own, strict=True))

    def dictionary(self) -> PrefixDictionary:
        """Return the words with their counts, each with its most frequent tag.

        Raises:
            DataError: No word was counted.
        """
        tags = {word: min(of, key=lambda tag: (-of[tag], tag)) for word, of in self._tags.items()}
        if not self._words:
            raise DataError("there is no word in it; expected words with blanks between")
        return PrefixDictionary(self._words, tags=tags)

    def place_table(self) -> HmmTable:
        """Return the relative frequencies of B, E, M, S in runs of Chinese words, as logarithms."""
        return self._places.table(with_allowed=False)

    def tag_table(self) -> HmmTable | None:
        """Return the same of places with tags; None where no word had a tag."""
        return self._tagged.table(with_allowed=True) if self._tags else None


class _Chain:
    def __init__(self) -> None:
        self._start: Counter[str] = Counter()
        self._steps: dict[str, Counter[str]] = {}
        self._shown: dict[str, Counter[str]] = {}

    def add(self, run: list[tuple[str, str]]) -> None:
        if run:
            self._start[run[0][1]] += 1
        for char, state in run:
            self._shown.setdefault(state, Counter())[char] += 1
        for (_, state), (_, after) in pairwise(run):
            self._steps.setdefault(state, Counter())[after] += 1

    def table(self, *, with_allowed: bool) -> HmmTable:
        allowed: dict[str, list[str]] = {}
        if with_allowed:
            for state, row in sorted(self._shown.items()):
                for char in row:
                    allowed.setdefault(char, []).append(state)
        start = _logarithms(self._start)
        return HmmTable(
            start={state: start.get(state, IMPOSSIBLE) for state in sorted(self._shown)},
            transitions={state: _logarithms(row) for state, row in sorted(self._steps.items())},
            emissions={state: _logarithms(row) for state, row in sorted(self._shown.items())},
            allowed={char: tuple(states) for char, states in allowed.items()},
        )


def _logarithms(counts: Counter[str]) -> dict[str, float]:
    total = log(counts.total()) if counts else 0.0
    return {name: log(count) - total for name, count in counts.items()}
