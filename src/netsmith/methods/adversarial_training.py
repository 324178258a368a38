"""Adversarial training (Madry et al. 2018, arXiv:1706.06083; Goodfellow et al. 2015, arXiv:1412.6572)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import UnsupportedError
from netsmith.core.spec import InputKind, Spec
from netsmith.engine.batch import Batch, Views
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.task import Loss, Metric
from netsmith.layers.attacks import Attack
from netsmith.layers.evaluating import evaluating
from netsmith.layers.raw_unit import RawUnit
from netsmith.methods.supervised import Supervised

__all__ = ["AdversarialTraining"]

_ROBUST = "robust_"


class AdversarialTraining(Supervised):
    r"""Learn from the worst examples near those of the data, so that small changes of an input do not fool the network.

    .. math:: \min_\theta E_{(x, y)} \max_{\delta \in S} L(\theta, x + \delta, y) \qquad \text{(Madry, Eq. 2.1)}

    The inner maximum is sought by an attack (:mod:`netsmith.layers.attacks`): projected gradient ascent, or one step of
    it. ``clean_share`` is Goodfellow's alpha, which leaves a part of the loss to the examples as they are:

    .. math:: \alpha L(\theta, x, y) + (1 - \alpha) L(\theta, x + \delta, y)

    (section 6, alpha = 0.5); both halves pass through the network as one batch. A step costs as much as
    ``attack.steps + 1`` plain ones, with ``clean_share`` one more.

    Figures: those of the task, and each once more as ``robust_...`` (``test/robust_accuracy``): of the examples that
    the attack ``judged_by`` makes of the split with the labels known. An attack shows how far the figure falls, never
    that it falls no further.

    The unit of a change is the pixel in 0..1, before normalization, and attacked images stay in that range; of a table
    it is what the network sees. The attack sees the network in evaluation mode (no dropout; batch normalization by its
    running statistics, which it does not move), so that an example's attack depends on no other example; its start
    comes from the example's own key. With an epsilon of 0 in both attacks it is the method ``supervised``.

    Raises:
        UnsupportedError: The loss has no gradient with respect to the inputs; an example is looked at several times in
            an evaluation (``test_crops``).
    """

    class Config(Supervised.Config):
        """What is learned, against whom.

        Attributes:
            model: The network.
            task: What its output means.
            attack: What training examples undergo.
            judged_by: What examples undergo in an evaluation.
            clean_share: Alpha: what of the loss is that of the examples as they are.
            ramp: In so many steps the attack's epsilon and its step grow linearly to their full size, from the first
                step on; small networks may otherwise never leave a constant answer. 0 for the full size at once.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table")

        attack: Attack.Config = Attack.Config()
        judged_by: Attack.Config = Attack.Config()
        clean_share: float = Field(default=0.0, ge=0, lt=1)
        ramp: int = Field(default=0, ge=0)

    config: AdversarialTraining.Config
    taken: Tensor

    def __init__(self, config: AdversarialTraining.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self.unit = RawUnit.of(spec.inputs)
        self.judged_by = config.judged_by.build()
        if config.ramp:  # only then does a step depend on how many there were
            self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    def step(self, feed: Feed, update: Update) -> Logs:
        logs = super().step(feed, update)
        if self.config.ramp:
            self.taken += 1
        return logs

    def _attack(self) -> Attack:
        """Return the attack of the step."""
        config = self.config
        if not config.ramp:
            return config.attack.build()
        share = min(1.0, (int(self.taken) + 1) / config.ramp)
        return config.attack.derive(epsilon=share * config.attack.epsilon, step=share * config.attack.step).build()

    def attacked(self, batch: Batch, attack: Attack) -> Tensor:
        """Return what an attack makes of a batch, as the network sees it."""
        if not attack.config.epsilon:
            return batch.inputs
        assert batch.keys is not None
        unit = self.unit

        def loss(raw: Tensor) -> Tensor:
            return self.task.loss(self.model(unit.seen(raw)), batch.targets).total

        with evaluating(self):
            raw = attack(loss, unit.raw(batch.inputs), keys=batch.keys, low=unit.low, high=unit.high)
        return unit.seen(raw)

    def _loss(self, batch: Batch) -> Loss:
        alpha = self.config.clean_share
        worst = self.attacked(batch, self._attack())
        if not alpha:
            return self.task.loss(self.model(worst), batch.targets, batch.weights)
        clean, moved = self.model(torch.cat([batch.inputs, worst])).chunk(2)
        ours, theirs = (self.task.loss(output, batch.targets, batch.weights) for output in (clean, moved))
        return Loss(alpha * ours.total + (1 - alpha) * theirs.total, ours.weight)

    def metrics(self) -> dict[str, Metric]:
        return self.task.metrics() | {f"{_ROBUST}{name}": one for name, one in self.task.metrics().items()}

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        if isinstance(batch.inputs, Views):
            raise UnsupportedError(
                "adversarial_training judges one view of an example, and this data gives several; set test_crops=1 "
                "and one of test_scales"
            )
        ours = self.metrics()
        robust = {name: one for name, one in metrics.items() if name in ours and name.startswith(_ROBUST)}
        super().evaluate(batch, {name: one for name, one in metrics.items() if name not in robust})
        output = self.model(self.attacked(batch, self.judged_by))
        for metric in robust.values():
            metric.update(output, batch.targets)
