"""What several tasks measure, exact under any split into batches and ranks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import DataError
from netsmith.engine.task import UNLABELED, Metric

__all__ = [
    "R2",
    "absolute_errors",
    "among",
    "correct",
    "full",
    "labels",
    "negative_log_likelihood",
    "paired",
    "squared_errors",
]


def full(output: Tensor) -> Tensor:
    """Return a network's output in at least single precision: losses and figures are never taken in half."""
    return output.float() if output.dtype in (torch.bfloat16, torch.float16) else output


def labels(target: Tensor) -> Tensor:
    """Return how many classes are given, as a scalar: all but those that are ``UNLABELED``."""
    return torch.count_nonzero(target != UNLABELED)  # half the time of a sum


def paired(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and target as ``(B, V)`` values of one floating type.

    Raises:
        DataError: They do not hold as many values per example.
    """
    values = full(output).reshape(output.shape[0], -1)  # (B, V)
    wanted = target.reshape(target.shape[0], -1).to(values.dtype)
    if values.shape != wanted.shape:
        raise DataError(
            f"the network answers {tuple(values.shape)} (examples, values), the targets are {tuple(wanted.shape)}; "
            "set num_outputs to the number of target columns"
        )
    return values, wanted


def correct(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many classes are right, and of how many.

    Raises:
        DataError: The targets are not one class per example.
    """
    _check_classes(target)
    return (output.argmax(1) == target).sum(), labels(target)


def among(count: int, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many classes are among the ``count`` likeliest, and of how many; of equal ones the first counts.

    Raises:
        DataError: The targets are not one class per example.
    """
    _check_classes(target)
    labeled = target != UNLABELED
    output, target = output[labeled], target[labeled]
    true = output.gather(1, target[:, None])
    earlier = torch.arange(output.shape[1], device=output.device) < target[:, None]
    ahead = ~(output <= true) | ((output == true) & earlier)  # what is no number is ahead of all
    return (ahead.sum(1) < count).sum(), labeled.sum()


def _check_classes(target: Tensor) -> None:
    if target.dim() != 1 or target.is_floating_point():
        raise DataError(f"expected one class (int64) per example, got {target.dtype} targets {tuple(target.shape)}")


def negative_log_likelihood(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed cross entropy in nats, and the number of labels."""
    return F.cross_entropy(output.double(), target, reduction="sum", ignore_index=UNLABELED), labels(target)


def squared_errors(output: Tensor, target: Tensor) -> tuple[Tensor, int]:
    """Return the sum of squared errors, and the number of values."""
    values, wanted = paired(output.double(), target)
    return (values - wanted).square().sum(), values.numel()


def absolute_errors(output: Tensor, target: Tensor) -> tuple[Tensor, int]:
    """Return the sum of absolute errors, and the number of values."""
    values, wanted = paired(output.double(), target)
    return (values - wanted).abs().sum(), values.numel()


class R2(Metric):
    r"""The coefficient of determination, averaged over the values.

    .. math:: 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2}

    Batches are merged by the pairwise update of Chan, Golub & LeVeque (1979), which does not lose digits where the mean
    is large. A value that never varies counts 1 if it is always met, else 0, as in scikit-learn.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0, dtype=torch.float64)
        self.spread = torch.zeros(0, dtype=torch.float64)
        self.residual = torch.zeros(0, dtype=torch.float64)

    def update(self, output: Tensor, target: Tensor) -> None:
        values, wanted = (part.cpu() for part in paired(output.double(), target))
        mean = wanted.mean(0)  # (V,)
        self._add(len(wanted), mean, (wanted - mean).square().sum(0), (wanted - values).square().sum(0))

    def merge(self, other: R2) -> None:
        self._add(other.count, other.mean, other.spread, other.residual)

    def compute(self) -> float:
        if self.count < 2:
            return float("nan")
        share = self.residual / self.spread
        flat = torch.where(self.residual == 0, 1.0, 0.0).double()
        return float(torch.where(self.spread == 0, flat, 1 - share).mean())

    def _add(self, count: int, mean: Tensor, spread: Tensor, residual: Tensor) -> None:
        if not count:
            return
        if not self.count:
            self.count, self.mean, self.spread, self.residual = count, mean, spread, residual
            return
        total, gap = self.count + count, mean - self.mean
        self.spread = self.spread + spread + gap.square() * (self.count * count / total)
        self.mean = self.mean + gap * (count / total)
        self.residual = self.residual + residual
        self.count = total
