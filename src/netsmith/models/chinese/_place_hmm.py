"""Words that no dictionary has: a hidden Markov model over a character's place in its word."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TypeAlias

from netsmith.core.errors import DataError, shorten
from netsmith.models.chinese._blocks import HAN
from netsmith.models.chinese._tables import IMPOSSIBLE, HmmTable

__all__ = ["PLACES", "PlaceHmm", "Scores"]

PLACES = "BEMS"
"""Beginning, end and middle of a word, and a word of a single character, as they sort."""
_AFTER = {"B": "EM", "E": "BS", "M": "EM", "S": "BS"}
_HAN = re.compile(f"([{HAN}]+)")
_NUMBER = re.compile(r"([a-zA-Z0-9]+(?:\.[0-9]+)?%?)")

Scores: TypeAlias = "tuple[float, float, float, float]"
"""One number for each of B, E, M, S."""
_UNSEEN: Scores = (IMPOSSIBLE,) * 4


class PlaceHmm:
    r"""Cuts a run of characters where the most probable row of places B, M, E, S says.

    .. math:: \max_{y_1 \ldots y_n} \; \log \pi(y_1) + \log e(x_1 | y_1) + \sum_{t=2}^{n} \log a(y_t | y_{t-1}) +
        \log e(x_t | y_t), \qquad y_n \in \{E, S\}

    by Viterbi's algorithm; B and M are followed by M or E, E and S by B or S. A character that was never seen is as
    good as impossible (:data:`IMPOSSIBLE`) everywhere, and of two ways as probable the later letter is taken.

    Args:
        table: Natural logarithms of the probabilities; what is missing is impossible.

    Raises:
        DataError: The table has other states than B, E, M and S, or a transition between others than above.
    """

    def __init__(self, table: HmmTable) -> None:
        strange = table.states() - set(PLACES)
        if strange or not table.start:
            shown = ", ".join(map(repr, sorted(strange)[:3])) or "none"
            raise DataError(f"a table of places has the states B, E, M and S; got {shorten(shown, 60)}")
        for before, row in table.transitions.items():
            for after in row:
                if after not in _AFTER[before]:
                    raise DataError(
                        f"a table of places has no way from {before} to {after}: after {before} come "
                        f"{' and '.join(_AFTER[before])}"
                    )
        self.table = table
        self.start: Scores = _scores(table.start)
        self.transitions = {
            before + after: table.transitions.get(before, {}).get(after, IMPOSSIBLE)
            for before, afters in _AFTER.items()
            for after in afters
        }
        chars = {char for row in table.emissions.values() for char in row}
        self.emissions: dict[str, Scores] = {
            char: _scores({place: row[char] for place, row in table.emissions.items() if char in row}) for char in chars
        }

    def split(self, run: str, *, forced: Collection[str] = ()) -> list[str]:
        """Return the words of a run: Chinese by the model; numbers and Latin words whole.

        Args:
            run: Characters that may form words, without blanks.
            forced: Words that are taken apart into characters where the model finds them.
        """
        found: list[str] = []
        for number, part in enumerate(_HAN.split(run)):
            if not part:
                continue
            if number % 2 == 0:
                found += filter(None, _NUMBER.split(part))
            elif forced:
                for word in self.words(part):
                    found += word if word in forced else (word,)
            else:
                found += self.words(part)
        return found

    def words(self, text: str) -> list[str]:
        """Return the words of a text of Chinese characters alone."""
        begins = self.begins(text)
        return [text[start:end] for start, end in zip(begins, [*begins[1:], len(text)], strict=True)]

    def begins(self, text: str) -> list[int]:
        """Return where its words begin (the first place always): the places with B or S on the best path."""
        of, way = self.emissions.get, self.transitions
        be, bm, me, mm = way["BE"], way["BM"], way["ME"], way["MM"]
        eb, es, sb, ss = way["EB"], way["ES"], way["SB"], way["SS"]
        b, e, m, s = (a + c for a, c in zip(self.start, of(text[0], _UNSEEN), strict=True))
        came: list[tuple[bool, bool, bool, bool]] = []  # whether B, E, M, S came from the later letter
        for char in text[1:]:
            to_b, to_e, to_m, to_s = of(char, _UNSEEN)
            b_e, b_s = e + eb + to_b, s + sb + to_b
            e_b, e_m = b + be + to_e, m + me + to_e
            m_b, m_m = b + bm + to_m, m + mm + to_m
            s_e, s_s = e + es + to_s, s + ss + to_s
            came.append((b_s >= b_e, e_m >= e_b, m_m >= m_b, s_s >= s_e))
            b = b_s if b_s >= b_e else b_e
            e = e_m if e_m >= e_b else e_b
            m = m_m if m_m >= m_b else m_b
            s = s_s if s_s >= s_e else s_e
        state = 3 if s >= e else 1  # numbers of B, E, M, S
        found = []
        for place in range(len(text) - 1, 0, -1):
            later = came[place - 1][state]
            if state in (0, 3):
                found.append(place)
                state = 3 if later else 1
            else:
                state = 2 if later else 0
        return [0, *reversed(found)]


def _scores(row: dict[str, float]) -> Scores:
    b, e, m, s = (row.get(place, IMPOSSIBLE) for place in PLACES)
    return b, e, m, s
