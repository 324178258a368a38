"""What methods without a gradient share: settings that mean nothing to them, batches kept for a fit, steps taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import ModelConfig, RunSettings
from netsmith.engine.method import Method, Update

__all__ = ["Keeping", "Stepping", "idle_setting", "refuse_gradients"]


class Keeping(Method):
    """Abstract: a method without players that keeps what passes by until it has all of it.

    Attributes:
        kept: What each step left; a subclass begins with none.
    """

    kept: list[dict[str, Tensor]]

    def players(self) -> dict[str, dict[str, Any]]:
        """Return no players: nothing is learned by gradients."""
        return {}

    def keep(self, part: dict[str, Tensor], update: Update, *, whole: str) -> bool:
        """Keep what a step brought, ``targets`` among it, and say whether that was the last step.

        Args:
            part: What is kept.
            update: The engine's.
            whole: Which model sees what at once, for the message.

        Raises:
            UnsupportedError: More than one process: each sees its own share only.
        """
        ranks = torch.ones(1, device=part["targets"].device)
        update.sum_ranks([ranks])
        if ranks != 1:
            raise UnsupportedError(f"{whole}: run it in one process")
        self.kept.append(part)
        return len(self.kept) == update.steps

    def state(self) -> dict[str, Any]:
        """Return the buffers, and what is kept for the fit."""
        return super().state() | ({"kept": self.kept} if self.kept else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.kept = [dict(part) for part in state.get("kept", [])]


class Stepping(Method):
    """Abstract: a method without players whose model changes itself at each step, in one process.

    Attributes:
        taken: How many steps were taken; a subclass counts on.
    """

    taken: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))
        self._alone = False  # not known yet: a run may be resumed by other processes than began it

    def players(self) -> dict[str, dict[str, Any]]:
        """Return no players: nothing is learned by the engine's gradients."""
        return {}

    def refuse_company(self, update: Update, *, what: str, leave: str) -> None:
        """Refuse more than one process; asked once.

        Args:
            update: The engine's.
            what: What it is that one process does, for the message.
            leave: How that is mended.

        Raises:
            UnsupportedError: There are several.
        """
        if not self._alone:
            ranks = torch.ones(1, device=self.taken.device)
            update.sum_ranks([ranks])
            if ranks.item() != 1:
                raise UnsupportedError(f"{what} one process, got {ranks.item():g}; {leave}")
            self._alone = True


def idle_setting(run: RunSettings, learner: str, *, computes: str, once: str = "") -> str:
    """Return which setting means nothing to a learner without gradients, ``""`` if none.

    Args:
        run: The settings.
        learner: Its name with an article.
        computes: How it computes, where bf16 is asked for.
        once: What it does in one pass, where it takes no other.
    """
    if once and run.epochs > 1:
        return f"epochs={run.epochs}: one pass is all {learner} {once}; set epochs=1"
    if run.clip_norm:
        return f"clip_norm={run.clip_norm:g}: {learner} has no gradient to clip; leave it out"
    if run.micro_batches > 1:
        return f"micro_batches={run.micro_batches}: {learner} takes batches whole; leave it out"
    if run.precision == "bf16":
        return f"precision='bf16': {learner} {computes}; leave it out"
    return ""


def refuse_gradients(method: Method, model: ModelConfig, *, instead: str) -> None:
    """Refuse what waits for a gradient.

    Args:
        method: The method, with its networks.
        model: The model, for the message.
        instead: The method that brings gradients.

    Raises:
        ConfigError: A parameter of it is learned by gradients.
    """
    if any(parameter.requires_grad for parameter in method.parameters()):
        raise ConfigError(f"{model!r} or its task needs gradients; learn it with the method {instead}")
