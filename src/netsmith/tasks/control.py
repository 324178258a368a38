"""Control: choose actions; what counts is the return of whole episodes."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task, weighted

__all__ = ["Control"]


class Control(Task):
    r"""Judge a policy by its mean return, and learn from actions weighted by how good they were.

    .. math:: L = -\sum_i w_i \log \pi(a_i | s_i)

    With advantages as weights this is the policy gradient's surrogate loss (Williams 1992); without weights it clones
    behavior. Advantages add up to about zero, so a policy gradient divides ``total`` by its own count of actions.

    Shapes:
        Output: logits ``(B, A)``; target: actions ``(B,)`` int64. Metrics take ``{"returns": (B,)}``, one per episode.
    """

    class Config(TaskConfig):
        """Nothing to choose."""

        answers: ClassVar[tuple[OutputKind, ...]] = ("policy",)

    def __init__(self, config: Control.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        return weighted(F.cross_entropy(output, target, reduction="none"), weights)

    def metrics(self) -> dict[str, Metric]:
        return {"mean_return": Ratio(_returns, unit="reward")}

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        rows = output.softmax(-1).tolist()
        return [
            {
                "action": outputs.names[max(range(len(row)), key=row.__getitem__)],
                "probabilities": dict(zip(outputs.names, row, strict=True)),
            }
            for row in rows
        ]


def _returns(output: Any, target: dict[str, Tensor]) -> tuple[float, int]:  # noqa: ARG001
    return float(target["returns"].double().sum()), len(target["returns"])
