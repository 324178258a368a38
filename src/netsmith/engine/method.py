"""How something is learned: the contract between a method and the engine.

A method owns *when* an optimizer steps; the engine owns *how*. ``players()`` names the parties and their parameters,
``step`` calls ``update(player, loss_function, batch)`` as often and in the order the paper says.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch, Views
from netsmith.engine.task import Loss, Metric, Task

__all__ = ["Feed", "Logs", "Method", "Update", "batch_norms"]

Logs = dict[str, float]
Feed = Iterator[Batch]


class Update(Protocol):
    """What the engine hands to a method: make one optimizer step for one player.

    Attributes:
        steps: Length of the run, for a method that learns in stages.
    """

    @property
    def steps(self) -> int: ...

    def __call__(self, player: str, loss_function: Callable[[Batch], Loss], batch: Batch) -> Logs:
        """Zero, split into micro-batches, run backward for that player only, sum ranks, divide, clip, step."""
        ...

    def sum_ranks(self, tensors: list[Tensor]) -> None:
        """Add tensors over all ranks in place: what a learner that counts needs instead of gradients."""
        ...


class Method(nn.Module, abc.ABC):
    """The base of every method; its submodules are the networks, so a device or a precision reaches all of them.

    Subclasses set ``self.task`` and, for the common case of one network, ``self.model``. The constructor is
    ``__init__(self, config, *, spec)``: build every network from its config, nothing else.
    """

    task: Task

    # -- learning ---------------------------------------------------------------------------------------------------

    def players(self) -> Mapping[str, Mapping[str, nn.Parameter]]:
        """Return the parameters of each player by their names in this module; ``{}`` for a closed-form learner."""
        return {"model": {name: p for name, p in self.named_parameters() if p.requires_grad}}

    @abc.abstractmethod
    def step(self, feed: Feed, update: Update) -> Logs:
        """Learn once: take fresh batches with ``next(feed)`` and call ``update``; return figures for the log."""

    def undecomposable(self) -> str:
        """Say why a batch may not be cut into micro-batches, or return ``""`` if it may.

        The default names the batch normalizations, whose statistics couple the examples of a batch in training, and
        modules that say so themselves, by an attribute ``couples_batch``.
        """
        norms = batch_norms(self)
        if norms:
            return f"batch normalization ({norms[0]}) couples the examples of a batch"
        said = ((name, getattr(module, "couples_batch", "")) for name, module in self.named_modules())
        return next((f"{reason} ({name})" for name, reason in said if reason), "")

    def act(self, observations: Any, noise: Tensor | None) -> Tensor:  # noqa: ARG002
        """Choose actions for a live source.

        Args:
            observations: One observation per environment.
            noise: ``(B,)`` keyed uniform numbers, the only randomness an action may use; None acts greedily.
        """
        raise UnsupportedError(f"{type(self).__name__} does not act; use a source with a fixed set of examples")

    # -- judging ----------------------------------------------------------------------------------------------------

    def metrics(self) -> dict[str, Metric]:
        """Return fresh metrics by name; the task's by default."""
        return self.task.metrics()

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        """Update the metrics with one batch (called without gradients, in evaluation mode)."""
        if isinstance(batch.inputs, Views):
            each = batch.inputs.each  # (B, V, ...)
            output = self.task.average(self.product()(each.flatten(0, 1)).unflatten(0, each.shape[:2]))
        else:
            output = self.product()(batch.inputs)
        for metric in metrics.values():
            metric.update(output, batch.targets)

    # -- the result -------------------------------------------------------------------------------------------------

    def product(self) -> nn.Module:
        """Return what evaluate, predict, export and serve take: the student, the generator, the policy."""
        model = self.model
        assert isinstance(model, nn.Module)
        return model

    def product_spec(self, spec: Spec) -> Spec:
        """Return the schema of the product; the data's own unless the product takes something else (noise)."""
        return spec

    # -- what a checkpoint keeps besides parameters -----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return everything a resume needs besides parameters: a tree of tensors and JSON values.

        The default holds all buffers and the parameters no player owns (a frozen teacher).
        """
        owned = {name for parameters in self.players().values() for name in parameters}
        others = {name: p.detach() for name, p in self.named_parameters() if name not in owned}
        return {"buffers": dict(self.named_buffers()) | others}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned.

        An empty buffer takes the size of its value: of a learner fitted at once only the fit knows it.
        """
        held = dict(self.named_buffers()) | dict(self.named_parameters())
        with torch.no_grad():
            for name, value in state["buffers"].items():
                if held[name].numel() == 0 and held[name].dim() == value.dim():
                    held[name].resize_(value.shape)
                held[name].copy_(value)


def batch_norms(module: nn.Module) -> list[str]:
    """Return the names of the batch normalizations that use the statistics of the batch."""
    return [
        name
        for name, child in module.named_modules()
        if isinstance(child, nn.modules.batchnorm._BatchNorm) and any(p.requires_grad for p in child.parameters())
    ]
