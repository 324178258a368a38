"""Language modeling: which token comes next, at every place of a text."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import DataError
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.tasks._decoding import class_names, probabilities_of
from netsmith.tasks._metrics import full, labels

__all__ = ["NextToken", "Perplexity"]


class NextToken(Task):
    r"""Cross entropy between the softmax of the logits at each place and the token that came next.

    .. math:: -\sum_i \log p(w_i \mid w_1, \ldots, w_{i-1})

    The figure is ``perplexity``, e to the mean of it over all tokens, each of which counts once however the text was
    cut; with ``bits`` also the mean in bits. A target of :data:`~netsmith.engine.task.UNLABELED` counts nowhere.

    Shapes:
        Output ``(B, T, V)``; target ``(B, T)`` int64.

    Raises:
        DataError: Output and targets are not of those shapes.
    """

    class Config(TaskConfig):
        """How it is learned and shown.

        Attributes:
            per: What the loss is a mean over: ``token``, or ``window``: the loss of a window is then the sum over its
                tokens, in which unit many papers give rate and clipping.
            bits: Also the figure ``bits``, the mean cross entropy in bits per token (or character).
            top: How many of the likeliest tokens a prediction shows.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tokens",)

        per: Literal["token", "window"] = "token"
        bits: bool = False
        top: int = Field(default=5, ge=1)

    def __init__(self, config: NextToken.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        _check(output, target)
        if weights is None:
            weight = labels(target) if self.config.per == "token" else float(len(target))
            return Loss(_nats(output, target, reduction="sum"), weight)
        return self.of_nats(_nats(output, target, reduction="none").view(target.shape), target, weights)

    def of_nats(self, nats: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        """Return the loss where a model says itself what each target costs, ``(B, T)``."""
        each = nats.where(target != UNLABELED, 0).sum(1)  # (B,)
        return Loss((each if weights is None else each * weights).sum(), self.weights(target, weights).sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return what each window weighs: its tokens or 1, times its weight."""
        tokens = (target != UNLABELED).sum(1).to(torch.get_default_dtype())  # (B,)
        each = tokens if self.config.per == "token" else torch.ones_like(tokens)
        return each if weights is None else each * weights

    def metrics(self) -> dict[str, Metric]:
        bits: dict[str, Metric] = {"bits": Ratio(_bits, higher_is_better=False, unit="bit")}
        return {"perplexity": Perplexity()} | (bits if self.config.bits else {})

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per text, the likeliest tokens after its last place with their probabilities (falling).

        Raises:
            ConfigError: The schema has another number of names than the network has tokens.
            DataError: A probability is not a number.
        """
        names = class_names(output, outputs)
        ranked, order = probabilities_of(output[:, -1]).sort(dim=1, descending=True, stable=True)
        top = min(self.config.top, len(names))
        return [
            {"next": {names[index]: value for index, value in zip(indices, values, strict=True)}}
            for indices, values in zip(order[:, :top].tolist(), ranked[:, :top].tolist(), strict=True)
        ]


class Perplexity(Ratio):
    """e to the mean negative log-likelihood of all tokens: how many equally likely ones it is like to choose among.

    Example:
        >>> perplexity = Perplexity()
        >>> perplexity.update(torch.zeros(1, 3, 8), torch.tensor([[0, 5, -100]]))
        >>> round(perplexity.compute(), 6)
        8.0
    """

    def __init__(self) -> None:
        super().__init__(_measured, higher_is_better=False)

    def compute(self) -> float:
        """Return the figure; infinite where a token was held to be impossible."""
        mean = super().compute()
        return math.exp(mean) if mean < 700 else mean if math.isnan(mean) else math.inf


def _nats(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    return F.cross_entropy(full(output).flatten(0, 1), target.flatten(), ignore_index=UNLABELED, reduction=reduction)


def _measured(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of nats, added up in double precision, and the number of tokens."""
    _check(output, target)
    return _nats(output, target, reduction="none").double().sum(), labels(target)


def _bits(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    nats, tokens = _measured(output, target)
    return nats / math.log(2), tokens


def _check(output: Tensor, target: Tensor) -> None:
    if output.dim() != 3 or output.shape[:2] != target.shape or target.is_floating_point():
        raise DataError(
            f"expected one token (int64) per place: the network answers {tuple(output.shape)} (texts, places, tokens), "
            f"the targets are {target.dtype} {tuple(target.shape)}"
        )
