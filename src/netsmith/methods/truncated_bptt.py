"""Truncated backpropagation through time: the state goes on from batch to batch, the gradient does not."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from netsmith.core.roles import Batches, MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.method import Feed, Logs, Update
from netsmith.engine.task import Loss
from netsmith.layers.reading import Factored
from netsmith.methods._streams import StreamMethod

__all__ = ["TakesNats", "TruncatedBptt"]


@runtime_checkable
class TakesNats(Protocol):
    """A task whose loss needs of a model's answer only what each target cost."""

    def of_nats(self, nats: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        """Return the loss for the nats ``(B, T)`` of each target."""
        ...


class TruncatedBptt(StreamMethod):
    r"""Learn a recurrent language model from a text far longer than a gradient can go back through.

    Williams & Peng 1990, doi:10.1162/neco.1990.2.4.490; in this form (the rows of a batch are long stretches of text,
    read side by side; each window of k tokens is one update) Mikolov et al. 2010 and Zaremba et al. 2014,
    arXiv:1409.2329, section 4. The state :math:`h_{t k}` at the end of a window is the constant from which the next one
    begins; at the start of an epoch it is laid down.

    The state is part of a checkpoint, so that a run that was cut goes on exactly. Of several processes each carries the
    state of its own rows; a checkpoint keeps the first one's, so after a resume the others begin anew once.

    A model that says itself what a target costs (:class:`~netsmith.layers.reading.Factored`) is not asked for the
    logits of all tokens. Its one player is ``model``. The evaluation of dev and test carries the state through each of
    their rows.
    """

    class Config(MethodConfig):
        """What is learned; how far back the gradient goes is the data's field ``bptt``.

        Attributes:
            model: A network ``(tokens, state) -> (logits, state)``.
            task: What its output means.
        """

        learns_from: ClassVar[Batches] = "windows"

        model: ModelConfig
        task: TaskConfig

    def __init__(self, config: TruncatedBptt.Config, *, spec: Spec) -> None:
        super().__init__(model=config.model, task=config.task, spec=spec)
        self.config = config

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        found: dict[int, Any] = {}

        def loss(piece: Batch) -> Loss:
            assert piece.indices is not None
            tokens, before = piece.inputs
            if isinstance(self.task, TakesNats) and isinstance(self.model.network, Factored):
                nats, after = self.model(tokens, before, targets=piece.targets)
                lost = self.task.of_nats(nats, piece.targets, piece.weights)
            else:
                logits, after = self.model(tokens, before, carry=True)
                lost = self.task.loss(logits, piece.targets, piece.weights)
            # A closure computes a loss twice: what goes on is the state before the weights were moved.
            found.setdefault(int(piece.indices[0]), map_tensors(after, Tensor.detach))
            return lost

        logs = update("model", loss, dataclasses.replace(batch, inputs=(batch.inputs, self.carried.before(batch))))
        self.carried.after(batch, _joined(list(found.values())))
        return logs


def _joined(states: list[Any]) -> Any:
    """Return the states of a batch's pieces as one."""
    first = states[0]
    if len(states) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(states)
    return [_joined(list(parts)) for parts in zip(*states, strict=True)]
