"""The contract of a hook: when something happens during training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["Hook"]


class Hook:
    """Something that happens at one of the engine's five points; every point defaults to nothing.

    Hooks run in ascending ``order``. ``engine.stop(reason)`` ends the run after the current step.

    Attributes:
        order: Its place among the hooks (0 first, 100 last).
        name: Its name in a checkpoint.
    """

    order: int = 50
    name: str = ""

    def start(self, engine: Engine) -> None:
        """Run once before the first step of this process (also after a resume)."""

    def before_step(self, engine: Engine) -> None:
        """Run before each step."""

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        """Run after each step; ``engine.step`` counts it already."""

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:  # noqa: ARG002
        """Wrap an evaluation: call ``run()`` once and return its figures."""
        return run()

    def end(self, engine: Engine) -> None:
        """Run once after the last step."""

    def apply(self, engine: Engine) -> None:
        """Make the product what should be used (averaged weights); called at the end and when a run is loaded."""

    def state(self) -> dict[str, Any]:
        """Return everything a resume needs: a tree of tensors and JSON values."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
