"""Learning a language model by counting a text, without a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.roles import Batches, MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.method import Feed, Logs, Update
from netsmith.methods._gradient_free import Keeping, idle_setting, refuse_gradients
from netsmith.methods._streams import StreamMethod

__all__ = ["Counter", "Counting"]


@runtime_checkable
class Counter(Protocol):
    """A language model that is fitted to a text at once; what it learned lies in its buffers."""

    def fit(self, pieces: Sequence[Tensor]) -> None:
        """Learn from stretches of text, ``(N,)`` int64 each, the first token of each a context only."""
        ...


class Counting(Keeping, StreamMethod):
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
            return idle_setting(run, "a counter", computes="computes in float64", once="needs")

    def __init__(self, config: Counting.Config, *, spec: Spec) -> None:
        super().__init__(model=config.model, task=config.task, spec=spec)
        self.config = config
        if not isinstance(self.model.network, Counter):
            raise ConfigError(f"{config.model!r} has no fit(pieces); learn it with the method truncated_bptt")
        refuse_gradients(self, config.model, instead="truncated_bptt")
        self.kept: list[dict[str, Tensor]] = []

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        assert batch.indices is not None
        part = {"first": batch.inputs[:, 0], "targets": batch.targets, "places": batch.indices}
        if self.keep(part, update, whole=f"{self.config.model!r} counts the whole text"):
            model = self.model.network
            assert isinstance(model, Counter)
            model.fit(_pieces(self.kept))
            self.kept = []
        return {}


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
