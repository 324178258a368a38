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
_OTHER = re.compile(f"[^{HAN}]")
_NUMBER = re.compile(r"([a-zA-Z0-9]+(?:\.[0-9]+)?%?)")

Scores: TypeAlias = "tuple[float, float, float, float]"
"""One number for each of B, E, M, S."""
_UNSEEN: Scores = (IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE)
_Begins: TypeAlias = "tuple[int, _Begins | None]"


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
        way = self.transitions
        self._ways = way["BE"], way["BM"], way["ME"], way["MM"], way["EB"], way["ES"], way["SB"], way["SS"]
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
        if not forced and _OTHER.search(run) is None:
            return self.words(run)
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
        """Return the words of a text of Chinese characters alone: the places with B or S on the best path begin one."""
        if not text:
            return []
        of, (be, bm, me, mm, eb, es, sb, ss) = self.emissions.get, self._ways
        b0, e0, m0, s0 = self.start
        b, e, m, s = of(text[0], _UNSEEN)
        b, e, m, s = b0 + b, e0 + e, m0 + m, s0 + s
        # Where the words of the best path to each state begin, the last one first: (place, (place before, ...)).
        by_b: _Begins = (0, None)
        by_e = by_m = by_s = by_b
        for place in range(1, len(text)):
            to_b, to_e, to_m, to_s = of(text[place], _UNSEEN)
            b_e, b_s = e + eb + to_b, s + sb + to_b
            e_b, e_m = b + be + to_e, m + me + to_e
            m_b, m_m = b + bm + to_m, m + mm + to_m
            s_e, s_s = e + es + to_s, s + ss + to_s
            before_e, before_s = by_e, by_s
            if e_m >= e_b:
                e, by_e = e_m, by_m
            else:
                e, by_e = e_b, by_b
            if m_m >= m_b:
                m = m_m
            else:
                m, by_m = m_b, by_b
            if b_s >= b_e:
                b, by_b = b_s, (place, before_s)
            else:
                b, by_b = b_e, (place, before_e)
            if s_s >= s_e:
                s, by_s = s_s, (place, before_s)
            else:
                s, by_s = s_e, (place, before_e)
        begins: _Begins | None = by_s if s >= e else by_e
        end = len(text)
        found: list[str] = []
        while begins is not None:
            begin, begins = begins
            found.append(text[begin:end])
            end = begin
        found.reverse()
        return found


def _scores(row: dict[str, float]) -> Scores:
    b, e, m, s = (row.get(place, IMPOSSIBLE) for place in PLACES)
    return b, e, m, s
