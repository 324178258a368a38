"""The form of a classical Chinese quatrain: which characters may stand at each place of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from netsmith.core.errors import DataError, UnknownNameError, shorten

__all__ = ["BREAKS", "FORMS", "MARKS", "Quatrain", "is_verse"]

FORMS: Mapping[str, int] = MappingProxyType({"quatrain5": 5, "quatrain7": 7})
"""Characters of a line, by the name of the form."""

MARKS: Mapping[int, str] = MappingProxyType({5: "5", 7: "7"})
"""The sign that stands before a poem and tells its form."""

BREAKS = ("，", "。", "，", "。")
"""What stands behind each line; then the sign that ends a text."""

_LINES = 4
_CLOSING = "，。！？；：、,.!?;:"
_VERSE = re.compile("[〇\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")


def is_verse(text: str) -> bool:
    """Say whether a text is of Chinese characters alone.

    Example:
        >>> is_verse("床前明月光"), is_verse("床前，明月"), is_verse("")
        (True, False, False)
    """
    return _VERSE.fullmatch(text) is not None


class Quatrain:
    """Four lines of five or seven characters; the second and the fourth rhyme, with two different characters.

    A poem is written as one row of signs: the form's mark, the lines with what stands behind them, the end.

    Args:
        form: ``quatrain5`` or ``quatrain7``.
        vocabulary: What signs there are, by number; 2 ends a text.
        rhymes: Of each its class of rhyme; 0 for none.
        first_line: The line it begins with, a mark that closes it left out; "" leaves it open.
        hidden: The characters its lines begin with (an acrostic); "" leaves them open.

    Attributes:
        length: Signs of a poem.

    Raises:
        UnknownNameError: No such form.
        DataError: A line of another length, characters that are not known, or not as many hidden ones as lines.
    """

    def __init__(
        self, form: str, vocabulary: Sequence[str], rhymes: Sequence[int], *, first_line: str = "", hidden: str = ""
    ) -> None:
        if form not in FORMS:
            raise UnknownNameError("form", form, FORMS)
        width = FORMS[form]
        number = {sign: place for place, sign in enumerate(vocabulary)}
        missing = [sign for sign in (MARKS[width], *BREAKS) if sign not in number]
        if missing:
            raise DataError(f"the model knows no sign {missing[0]!r} and so no {form}; train it on tang_quatrains")
        first_line = first_line.strip().rstrip(_CLOSING)
        if first_line and hidden:
            raise DataError("a first line and hidden words exclude each other; give one of them")
        _check(first_line, "the first line", width, f"{form} has lines of {width}", number)
        _check(hidden, "the hidden words", _LINES, f"each of the {_LINES} lines begins with one", number)
        self._vocabulary = vocabulary
        self._ends = [(width + 1) * (line + 1) - 1 for line in range(_LINES)]  # places of the lines' last characters
        self._given = {0: number[MARKS[width]]}
        for line, (end, sign) in enumerate(zip(self._ends, BREAKS, strict=True)):
            self._given[end + 1] = number[sign]
            if hidden:
                self._given[end - width + 1] = number[hidden[line]]
        self._given |= {place: number[sign] for place, sign in enumerate(first_line, start=1)}
        self.length = self._ends[-1] + 3
        self._given[self.length - 1] = 2
        self._free = torch.tensor([len(sign) == 1 and is_verse(sign) for sign in vocabulary])
        self._class = torch.tensor(rhymes)
        sizes = torch.bincount(self._class)
        self._rhyming = self._free & (self._class > 0) & (sizes[self._class] > 1)
        if not bool(self._rhyming.any()):
            raise DataError("the model knows no two characters that rhyme; train it on more poems")

    def given(self, place: int) -> bool:
        """Say whether the sign at a place is fixed."""
        return place in self._given

    def allowed(self, written: Tensor) -> Tensor:
        """Return which signs may come next.

        Args:
            written: ``(B, t)`` int64, what was written so far by these rules.

        Returns:
            ``(B, V)`` bool; never a row without a choice.
        """
        rows, place = written.shape
        if place in self._given:
            one = torch.zeros(len(self._vocabulary), dtype=torch.bool)
            one[self._given[place]] = True
            return one.expand(rows, -1)
        if place == self._ends[1]:
            return self._rhyming.expand(rows, -1)
        if place == self._ends[3]:
            first = written[:, self._ends[1]]  # (B,)
            alike = self._free & (self._class == self._class[first][:, None])  # (B, V)
            return alike.scatter(1, first[:, None], False)
        return self._free.expand(rows, -1)

    def lines(self, written: Sequence[int]) -> list[str]:
        """Return the lines of a poem that was written by these rules."""
        signs = [self._vocabulary[sign] for sign in written]
        width = self._ends[0]
        return ["".join(signs[end - width + 1 : end + 1]) for end in self._ends]


def _check(text: str, what: str, length: int, why: str, number: Mapping[str, int]) -> None:
    if not text:
        return
    if len(text) != length:
        raise DataError(f"{what} {shorten(text, 30)!r} has {len(text)} characters; expected {length}: {why}")
    strange = [sign for sign in dict.fromkeys(text) if sign not in number or not is_verse(sign)]
    if strange:
        raise DataError(
            f"{what} {text!r}: the model does not know {', '.join(strange)}; it reads the traditional characters of "
            "Tang poems"
        )
