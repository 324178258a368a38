"""Adaline and the least-mean-squares rule (Widrow & Hoff 1960)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch

__all__ = ["Adaline"]


class Adaline(nn.Module):
    r"""Linear units that learn from how far off they are, before any threshold: gradient descent on the square error.

    Widrow & Hoff 1960, Adaptive switching circuits, IRE WESCON. Of a target t (1 for the unit's class and -1 else, or
    a value):

    .. math:: w \leftarrow w + \eta \, \mathrm{E}[(t - w x) x]

    the bias a weight of an input that is always 1. ``batch`` takes the mean over the batch; ``online``, the rule as it
    was built, takes one example after the other. With the input correlation :math:`R = \mathrm E[x x^T]` the distance
    from the least-squares weights becomes :math:`(I - \eta R)^t` times the first one, so that the batch rule converges
    exactly for :math:`0 < \eta < 2 / \lambda_{max}(R)`. Online the mean of the weights does; they keep moving around it
    unless the rate falls. (Widrow's :math:`\mu` is half of our :math:`\eta`.)

    Attributes:
        weight: ``(U, F)`` float64.
        bias: ``(U,)`` float64; stays 0 without ``bias``.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_outputs)`` float64.

    Raises:
        DataError: In ``learn``: targets that are neither one class nor ``num_outputs`` values per example.
    """

    weight: Tensor
    bias: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            updates: ``online`` after each example, or once for each ``batch``.
            bias: Whether there is one.
            in_features: Numbers per example.
            num_outputs: Classes, or values.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        scores: ClassVar[str] = "linear responses"

        updates: Literal["online", "batch"] = "batch"
        bias: bool = True
        in_features: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Adaline.Config) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("weight", torch.zeros(config.num_outputs, config.in_features, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(config.num_outputs, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what each unit sums up."""
        return inputs.flatten(1).to(self.weight.dtype) @ self.weight.T + self.bias

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Go down the square error.

        Args:
            batch: Inputs ``(B, ...)``; targets ``(B,)`` int64 classes or ``(B, num_outputs)`` values; weights of the
                examples count relative to their mean.
            rate: eta.

        Returns:
            ``loss``, the mean square error, each example's before it was learned from.
        """
        x, targets = batch.inputs.flatten(1).to(self.weight.dtype), self._targets(batch.targets)  # (B, F), (B, U)
        weights = torch.ones_like(x[:, 0]) if batch.weights is None else batch.weights.to(x)
        weights = weights / weights.mean()
        size = len(x) if self.config.updates == "batch" else 1
        loss = torch.zeros((), dtype=x.dtype, device=x.device)
        for some, wanted, weight in zip(x.split(size), targets.split(size), weights[:, None].split(size), strict=True):
            error = wanted - self(some)  # (size, U)
            loss += (weight * error.square()).sum()
            self.weight += rate / size * (weight * error).T @ some
            if self.config.bias:
                self.bias += rate / size * (weight * error).sum(0)
        return {"loss": float(loss) / targets.numel()}

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _targets(self, targets: Tensor) -> Tensor:
        units = len(self.bias)
        if targets.is_floating_point() and targets.numel() == len(targets) * units:
            return targets.reshape(len(targets), units).to(self.weight.dtype)
        if targets.is_floating_point() or targets.dim() != 1 or not bool(((targets >= 0) & (targets < units)).all()):
            raise DataError(
                f"expected one class in 0..{units - 1} or {units} values per example, got {tuple(targets.shape)} "
                f"targets of {targets.dtype}"
            )
        return (2 * nn.functional.one_hot(targets, units) - 1).to(self.weight.dtype)
