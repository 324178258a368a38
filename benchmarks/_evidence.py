"""The evidence file of a benchmark: what was run, when and where, then the figures."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from netsmith.engine.run_folder import environment

__all__ = ["head", "write"]


def write(path: Path | None, figures: Mapping[str, Any]) -> None:
    """Write the figures under their :func:`head`; without a path nothing."""
    if path is not None:
        path.write_text(json.dumps(head() | dict(figures), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def head() -> dict[str, Any]:
    """Return the command of this process, the date and the machine."""
    where = environment()
    return {
        "command": _command(sys.argv),
        "date": datetime.now(UTC).date().isoformat(),
        "environment": {name: where[name] for name in ("processor", "threads", "versions")},
    }


def _command(words: Sequence[str]) -> str:
    """Return the command line, run folders by their names, without where the file is written."""
    told = ["python", f"benchmarks/{Path(words[0]).name}"]
    rest = iter(words[1:])
    for word in rest:
        if word == "--out":
            next(rest)
        elif not word.startswith("--out="):
            told.append(Path(word).name if Path(word).is_absolute() or Path(word).exists() else word)
    return shlex.join(told)
