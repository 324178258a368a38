"""Rosenblatt's perceptron: a threshold unit that learns from its mistakes (1958)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import DataError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.engine.batch import Batch

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    r"""Change the weights by the example whenever the answer is wrong, and by nothing while it is right.

    Rosenblatt 1958, Psychological Review 65(6), in the form of Novikoff 1962. Of each example (x, y), y = -1 or 1, in
    the order they come:

    .. math:: w \leftarrow w + \eta y x, \quad b \leftarrow b + \eta y \qquad \text{if } y (w x + b) \le 0

    On examples that a plane parts with margin :math:`\gamma` (the distance of the nearest to it, b a weight of an input
    that is always 1) and whose norms are at most R, there are at most :math:`(R / \gamma)^2` mistakes, however often
    and in whatever order they are shown (Novikoff). On others it never rests.

    From weights of zero the rate only sets their scale. Several classes have a unit each, its class against the rest;
    two classes share one unit, whose answer above 0 means the second. The same weights as scikit-learn's
    ``Perceptron(shuffle=False, tol=None)`` after as many passes in the same order.

    Attributes:
        weight: ``(U, F)`` float64.
        bias: ``(U,)`` float64; stays 0 without ``bias``.
        mistakes: ``(U,)`` int64, so far.

    Shapes:
        ``(B, ...)`` with ``in_features`` numbers per example to ``(B, num_classes)`` float64 scores; of two classes,
        the first one's is less the second's.

    Raises:
        DataError: In ``learn``: targets that are not one class of ``0..num_classes - 1`` per example.
    """

    weight: Tensor
    bias: Tensor
    mistakes: Tensor

    class Config(ModelConfig):
        """The model's form.

        Attributes:
            bias: Whether the plane may pass beside the origin.
            in_features: Numbers per example.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        scores: ClassVar[str] = "w x + b"

        bias: bool = True
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: Perceptron.Config) -> None:
        super().__init__()
        self.config = config
        units = 1 if config.num_classes == 2 else config.num_classes
        self.register_buffer("weight", torch.zeros(units, config.in_features, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros(units, dtype=torch.float64))
        self.register_buffer("mistakes", torch.zeros(units, dtype=torch.int64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return a score for each class."""
        scores = inputs.flatten(1).to(self.weight.dtype) @ self.weight.T + self.bias  # (B, U)
        return torch.cat([-scores, scores], 1) if self.config.num_classes == 2 else scores

    def learn(self, batch: Batch, *, rate: float) -> dict[str, float]:
        """Show the batch's examples one after the other.

        Args:
            batch: Inputs ``(B, ...)`` and targets ``(B,)`` int64; a weight of an example is a factor on its rate.
            rate: eta.

        Returns:
            ``loss``, the mean of max(0, -y (w x + b)) over examples and units, each before it was learned from; and
            ``mistakes`` of all units.
        """
        x, signs = batch.inputs.flatten(1).to(self.weight.dtype), self._signs(batch.targets)  # (B, F), (B, U)
        rates = torch.full_like(signs[:, 0], rate) if batch.weights is None else rate * batch.weights.to(signs)
        loss, before = torch.zeros_like(self.bias), self.mistakes.sum()
        for example, sign, step in zip(x, signs, rates, strict=True):
            right = sign * (self.weight @ example + self.bias)  # (U,), positive where the answer is right
            wrong = right <= 0
            change = step * sign * wrong
            self.weight += change[:, None] * example
            if self.config.bias:
                self.bias += change
            self.mistakes += wrong
            loss -= right.clamp(max=0)
        return {"mistakes": float(self.mistakes.sum() - before), "loss": float(loss.mean()) / len(x)}

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}

    def _signs(self, targets: Tensor) -> Tensor:
        """Return 1 where an example is of the unit's class and -1 elsewhere, ``(B, U)``."""
        classes = self.config.num_classes
        if targets.dim() != 1 or targets.is_floating_point() or not bool(((targets >= 0) & (targets < classes)).all()):
            raise DataError(f"expected one class in 0..{classes - 1} per example, got {tuple(targets.shape)} targets")
        of_class = nn.functional.one_hot(targets, classes)[:, -len(self.bias) :]
        return (2 * of_class - 1).to(self.weight.dtype)
