"""Learn an initialization from which a few gradient steps suffice (Finn, Abbeel & Levine 2017, arXiv:1703.03400)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.func import functional_call, vmap

from netsmith.core.errors import UnsupportedError
from netsmith.core.roles import Batches, MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss, Metric

__all__ = ["MAML"]

Weights = dict[str, Tensor]


class MAML(Method):
    r"""Learn weights that one gradient step on a task's few examples turns into a good network for that task.

    .. math:: \min_\theta \sum_i L_i(\theta_i'), \qquad \theta_i' = \theta - \alpha \nabla_\theta L_i(\theta)
        \qquad \text{(Eq. 1)}

    The meta-gradient runs through the inner steps, second derivatives included; ``first_order`` drops them (section
    5.2). With ``inner_steps=0`` the network is trained jointly on all tasks: the paper's "pretrained" baseline, judged
    after the same fine-tuning as the meta-learned one.

    An example of a batch is a task: ``inputs = {"support": (B, K, ...), "support_targets": (B, K, ...), "query":
    (B, Q, ...)}``, ``targets`` for the queries. All tasks are adapted at once, each with its own copy of the weights.
    The figures are the task's, named by the steps taken before: ``mse_after_1``, ``mse_after_0``. The product is the
    network at the learned initialization; :meth:`adapt` makes one for a task.

    Args:
        config: The fields below.
        spec: The schema of the data.

    Raises:
        UnsupportedError: The network has buffers (running statistics), which tasks would share.
    """

    class Config(MethodConfig):
        """The network and the inner loop.

        Attributes:
            model: The network.
            task: Gives the loss, inside and outside; its output and target carry tasks, then points.
            inner_lr: Step size of the inner loop, the paper's alpha.
            inner_steps: Gradient steps inside the loss; 0 trains jointly.
            evaluation_steps: Gradient steps on the support examples before a task is judged.
            first_order: Treat the inner gradients as constants.
        """

        learns_from: ClassVar[Batches] = "tasks"

        model: ModelConfig
        task: TaskConfig
        inner_lr: float = Field(default=0.01, gt=0)
        inner_steps: NonNegativeInt = 1
        evaluation_steps: PositiveInt = 1
        first_order: bool = False

    def __init__(self, config: MAML.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model: nn.Module = config.model.build()
        self.task = config.task.build()
        buffers = [name for name, _ in self.model.named_buffers()]
        if buffers:
            raise UnsupportedError(
                f"maml adapts each task on its own, but the network keeps {buffers[0]!r} for all of them; "
                "use a network without running statistics"
            )

    def step(self, feed: Feed, update: Update) -> Logs:
        """Algorithm 2: one meta-update on a fresh batch of tasks."""
        return update("model", self.meta_loss, next(feed))

    def meta_loss(self, batch: Batch) -> Loss:
        """Return the loss of the adapted networks on their queries."""
        create_graph = not self.config.first_order
        weights = self._adapted(batch, self.config.inner_steps, create_graph=create_graph)[-1]
        return self.task.loss(self._forward(weights, batch.inputs["query"]), batch.targets, batch.weights)

    def metrics(self) -> dict[str, Metric]:
        return {
            f"{name}_after_{steps}": metric
            for steps in (self.config.evaluation_steps, 0)
            for name, metric in self.task.metrics().items()
        }

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        with torch.enable_grad():  # the fine-tuning itself needs gradients
            history = self._adapted(batch, self.config.evaluation_steps, create_graph=False)
        outputs = {steps: self._forward(history[steps], batch.inputs["query"]) for steps in (0, len(history) - 1)}
        mine = self.metrics()
        for name, metric in metrics.items():
            steps = int(name.rpartition("_")[2]) if name in mine else self.config.evaluation_steps
            metric.update(outputs[steps], batch.targets)

    def adapt(self, support: Tensor, targets: Tensor, *, steps: int = 1) -> nn.Module:
        """Return a copy of the network after gradient steps on one task's examples.

        Args:
            support: ``(K, ...)`` examples.
            targets: ``(K, ...)`` their targets.
            steps: Gradient steps of size ``inner_lr``.
        """
        batch = Batch(inputs={"support": support[None], "support_targets": targets[None]})
        with torch.enable_grad():
            weights = self._adapted(batch, steps, create_graph=False)[-1]
        adapted = copy.deepcopy(self.model)
        adapted.load_state_dict({name: weight[0] for name, weight in weights.items()}, strict=False)
        return adapted

    def _forward(self, weights: Weights, inputs: Tensor) -> Tensor:
        """Run each task's examples through its own weights: ``(B, K, ...)`` to ``(B, K, ...)``."""
        return vmap(lambda own, x: functional_call(self.model, own, (x,)), randomness="different")(weights, inputs)

    def _adapted(self, batch: Batch, steps: int, *, create_graph: bool) -> list[Weights]:
        """Return the weights of every task after 0, 1, ... ``steps`` inner steps, each ``(B, *shape)``."""
        inputs = batch.inputs
        size = len(inputs["support"])
        weights = {name: p.expand(size, *p.shape) for name, p in self.model.named_parameters() if p.requires_grad}
        history = [weights]
        for _ in range(steps):
            # Each task owns its slice of the weights, so the gradient of the sum holds every task's own gradient.
            total = self.task.loss(self._forward(weights, inputs["support"]), inputs["support_targets"]).total
            slopes = torch.autograd.grad(total, list(weights.values()), create_graph=create_graph)
            weights = {  # Eq. 1
                name: weight - self.config.inner_lr * slope
                for (name, weight), slope in zip(weights.items(), slopes, strict=True)
            }
            history.append(weights)
        return history
