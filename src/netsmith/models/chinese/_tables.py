"""Tables of hidden Markov models over characters: logarithms of probabilities by name, as a JSON file or an object."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsmith.core.errors import DataError, RunError, shorten
from netsmith.core.files import read_json, write_atomic

__all__ = ["IMPOSSIBLE", "HmmTable"]

IMPOSSIBLE = -3.14e100
"""Stands for the logarithm of zero: sums of it stay numbers. (jieba's constant, so that sums round alike.)"""


@dataclass(frozen=True)
class HmmTable:
    """A hidden Markov model that emits characters.

    Attributes:
        start: State -> natural logarithm of the probability that a run begins in it.
        transitions: State -> next state -> the same for a step; what is missing never comes.
        emissions: State -> character -> the same for what it shows.
        allowed: Character -> the states it may have; empty: all have all.
    """

    start: dict[str, float]
    transitions: dict[str, dict[str, float]]
    emissions: dict[str, dict[str, float]]
    allowed: dict[str, tuple[str, ...]]

    def states(self) -> set[str]:
        """Every state that is named."""
        after = {state for row in self.transitions.values() for state in row}
        return {
            *self.start,
            *self.transitions,
            *after,
            *self.emissions,
            *(s for row in self.allowed.values() for s in row),
        }

    @classmethod
    def from_file(cls, path: str | Path) -> HmmTable:
        """Read what :meth:`write` wrote.

        Raises:
            DataError: It is no such file; names what is wrong.
        """
        path = Path(path)
        try:
            found = read_json(path)
        except RunError as error:
            raise DataError(str(error)) from None
        parts = ("start", "transitions", "emissions", "allowed")
        if not isinstance(found, dict) or not set(parts) <= found.keys():
            raise DataError(f"is no table of a hidden Markov model: expected {', '.join(parts)}", path)
        return cls.from_parts({part: found[part] for part in parts}, path)

    @classmethod
    def from_parts(cls, parts: dict[str, Any], path: str | Path) -> HmmTable:
        """Make a table of what a file held, after a look at each number.

        Raises:
            DataError: A part has another form.
        """
        _numbers(parts["start"], "start", path)
        for part in ("transitions", "emissions"):
            if not isinstance(parts[part], dict):
                raise DataError(f"{part} has no states: expected numbers by name for each", path)
            for state, row in parts[part].items():
                _numbers(row, f"{part} of {state!r}", path)
        allowed = parts["allowed"]
        if not isinstance(allowed, dict) or not all(isinstance(row, (list, tuple)) for row in allowed.values()):
            raise DataError("allowed has another form: expected the states of each character", path)
        table = cls(parts["start"], parts["transitions"], parts["emissions"], {c: tuple(r) for c, r in allowed.items()})
        missing = table.states() - table.start.keys()
        if missing:
            raise DataError(f"start lacks the state {shorten(repr(min(missing)), 20)}", path)
        return table

    def write(self, path: str | Path) -> None:
        """Write the table as JSON."""
        parts = {
            "start": self.start,
            "transitions": self.transitions,
            "emissions": self.emissions,
            "allowed": self.allowed,
        }
        write_atomic(Path(path), json.dumps(parts, ensure_ascii=False, allow_nan=False).encode())


def _numbers(row: Any, what: str, path: str | Path) -> None:
    if not isinstance(row, dict) or not all(
        isinstance(value, float | int) and math.isfinite(value) for value in row.values()
    ):
        raise DataError(f"{shorten(what, 40)}: expected a finite number for each name", path)
