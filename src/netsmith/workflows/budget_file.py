"""``budget.json`` beside a run: what was measured of its network, and the widths that were found for each budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netsmith.core.errors import RunError
from netsmith.core.files import read_json, write_json

__all__ = ["BudgetFile"]


@dataclass
class BudgetFile:
    """What the file says under one key; what stands under others (another kind of budget or machine) stays beside it.

    Attributes:
        path: The file.
        key: What tells this network, machine and kind of measurement from others, as JSON values.
        search: What a search measured, as it is written; None if nothing was.
        plans: Widths by role, by the budget they were found for.
        others: What stands under other keys.
    """

    path: Path
    key: Sequence[Any]
    search: Any = None
    plans: dict[str, Any] = field(default_factory=dict)
    others: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def read(path: Path, key: Sequence[Any]) -> BudgetFile:
        """Read a file; what is damaged in it, and a file that is not there, say nothing."""
        entries = _entries(path)
        own = next((entry for entry in entries if entry["key"] == key), {"search": None, "plans": {}})
        others = [entry for entry in entries if entry["key"] != key]
        return BudgetFile(path, key, own["search"], own["plans"], others)

    def write(self) -> None:
        """Write the file anew."""
        own = {"key": self.key, "search": self.search, "plans": self.plans}
        write_json(self.path, {"entries": [*self.others, own]}, sync=False)


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        value = read_json(path) if path.is_file() else {}
    except RunError:
        return []
    found = value.get("entries", [value]) if isinstance(value, dict) else []  # at first it held one entry, bare
    return [entry for entry in found if _whole(entry)] if isinstance(found, list) else []


def _whole(entry: Any) -> bool:
    return isinstance(entry, dict) and {"key", "search", "plans"} <= set(entry) and isinstance(entry["plans"], dict)
