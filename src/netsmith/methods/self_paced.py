"""Self-paced learning: from what is easy now, then from all (Kumar, Packer & Koller 2010)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.roles import RunSettings
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Logs, Update
from netsmith.engine.task import Loss
from netsmith.layers.evaluating import evaluating
from netsmith.methods.supervised import Supervised

__all__ = ["SelfPaced"]

_HIGHEST = 500.0  # exponents beyond it are above every loss


class SelfPaced(Supervised):
    r"""Learn at each step from those examples of the batch whose loss is small; what counts as small grows.

    Kumar, Packer & Koller 2010, "Self-paced learning for latent variable models" (our :math:`\lambda` is their 1/K):

    .. math:: \min_{w, v} \sum_i v_i l_i(w) - \lambda \sum_i v_i, \qquad v_i = [l_i < \lambda] \qquad \text{(Eq. 7)}

    No difficulty is given: it is the network's own loss, which changes as it learns. First all examples count for
    ``warm_up`` steps (the paper's T0 iterations: what a fresh network finds easy means nothing). Then every ``every``
    steps lambda is multiplied by ``growth``; from ``full_from`` of the run on all examples count again. Where ``start``
    is 0 lambda begins at the middle of the losses of the batch after the warm-up (in evaluation mode), so that
    half of the batch lies below it, as in the paper. The loss is divided by the weight of all examples, chosen or not.
    The paper minimizes over w for each v; here v is found anew for each batch, by the forward pass that is learned
    from. An example without a label (:data:`~netsmith.engine.task.UNLABELED`) counts nowhere.

    The log holds ``chosen``, the share of the batch's labeled examples that count, and ``lambda`` until it is infinite.

    Raises:
        ConfigError: In ``step``: lambda would begin at 0, or as :class:`Supervised`.
    """

    class Config(Supervised.Config):
        """What is learned, and at what pace.

        Attributes:
            model: The network.
            task: What its output means.
            warm_up: Steps in which all examples count, before lambda has a say.
            start: The first lambda, in the unit of the loss; 0 for the middle of the batch after the warm-up.
            growth: What lambda is multiplied by.
            every: Steps between two multiplications.
            full_from: Share of the run after which all examples count.
        """

        warm_up: int = Field(default=100, ge=0)
        start: float = Field(default=0.0, ge=0)
        growth: float = Field(default=1.3, gt=1)
        every: int = Field(default=50, ge=1)
        full_from: float = Field(default=0.8, gt=0, le=1)

        def problem(self, run: RunSettings) -> str:
            """Return why lambda would never have a say."""
            if self.warm_up >= self.full_from * run.steps:
                return f"warm_up={self.warm_up} leaves no step of {run.steps} before full_from={self.full_from:g}"
            return ""

        def within(self, steps: int) -> Self:
            """Return the config with a warm-up and a pace of a sixth of so many steps, unless lambda has its say."""
            if not self.problem(RunSettings(steps=steps)):
                return self
            sixth = steps // 6
            return self.derive(warm_up=min(self.warm_up, sixth), every=max(1, min(self.every, sixth)))

    config: SelfPaced.Config
    counts: Tensor

    def __init__(self, config: SelfPaced.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self.steps_taken = 0
        self.first = config.start
        # The chosen and the labeled examples of a step: a buffer, since what an optimizer asks twice counts once.
        self.register_buffer("counts", torch.zeros(2, dtype=torch.int64), persistent=False)

    def limit(self, step: int, *, steps: int) -> float:
        """Return lambda at a step of a run of ``steps``."""
        paced = step - self.config.warm_up
        if paced < 0 or step >= self.config.full_from * steps:
            return math.inf
        exponent = paced // self.config.every * math.log(self.config.growth)
        return self.first * math.exp(exponent) if exponent < _HIGHEST else math.inf

    def _learn(self, batch: Batch, update: Update) -> Logs:
        if not self.first and self.steps_taken >= self.config.warm_up:
            self.first = self._median(batch, update)
        limit = self.limit(self.steps_taken, steps=update.steps)
        self.counts.zero_()
        logs = update("model", lambda part: self._paced(part, limit), batch)
        self.steps_taken += 1
        update.sum_ranks([self.counts])
        chosen, labeled = self.counts.tolist()
        pace = {"chosen": chosen / labeled} | ({} if math.isinf(limit) else {"lambda": limit})
        return pace | dict(logs)  # the loss stands last, as everywhere

    def losses(self, output: Any, batch: Batch) -> Tensor:
        """Return the loss of each example, ``(B,)``: the slope of the batch's loss in the examples' weights."""
        fixed = output.detach()
        weights = torch.ones(
            len(batch), device=fixed.device, dtype=torch.float64 if fixed.dtype == torch.float64 else None
        )
        with torch.enable_grad():
            weights.requires_grad_(True)
            total = self.task.loss(fixed, batch.targets, weights).total
        return torch.autograd.grad(total, weights)[0]

    def _paced(self, batch: Batch, limit: float) -> Loss:
        output = self.model(batch.inputs)
        labeled = self._labeled(batch)
        chosen = labeled & (self.losses(output, batch) < limit)  # v_i
        self.counts += torch.stack([chosen.sum(), labeled.sum()])
        given = torch.ones_like(chosen, dtype=torch.float32) if batch.weights is None else batch.weights
        held = self.task.weights(batch.targets, given)
        total = self.task.loss(output, batch.targets, given * chosen).total
        return Loss(total, (given if held is None else held).sum())

    def _labeled(self, batch: Batch) -> Tensor:
        """Return which examples have a label, ``(B,)``."""
        ones = torch.ones(len(batch), device=self.counts.device)
        held = self.task.weights(batch.targets, ones)
        return (ones if held is None else held) > 0

    def _median(self, batch: Batch, update: Update) -> float:
        """Return a number between the lower and the upper half of a batch's losses, the mean of it over the processes.

        Raises:
            ConfigError: It is 0.
        """
        with evaluating(self.model), torch.no_grad():  # no dropout, which only an update draws by the run's seed
            losses = self.losses(self.model(batch.inputs), batch)[self._labeled(batch)]
        sums = losses.new_zeros(2)  # of a process without labels
        if len(losses):
            ranked, half = losses.sort().values, len(losses) // 2
            # between two of them: were it one, rounding would say on which side that one lies in the step that follows
            sums = torch.stack([ranked[max(0, half - 1) : half + 1].mean(), losses.new_ones(())])
        update.sum_ranks([sums])
        median, count = sums.tolist()
        if not median:
            what = "the median loss of the batch is 0" if count else "the batch has no example with a label"
            raise ConfigError(
                f"step {self.steps_taken}: {what}, so lambda would begin at 0 and nothing be learned; set "
                "method.start to the first lambda, or end the warm-up earlier (method.warm_up)"
            )
        return median / count

    def state(self) -> dict[str, Any]:
        """Return the buffers, how far the run is, and where lambda began."""
        return {**super().state(), "steps_taken": self.steps_taken, "first": self.first}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken, self.first = int(state["steps_taken"]), float(state["first"])
