"""Learning a language model by counting a text, without a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.roles import Batches, MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.method import Feed, Logs, Update
from netsmith.methods._streams import StreamMethod

__all__ = ["Counter", "Counting"]


@runtime_checkable
class Counter(Protocol):
    """A language model that is fitted to a text at once; what it learned lies in its buffers."""

    def fit(self, pieces: Sequence[Tensor]) -> None:
        """Learn from stretches of text, ``(N,)`` int64 each, the first token of each a context only."""
        ...


class Counting(StreamMethod):
    """Keep the windows of one epoch, put the text together again, and let the model count it at the last step.

    However the text was cut into rows and windows, the model sees it as it stands: windows that follow each other in
    the stream are one piece. There are no players and no optimizers. Before the last step nothing is learned.

    Raises:
        ConfigError: The model cannot count, or waits for a gradient.
        UnsupportedError: More than one process.
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: A :class:`Counter`.
            task: What its output means.
        """

        learns_from: ClassVar[Batches] = "windows"

        model: ModelConfig
        task: TaskConfig

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            if run.epochs > 1:
                return f"epochs={run.epochs}: one pass is all a counter needs; set epochs=1"
            if run.clip_norm:
                return f"clip_norm={run.clip_norm:g}: a counter has no gradient to clip; leave it out"
            if run.micro_batches > 1:
                return f"micro_batches={run.micro_batches}: a counter takes batches whole; leave it out"
            if run.precision == "bf16":
                return "precision='bf16': a counter computes in float64; leave it out"
            return ""

    def __init__(self, config: Counting.Config, *, spec: Spec) -> None:
        super().__init__(model=config.model, task=config.task, spec=spec)
        self.config = config
        if not isinstance(self.model.network, Counter):
            raise ConfigError(f"{config.model!r} has no fit(pieces); learn it with the method truncated_bptt")
        if any(parameter.requires_grad for parameter in self.parameters()):
            raise ConfigError(f"{config.model!r} or its task needs gradients; learn it with the method truncated_bptt")
        self.kept: list[dict[str, Tensor]] = []

    def players(self) -> dict[str, dict[str, Any]]:
        """Return no players: nothing is learned by gradients."""
        return {}

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        ranks = torch.ones(1)
        update.sum_ranks([ranks])
        if ranks != 1:
            raise UnsupportedError(f"{self.config.model!r} counts the whole text: run it in one process")
        assert batch.indices is not None
        self.kept.append({"first": batch.inputs[:, 0], "targets": batch.targets, "places": batch.indices})
        if len(self.kept) == update.steps:
            model = self.model.network
            assert isinstance(model, Counter)
            model.fit(_pieces(self.kept))
            self.kept = []
        return {}

    def state(self) -> dict[str, Any]:
        """Return the buffers, and the windows that are kept for the fit."""
        return super().state() | ({"kept": self.kept} if self.kept else {})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.kept = [dict(part) for part in state.get("kept", [])]


def _pieces(kept: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    """Return the text of some windows, those that follow each other as one piece; each once."""
    windows = {
        int(place): (first[None], targets)
        for part in kept
        for first, targets, place in zip(part["first"], part["targets"], part["places"], strict=True)
    }
    pieces: list[list[Tensor]] = []
    stop = -1
    for place in sorted(windows):
        first, targets = windows[place]
        if place != stop:
            pieces.append([first])
        pieces[-1].append(targets)
        stop = place + len(targets)
    return [torch.cat(parts) for parts in pieces]
