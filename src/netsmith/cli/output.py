"""What a person sees: tables, progress bars, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["Bar", "console", "notice", "print_json", "table"]


def console(*, error: bool = False) -> Console:
    """Return a console on stdout, or on stderr for what is not the answer."""
    return Console(stderr=error, highlight=False, soft_wrap=True)


def notice(text: str) -> None:
    """Print one line that is not the answer."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print JSON on stdout, nothing else."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> Table:
    """Return a table; every column but the first is right-aligned."""
    found = Table(
        title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for number, header in enumerate(headers):
        found.add_column(header, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        found.add_row(*row)
    return found


class Bar(Hook):
    """A progress bar with the loss, the newest dev figure and the time that remains."""

    order = 95

    def __init__(self, label: str) -> None:
        self.label = label
        self._figures = ""
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def start(self, engine: Engine) -> None:
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
        )
        self._progress = Progress(*columns, console=console(error=True), transient=False)
        self._progress.start()
        steps = int(engine.config.steps)
        self._task = self._progress.add_task(self.label, total=steps, completed=engine.step, figures="")

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        if self._progress is None or self._task is None:
            return
        if engine.step % 5 and engine.step != int(engine.config.steps):  # drawing every step would cost more than it
            return
        text = "  ".join(f"{name} {value:.4f}" for name, value in list(logs.items())[:2])
        self._progress.update(self._task, completed=engine.step, figures=f"{text}{self._figures}")

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:  # noqa: ARG002
        found = run()
        name, value = next(iter(found.items()))
        self._figures = f"  {name} {value:.4f}"
        return found

    def end(self, engine: Engine) -> None:  # noqa: ARG002
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
