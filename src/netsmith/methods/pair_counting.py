"""Learning to translate by counting pairs of texts, without a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.task import UNLABELED, Metric
from netsmith.layers.writing import Judged
from netsmith.methods._gradient_free import Keeping, idle_setting, refuse_gradients

__all__ = ["PairCounting", "PairLearner"]


@runtime_checkable
class PairLearner(Protocol):
    """A model that is fitted to pairs of texts at once, and writes; what it learned lies in its buffers."""

    def fit(self, source: Tensor, target: Tensor) -> Logs:
        """Learn from all pairs, whatever was learned before.

        Args:
            source: ``(N, L)`` int64 tokens, padded with 0.
            target: ``(N, T)`` int64 tokens that end with an end mark, a negative number behind it.

        Returns:
            Figures for the log.
        """
        ...

    def translate(self, texts: Sequence[np.ndarray]) -> Sequence[Any]:
        """Return what is written for texts of ``(L,)`` tokens; the network itself returns it as a tensor."""
        ...


class PairCounting(Keeping):
    """Keep the pairs of one epoch and let the model count them at the last step.

    The result depends neither on the batches nor on their order. There are no players and no optimizers, and before the
    last step nothing is learned. The model gives whole texts a score, not the next token a probability: the task's
    figures are those of texts, without the perplexity.

    Raises:
        ConfigError: The model does not learn from pairs of texts, or waits for a gradient; or no figure is of texts.
        UnsupportedError: More than one process.
    """

    class Config(MethodConfig):
        """What is learned.

        Attributes:
            model: A :class:`PairLearner`.
            task: What its output means.
        """

        model: ModelConfig
        task: TaskConfig

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            return idle_setting(run, "a counter", computes="computes in float64", once="needs")

    def __init__(self, config: PairCounting.Config, *, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()
        self.outputs = spec.outputs
        if not isinstance(self.model, PairLearner):
            raise ConfigError(
                f"{config.model!r} has no fit(source, target) and translate(texts); learn it with the method "
                "teacher_forcing"
            )
        refuse_gradients(self, config.model, instead="teacher_forcing")
        if not self.metrics():
            raise ConfigError(
                f"{config.task!r} has no figure of texts, which is all that {config.model!r} can be given"
            )
        self.kept: list[dict[str, Tensor]] = []

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        assert batch.indices is not None
        part = {"source": batch.inputs["source"], "targets": batch.targets, "indices": batch.indices}
        if self.keep(part, update, whole=f"{self.config.model!r} is fitted to all pairs at once"):
            model, order = self.model, torch.cat([part["indices"] for part in self.kept]).argsort()
            assert isinstance(model, PairLearner)
            source, target = (_together([part[name] for part in self.kept])[order] for name in ("source", "targets"))
            self.kept = []
            return model.fit(source, target)
        return {}

    def metrics(self) -> dict[str, Metric]:
        """Return fresh metrics of texts by name."""
        return {name: metric for name, metric in self.task.metrics().items() if name != "perplexity"}

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        """Update the metrics with the texts that the model writes."""
        texts = self.product()(batch.inputs["source"])
        nothing = torch.zeros(len(texts), 0, 0)  # no logits
        for metric in metrics.values():
            metric.update(Judged(nothing, texts, self.outputs), batch.targets)


def _together(parts: list[Tensor]) -> Tensor:
    """Return rows of several widths as one tensor."""
    width = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(part, (0, width - part.shape[1]), value=UNLABELED) for part in parts])
