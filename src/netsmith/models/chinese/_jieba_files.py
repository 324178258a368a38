"""The files of an installed jieba package, read as data: its code is neither imported nor executed."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

from netsmith.core.errors import DataError
from netsmith.models.chinese._tables import HmmTable

__all__ = ["jieba_folder", "jieba_place_table", "jieba_tag_table"]

_LIMIT = 64 * 2**20


def jieba_folder() -> Path | None:
    """Return where jieba is installed; None where it is not."""
    found = importlib.util.find_spec("jieba")  # of a package at the top: nothing of it runs
    places = found.submodule_search_locations if found is not None else None
    return Path(next(iter(places))) if places else None


def jieba_place_table(folder: Path) -> HmmTable:
    """Return the table of B, E, M, S that jieba cuts unknown words by (``finalseg``)."""
    parts = {part: _literal(folder / "finalseg" / f"prob_{name}.py") for part, name in _PARTS.items()}
    return HmmTable.from_parts({**parts, "allowed": {}}, folder / "finalseg")


def jieba_tag_table(folder: Path) -> HmmTable:
    """Return the table of places with tags that jieba tags unknown words by (``posseg``)."""
    parts = {part: _literal(folder / "posseg" / f"prob_{name}.py") for part, name in _PARTS.items()}
    allowed = _literal(folder / "posseg" / "char_state_tab.py")
    try:
        named = {
            "start": {"-".join(state): value for state, value in parts["start"].items()},
            "transitions": {
                "-".join(state): {"-".join(after): value for after, value in row.items()}
                for state, row in parts["transitions"].items()
            },
            "emissions": {"-".join(state): row for state, row in parts["emissions"].items()},
            "allowed": {char: ["-".join(state) for state in states] for char, states in allowed.items()},
        }
    except (AttributeError, TypeError) as error:
        raise DataError(f"is no table of tags: {error}", folder / "posseg") from None
    return HmmTable.from_parts(named, folder / "posseg")


_PARTS = {"start": "start", "transitions": "trans", "emissions": "emit"}


def _literal(path: Path) -> Any:
    """Return the literal that a file assigns to P.

    Raises:
        DataError: There is no such file, it is too large, or P is no literal.
    """
    try:
        if path.stat().st_size > _LIMIT:
            raise DataError(f"has more than {_LIMIT} bytes; expected a table of jieba's", path)
        tree = ast.parse(path.read_bytes())
        for node in tree.body:
            if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["P"]:
                return ast.literal_eval(node.value)
    except OSError as error:
        raise DataError(f"{error.strerror or error}; expected a table of jieba's", path) from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise DataError(f"is no table of jieba's: {error}", path) from None
    raise DataError("assigns nothing to P; expected a table of jieba's", path)
