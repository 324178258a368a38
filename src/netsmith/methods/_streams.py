"""What methods that read a text window by window share: the state that goes on, and evaluation in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from netsmith.core.roles import ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.method import Method
from netsmith.engine.task import Metric
from netsmith.layers.reading import Reading

__all__ = ["Carried", "StreamMethod"]

_LOGITS = 2**22  # numbers that one window of an evaluation may hold: 16 MB in single precision


class Carried:
    """A model's state at the end of the windows seen last, and where in the stream they ended.

    It goes on to the next batch only if each of its windows begins where the one before it in its row ended: so it is
    laid down at the start of an epoch, by a jump, and where another split is read.
    """

    def __init__(self) -> None:
        self.ends: Tensor | None = None
        self.state: Any = None

    def before(self, batch: Batch) -> Any:
        """Return the state that the batch goes on from; None where it begins anew."""
        same = self.ends is not None and batch.indices is not None and torch.equal(self.ends, batch.indices)
        return self.state if same else None

    def after(self, batch: Batch, state: Any) -> None:
        """Remember the state at the end of the batch."""
        self.ends = None if batch.indices is None else batch.indices + batch.targets.shape[1]
        self.state = state


class StreamMethod(Method):
    """Abstract: a language model ``(tokens, state) -> (logits, state)`` that reads a stream in windows.

    Evaluation reads each row in order and carries the state, so that a figure does not depend on how rows are cut.

    Args:
        model: The model.
        task: What its answers mean.
        spec: The schema of the data.
    """

    def __init__(self, *, model: ModelConfig, task: TaskConfig, spec: Spec) -> None:
        super().__init__()
        self.model = Reading(model.build())
        self.task = task.build()
        self.carried = Carried()
        self._judged = Carried()
        self._classes = max(1, spec.outputs.size)

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        """Update the metrics with a batch of rows, some hundreds of tokens at a time."""
        state = self._judged.before(batch)
        window = max(1, _LOGITS // (len(batch) * self._classes))
        for tokens, targets in zip(batch.inputs.split(window, 1), batch.targets.split(window, 1), strict=True):
            logits, state = self.model(tokens, state, carry=True)
            for metric in metrics.values():
                metric.update(logits, targets)
        self._judged.after(batch, state)

    def state(self) -> dict[str, Any]:
        """Return the buffers, and the state that the next training batch goes on from."""
        carried = {"ends": self.carried.ends, "state": self.carried.state}
        return super().state() | ({} if self.carried.ends is None else {"carried": carried})

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.carried = Carried()
        held = next((tensor.device for tensor in (*self.parameters(), *self.buffers())), torch.device("cpu"))
        if "carried" in state:
            self.carried.ends, self.carried.state = map_tensors(
                (state["carried"]["ends"], state["carried"]["state"]), lambda part: part.to(held)
            )
