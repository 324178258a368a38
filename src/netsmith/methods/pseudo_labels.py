"""Pseudo-labels: what the network believes of examples without labels becomes their label (Lee 2013)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from pydantic import Field, model_validator

from netsmith.core.errors import ConfigError
from netsmith.core.roles import Batches, RunSettings
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Logs, Update
from netsmith.engine.task import UNLABELED, Loss
from netsmith.methods.supervised import Supervised

__all__ = ["PseudoLabels", "ramp"]


def ramp(step: int, *, start: int, end: int, alpha: float) -> float:
    """Return the weight of the unlabeled examples at a step: 0 before ``start``, ``alpha`` from ``end`` on (Eq. 16).

    Example:
        >>> [ramp(step, start=100, end=600, alpha=3.0) for step in (99, 100, 350, 600, 9999)]
        [0.0, 0.0, 1.5, 3.0, 3.0]
    """
    if step < start:
        return 0.0
    return alpha * (step - start) / (end - start) if step < end else alpha  # Eq. 16


class PseudoLabels(Supervised):
    r"""Learn from few labels and many examples without: the likeliest class of the moment is taken for the label.

    Lee 2013, "Pseudo-Label: the simple and efficient semi-supervised learning method for deep neural networks":

    .. math:: L = \frac{1}{n} \sum_{labeled} l(y_i, f_i) + \alpha(t) \frac{1}{n'} \sum_{unlabeled} l(y'_i, f_i)
       \qquad \text{(Eq. 15)}

    with :math:`y'_i` the class of the largest probability (Eq. 14), found anew at each step by the same forward pass,
    and the weight of :func:`ramp`. It pulls the borders between classes away from where examples lie dense. Where a
    threshold is given, examples count whose largest probability is at least that; the others count as zeros, so n' is
    still the number of all without labels. The paper has no threshold (0).

    An example has no label where its target is ``UNLABELED`` (the source ``few_labels``). Both means are over the whole
    batch, in however many parts or on however many processes it is computed.

    Raises:
        ConfigError: In ``step``: targets are mixed (mixup), no example was without a label in a whole epoch (or in the
            run, if that is shorter), or as :class:`Supervised`.
    """

    class Config(Supervised.Config):
        """What is learned, and how far the network is believed.

        Attributes:
            model: The network.
            task: What its output means; classes.
            alpha: The final weight of the unlabeled examples.
            ramp_start: T1, the step from which they count.
            ramp_end: T2, the step from which they count fully.
            threshold: The least probability of a class that is believed.
        """

        alpha: float = Field(default=3.0, ge=0)
        ramp_start: int = Field(default=100, ge=0)
        ramp_end: int = Field(default=600, ge=0)
        threshold: float = Field(default=0.0, ge=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> PseudoLabels.Config:
            if self.ramp_end < self.ramp_start:
                raise ValueError(f"ramp_end={self.ramp_end} comes before ramp_start={self.ramp_start}")
            return self

        def problem(self, run: RunSettings) -> str:
            """Return why no pseudo-label would ever count; ``alpha=0`` says that none is to."""
            if not self.alpha or ramp(run.steps - 1, start=self.ramp_start, end=self.ramp_end, alpha=self.alpha):
                return ""
            return (
                f"ramp_start={self.ramp_start} leaves no step of {run.steps} in which a pseudo-label counts; set "
                "method.ramp_start (and ramp_end) lower, or alpha=0 to learn from the labels alone"
            )

        def within(self, steps: int) -> Self:
            """Return the config with its ramp in the first half of a run of so many steps, unless it ends in it."""
            if self.ramp_end < steps:
                return self
            end = steps // 2
            return self.derive(ramp_start=self.ramp_start * end // max(1, self.ramp_end), ramp_end=end)

        def misfit(self, spec: Spec, *, gives: Batches) -> str:
            """Return why there are no classes to believe in."""
            problem = super().misfit(spec, gives=gives)
            if not problem and spec.outputs.kind != "classes":
                problem = f"pseudo_labels learns classes, and the answers of {spec.dataset} are {spec.outputs.kind!r}"
            return problem

    config: PseudoLabels.Config

    def __init__(self, config: PseudoLabels.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self.steps_taken = 0
        train = spec.split("train")
        self._epoch = train.size if train else math.inf
        self._searched = 0  # examples that have come, none of them without a label; -1 once one was

    def _learn(self, batch: Batch, update: Update) -> Logs:
        config = self.config
        if batch.targets.is_floating_point():
            raise ConfigError(
                "pseudo_labels takes one class for each example, and the targets of the batch are mixed; leave mixup "
                "out (data.mixup=0)"
            )
        alpha = ramp(self.steps_taken, start=config.ramp_start, end=config.ramp_end, alpha=config.alpha)
        given = batch.targets.new_ones(len(batch), dtype=torch.float32) if batch.weights is None else batch.weights
        known = batch.targets != UNLABELED
        sums = torch.stack([(given * known).sum(), (given * ~known).sum(), given.new_tensor(len(batch))])
        update.sum_ranks([sums])
        labeled, unlabeled, size = sums.unbind()
        if self._searched >= 0:
            self._search(float(unlabeled), int(size), last=self.steps_taken + 1 >= update.steps)
        # each kind is divided by its own sum: times the size, since the engine divides by that
        shares = torch.where(known, size / labeled.clamp(min=1e-12), alpha * size / unlabeled.clamp(min=1e-12))
        logs = update("model", self._loss, dataclasses.replace(batch, weights=given * shares))
        self.steps_taken += 1
        return logs

    def _search(self, unlabeled: float, size: int, *, last: bool) -> None:
        """Refuse data in which no label is missing: the run would be plain supervised learning under another name."""
        self._searched = -1 if unlabeled else self._searched + size
        if self._searched >= self._epoch or (last and self._searched >= 0):
            raise ConfigError(
                f"step {self.steps_taken}: none of {self._searched} examples was without a label, so pseudo_labels has "
                "nothing to label; hide labels (data few_labels), or take the method supervised"
            )

    def _loss(self, batch: Batch) -> Loss:
        """Return Eq. 15, from weights that hold alpha and both means' divisors."""
        assert batch.weights is not None
        output = self.model(batch.inputs)
        believed, likeliest = output.detach().float().softmax(-1).max(-1)  # Eq. 14
        known = batch.targets != UNLABELED
        counted = known | (believed >= self.config.threshold)
        targets = batch.targets.where(known, likeliest)
        return Loss(self.task.loss(output, targets, batch.weights * counted).total, float(len(batch)))

    def state(self) -> dict[str, Any]:
        """Return the buffers, how far the run is, and whether an example without a label has come."""
        return {**super().state(), "steps_taken": self.steps_taken, "searched": self._searched}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken, self._searched = int(state["steps_taken"]), int(state["searched"])
