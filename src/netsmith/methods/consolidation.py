"""Elastic weight consolidation: learn tasks one after another and remember (Kirkpatrick et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from netsmith.core.errors import ConfigError
from netsmith.core.roles import Batches, RunSettings
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.method import Logs, Update
from netsmith.engine.task import Loss
from netsmith.layers.evaluating import evaluating
from netsmith.methods.supervised import Supervised

__all__ = ["Consolidation", "fisher_diagonal"]

_AT_ONCE = 2**22  # numbers of a Jacobian: what fits the processor's cache is several times faster than a whole batch


def fisher_diagonal(model: nn.Module, inputs: Any) -> dict[str, Tensor]:
    r"""Return the diagonal of the Fisher information of a classifier's parameters, summed over examples.

    .. math:: F_i = \sum_x \sum_k p_\theta(k \mid x) \left(\partial \log p_\theta(k \mid x) / \partial \theta_i\right)^2

    The expectation is over the model's own answers and exact. The *empirical* Fisher, which takes the given label in
    place of the sum over k, vanishes where the examples are fitted, and is another matrix. The model runs as it is: put
    it into evaluation mode first.

    Args:
        model: Returns logits ``(B, K)``; each example's depend on that example alone.
        inputs: ``(B, ...)``: what it takes.

    Returns:
        By name of a parameter that requires a gradient, numbers of its shape.

    Example:
        >>> model = nn.Linear(1, 2)
        >>> _ = nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
        >>> fisher_diagonal(model, torch.tensor([[2.0], [0.0]]))["weight"].round(decimals=4)  # x^2 p (1 - p)
        tensor([[1.],
                [1.]])
    """
    parameters = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    fixed = {name: p.detach() for name, p in model.named_parameters() if not p.requires_grad}
    fixed |= dict(model.named_buffers())

    def scaled(moving: dict[str, Tensor], example: Any) -> Tensor:
        one = map_tensors(example, lambda part: part[None])
        found = functional_call(model, {**fixed, **moving}, (one,))[0].log_softmax(-1)  # (K,)
        return found * (found.detach() / 2).exp()  # the square of a slope then holds the factor p

    found = {name: torch.zeros_like(p) for name, p in parameters.items()}
    batch = Batch(inputs)
    with torch.no_grad():
        classes = model(batch.part(0, 1).inputs).shape[-1]
    at_once = max(1, _AT_ONCE // (classes * sum(p.numel() for p in parameters.values())))
    for part in batch.split(-(-len(batch) // at_once)):
        for name, slopes in vmap(jacrev(scaled), (None, 0))(parameters, part.inputs).items():  # (B, K, ...)
            found[name] += slopes.square_().sum((0, 1))
    return found


class Consolidation(Supervised):
    r"""Learn tasks in sequence with one network; what mattered for the earlier ones is held where it was.

    Plain training on a new task overwrites the old one. Here each parameter is tied to its value at the end of each
    earlier task t, as firmly as the answers to that task depend on it:

    .. math:: L(\theta) = L_{now}(\theta) + \sum_t \frac{\lambda}{2} \sum_i F_{t,i} (\theta_i - \theta^*_{t,i})^2
       \qquad \text{(Eq. 3)}

    with F the mean over examples of :func:`fisher_diagonal`. The half is the paper's: it makes the penalty the Laplace
    approximation of the old tasks' posterior, exact at :math:`\lambda = 1` where all tasks have equally many
    examples (both losses are means). Where a formula is written without it, its lambda is half of ours. The sum over
    tasks is kept as the one quadratic it is, so memory does not grow with their number. ``importance="uniform"`` puts 1
    in place of F (the paper's L2 baseline, with no half of it estimated), ``strength=0`` is plain training.

    A run has ``tasks`` stages of equal length. In the last ``fisher_steps`` of each stage but the last, F is estimated
    on that stage's batches, in evaluation mode, and nothing is updated. The data gives the tasks in the same sequence
    and its training split holds them one after another in equal shares (``permuted_tasks``); other data are refused at
    the first batch that shows it. Statistics of batch normalizations are not parameters and are not held.

    Raises:
        ConfigError: In ``step``: the batches are not of the task whose stage it is, or as :class:`Supervised`.
    """

    class Config(Supervised.Config):
        """What is learned, and how firmly it is kept.

        Attributes:
            model: The network; it answers all tasks with the same head.
            task: What its output means; classes.
            tasks: How many the data has.
            strength: Lambda.
            importance: What ties a parameter: its Fisher information, or the same for all.
            fisher_steps: Steps, and so batches, in which the information is estimated.
        """

        tasks: int = Field(default=5, ge=2)
        strength: float = Field(default=1.0, ge=0)
        importance: Literal["fisher", "uniform"] = "fisher"
        fisher_steps: int = Field(default=5, ge=1)

        def problem(self, run: RunSettings) -> str:
            """Return why the run has no equal stages in which something is learned."""
            if run.steps % self.tasks:
                return (
                    f"steps={run.steps} are not {self.tasks} stages of equal length; give as many epochs to each task "
                    "(epochs = tasks x epochs_each)"
                )
            if self.estimates and run.steps // self.tasks <= self.fisher_steps:
                return f"fisher_steps={self.fisher_steps} leaves no step of {run.steps // self.tasks} to learn a task"
            return ""

        def within(self, steps: int) -> Self:
            """Return the config with at most half of each stage of a run of so many steps spent estimating."""
            half = max(1, steps // self.tasks // 2)
            return self if self.fisher_steps <= half else self.derive(fisher_steps=half)

        def misfit(self, spec: Spec, *, gives: Batches) -> str:
            """Return why there are no tasks of classes in the data."""
            problem = super().misfit(spec, gives=gives)
            train = spec.split("train")
            if not problem and spec.outputs.kind != "classes":
                problem = f"consolidation learns classes, and the answers of {spec.dataset} are {spec.outputs.kind!r}"
            if not problem and train and train.size % self.tasks:
                problem = (
                    f"tasks={self.tasks}, but the {train.size} training examples of {spec.dataset} are not so many "
                    "equal shares; set method.tasks to the data's"
                )
            return problem

        @property
        def estimates(self) -> bool:
            """Whether steps go to estimating the Fisher information."""
            return self.strength > 0 and self.importance == "fisher"

    config: Consolidation.Config

    def __init__(self, config: Consolidation.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        train = spec.split("train")
        self._share = train.size // config.tasks if train else 0
        self.steps_taken = 0
        # sum_t F_t (theta - theta*_t)^2 = firmness (theta - anchor)^2 + offset, parameter by parameter
        self.firmness: dict[str, Tensor] = {}
        self.anchor: dict[str, Tensor] = {}
        self.offset = 0.0
        self._information: dict[str, Tensor] = {}
        self._examples = 0.0

    def _learn(self, batch: Batch, update: Update) -> Logs:
        length = update.steps // self.config.tasks
        stage, place = divmod(self.steps_taken, length)
        self._check_task(batch, stage)
        last = stage == self.config.tasks - 1
        if self.config.estimates and not last and place >= length - self.config.fisher_steps:
            logs = self._estimate(batch, update)
        else:
            logs = update("model", self._loss, batch)
        self.steps_taken += 1
        if self.config.strength and not last and place == length - 1:
            self._consolidate()
        return logs

    def _check_task(self, batch: Batch, stage: int) -> None:
        if batch.indices is None or not self._share:
            return
        low, high = (int(at) // self._share for at in batch.indices.aminmax())
        if (low, high) != (stage, stage):
            seen = f"task {low + 1}" if low == high else f"tasks {low + 1} to {high + 1}"
            raise ConfigError(
                f"step {self.steps_taken} is in the stage of task {stage + 1} of {self.config.tasks}, and its batch is "
                f"of {seen}: expected data in as many tasks, one after another (permuted_tasks), and "
                "epochs = tasks x epochs_each"
            )

    def _loss(self, batch: Batch) -> Loss:
        loss = super()._loss(batch)
        if not self.firmness:
            return loss
        parameters = dict(self.model.named_parameters())
        pull = sum((self.firmness[n] * (parameters[n] - self.anchor[n]).square()).sum() for n in self.firmness)
        penalty = self.config.strength / 2 * (pull + self.offset)  # Eq. 3
        # the engine divides by the weight of the batch: the penalty is counted once for each mean, whole or in parts
        return Loss(loss.total + penalty * loss.weight, loss.weight)

    def _estimate(self, batch: Batch, update: Update) -> Logs:
        with evaluating(self.model):
            found = fisher_diagonal(self.model, batch.inputs)
        count = next(iter(found.values())).new_tensor(len(batch))
        update.sum_ranks([*found.values(), count])  # at once: a checkpoint is of one rank, and all resume from it
        for name, values in found.items():
            self._information[name] = self._information.get(name, 0) + values
        self._examples += float(count)
        return {"fisher": float(sum(values.sum() for values in found.values()) / count)}

    @torch.no_grad()
    def _consolidate(self) -> None:
        """Add this task's quadratic to those of the earlier ones."""
        parameters = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        if self.config.estimates:
            added = {name: self._information[name] / self._examples for name in parameters}
        else:
            added = {name: torch.ones_like(parameter) for name, parameter in parameters.items()}
        for name, more in added.items():
            firm = self.firmness.get(name, torch.zeros_like(more))
            anchor = self.anchor.get(name, torch.zeros_like(more))
            whole = firm + more
            share = torch.where(whole > 0, more / whole, 0.0)
            apart = parameters[name] - anchor
            self.offset += float((firm * share * apart.square()).sum())
            self.firmness[name], self.anchor[name] = whole, anchor + share * apart
        self._information, self._examples = {}, 0.0

    def state(self) -> dict[str, Any]:
        """Return the buffers, how far the run is, and what is held where."""
        return {
            **super().state(),
            "steps_taken": self.steps_taken,
            "firmness": self.firmness,
            "anchor": self.anchor,
            "offset": self.offset,
            "information": self._information,
            "examples": self._examples,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        beside = dict(self.model.named_parameters())

        def taken(name: str) -> dict[str, Tensor]:
            return {entry: value.to(beside[entry]).clone() for entry, value in state[name].items()}

        self.firmness, self.anchor, self._information = taken("firmness"), taken("anchor"), taken("information")
        self.steps_taken, self.offset = int(state["steps_taken"]), float(state["offset"])
        self._examples = float(state["examples"])
