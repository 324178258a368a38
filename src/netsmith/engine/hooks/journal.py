"""The journal of a run: ``metrics.jsonl``, one line per logged step and per evaluation."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.core.files import write_atomic
from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["Journal", "read_journal"]


class Journal(Hook):
    """Append figures to a file; a resume first drops the lines the checkpoint does not know.

    Args:
        path: The file.
        every: Steps between lines of training figures (their mean since the last line).
    """

    order = 90

    def __init__(self, path: Path, *, every: int) -> None:
        self.path = path
        self.every = every
        self._sums: dict[str, float] = {}
        self._count = 0
        self._begin = time.perf_counter()

    def start(self, engine: Engine) -> None:
        lines = [line for line in read_journal(self.path) if line["step"] <= engine.step]
        write_atomic(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode(), sync=False)
        self._begin = time.perf_counter() - (lines[-1]["seconds"] if lines else 0.0)

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        for name, value in logs.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if engine.step % self.every == 0:
            self._write(engine, {name: value / self._count for name, value in self._sums.items()})
            self._sums, self._count = {}, 0

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:
        found = run()
        self._write(engine, found)
        return found

    def _write(self, engine: Engine, found: Mapping[str, float]) -> None:
        line: dict[str, Any] = {"step": engine.step, "seconds": round(time.perf_counter() - self._begin, 3)}
        line |= {name: value if math.isfinite(value) else None for name, value in found.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno()) if engine.step == int(engine.config.steps) else None


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a journal; a last line that was cut off is left out."""
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            found.append(line)
    return found
