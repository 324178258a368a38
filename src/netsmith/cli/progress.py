"""The progress bar of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from netsmith.cli.output import plain
from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["Bar", "Bars"]

_BAR = 16


class Bar(Hook):
    """A progress bar with the loss, the newest dev figure and the time that remains."""

    order = 95

    def __init__(self, label: str) -> None:
        self.label = plain(label)
        self._figures: list[str] = []
        self._room = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def start(self, engine: Engine) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
            TextColumn("ETA"),
            TimeRemainingColumn(compact=True),
        )
        console = Console(stderr=True, highlight=False)
        steps = int(engine.config.steps)
        self._room = max(0, console.width - len(self.label) - _BAR - 2 * len(str(steps)) - len("/  ETA 0:00:00     "))
        self._progress = Progress(*columns, console=console, transient=False)
        self._progress.start()
        self._task = self._progress.add_task(self.label, total=steps, completed=engine.step, figures="")

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        if self._progress is None or self._task is None:
            return
        if engine.step % 5 and engine.step != int(engine.config.steps):  # drawing every step would cost more than it
            return
        shown = [f"{name} {value:.4f}" for name, value in list(logs.items())[:2]] + self._figures
        while shown and len("  ".join(shown)) > self._room:  # the counts and the time left matter more
            shown.pop()
        self._progress.update(self._task, completed=engine.step, figures="  ".join(shown))

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:  # noqa: ARG002
        found = run()
        name, value = next(iter(found.items()))
        self._figures = [f"{name} {value:.4f}"]
        return found

    def end(self, engine: Engine) -> None:  # noqa: ARG002
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was, also after an error."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class Bars:
    """One bar per training of a chain; closes those that an error left open.

    Example:
        >>> with Bars() as bars:
        ...     hooks = bars("teacher")
    """

    def __init__(self) -> None:
        self._bars: list[Bar] = []

    def __call__(self, label: str) -> list[Bar]:
        """Return the hooks of a new training."""
        self._bars.append(Bar(label))
        return self._bars[-1:]

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars:
            bar.close()
