"""Word vectors from running text: each batch of words moves its own vectors, at a rate that falls to the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from pydantic import Field

from netsmith.core.errors import ConfigError, DivergedError
from netsmith.core.roles import MethodConfig, ModelConfig, RunSettings, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Update
from netsmith.methods._gradient_free import Stepping

__all__ = ["WordLearner", "WordVectors"]


@runtime_checkable
class WordLearner(Protocol):
    """A model of word vectors that changes them itself, those of a batch's words alone."""

    def observe(self, counts: Sequence[int]) -> None:
        """Take in how often each word of the vocabulary stands in the training text."""
        ...

    def learn(self, batch: Batch, *, rate: float) -> Logs:
        """Change the vectors in place; whatever is random is drawn from the batch's ``keys``.

        Args:
            batch: Words and what is around them.
            rate: The learning rate of this step.

        Returns:
            Figures for the log; of an empty batch none.
        """
        ...


class WordVectors(Stepping):
    r"""Hand each batch to the model, with a learning rate that falls along a straight line.

    An optimizer would look at every vector at every step; here a step costs what its own words cost. The rate of step t
    of T is :math:`\max(\eta (1 - t / T), \eta_T)`, as in the code of Mikolov et al. (2013). There are no players. One
    process only: words of a batch move vectors one after another.

    Raises:
        ConfigError: The model has no such rule, or the data do not count their words.
        UnsupportedError: More than one process.
        DivergedError: The loss is NaN or infinite; the last checkpoint is good.
    """

    class Config(MethodConfig):
        """What is learned, and how fast.

        Attributes:
            model: A :class:`WordLearner`.
            task: What its vectors are asked.
            rate: Learning rate at the beginning.
            least: Learning rate at the end.
        """

        model: ModelConfig
        task: TaskConfig
        rate: float = Field(default=0.025, gt=0)
        least: float = Field(default=1e-4, ge=0)

        def problem(self, run: RunSettings) -> str:
            """Return which setting means nothing to a learner without gradients."""
            if run.clip_norm:
                return f"clip_norm={run.clip_norm:g}: word vectors are learned without an optimizer; leave it out"
            if run.micro_batches > 1:
                return f"micro_batches={run.micro_batches}: word vectors take batches whole; leave it out"
            if run.precision == "bf16":
                return "precision='bf16': word vectors are learned in the precision of their model; leave it out"
            return ""

    def __init__(self, config: WordVectors.Config, *, spec: Spec) -> None:
        super().__init__()
        self.config = config
        model = config.model.build()
        self.task = config.task.build()
        if not isinstance(model, WordLearner):
            raise ConfigError(f"{config.model!r} has no observe(counts) and learn(batch, rate=...); take word2vec")
        if not spec.inputs.counts:
            raise ConfigError(f"{spec.dataset} does not count its words; take data of the kind word_windows")
        model.observe(spec.inputs.counts)
        self.model: Any = model

    def step(self, feed: Feed, update: Update) -> Logs:
        self.refuse_company(update, what="word vectors are learned by", leave="leave torchrun")
        taken = int(self.taken)
        rate = max(self.config.rate * (1 - taken / update.steps), self.config.least)
        logs = self.model.learn(next(feed), rate=rate)
        if not all(math.isfinite(value) for value in logs.values()):
            raise DivergedError(
                f"the loss became NaN or infinite at step {taken}; the last checkpoint is good. Lower the rate "
                f"(method.rate={self.config.rate:g})"
            )
        self.taken += 1
        return logs
