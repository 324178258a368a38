"""One tag for each element of a sequence, judged and found as a whole: hidden Markov models, linear-chain CRFs."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import DataError
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.layers.chain import best_paths, inside_chain, log_partition, marginals, surprisal
from netsmith.layers.linear_chain import SEALED
from netsmith.tasks._decoding import class_names
from netsmith.tasks._metrics import full
from netsmith.tasks._spans import SchemeFields, span_metric, spans_found

__all__ = ["Chain"]


class Chain(Task):
    r"""The probability of whole sequences of tags, from a network that answers with the potentials of a chain.

    .. math:: -\log p(y \mid x) = \log \sum_{y'} \exp \sum_t P_t(y'_{t-1}, y'_t) - \sum_t P_t(y_{t-1}, y_t)

    summed over the sequences and divided by the number of labels in the whole batch. For a CRF (Lafferty, McCallum &
    Pereira 2001) that is its loss; where potentials are logarithms of a hidden Markov model's probabilities it is
    that of the tags given the words. Elements within a sequence whose target is
    :data:`~netsmith.engine.task.UNLABELED` may have any tag: the loss is that of the others (Tsuboi et al. 2008,
    doi:10.3115/1599081.1599194). The answer is the best sequence (Viterbi 1967). Figures: with a ``scheme`` ``f1``
    first (:class:`~netsmith.tasks._spans.SpanF1`); ``accuracy`` of the best sequences' tags, in 0..1; ``loss`` in nats
    per label.

    Shapes:
        Output ``(B, L, K, K)``, potentials as :mod:`netsmith.layers.chain` has them, or a packed chain
        ``(B, L + K, K)`` (:mod:`netsmith.layers.linear_chain`); target ``(B, L)`` int64.

    Raises:
        DataError: Output or targets are not of that shape, or a label stands at padding.
    """

    class Config(SchemeFields):
        """How sequences are judged."""

        answers: ClassVar[tuple[OutputKind, ...]] = ("tags",)

    def __init__(self, config: Chain.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        losses = _losses(full(output), target)
        share = 1 if weights is None else weights
        return Loss((losses * share).sum(), self.weights(target, weights).sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return how many labels each example has, times its weight."""
        labels = (target != UNLABELED).flatten(1).sum(1).to(torch.get_default_dtype())
        return labels if weights is None else labels * weights

    def metrics(self) -> dict[str, Metric]:
        best = _LastBest()
        return {
            **span_metric(best, self.config),
            "accuracy": Ratio(lambda output, target: _right(best(output), target)),
            "loss": Ratio(
                lambda output, target: (
                    _losses(full(output), target).double().sum(),
                    torch.count_nonzero(target != UNLABELED),
                ),
                higher_is_better=False,
                unit="nat",
            ),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per example, the tags of the best sequence, the probability of each, and the spans they mark.

        Padding is left out. Spans are there where the task has a ``scheme``: kind, first token, and the one after the
        last.

        Raises:
            ConfigError: The schema has another number of names than the network has tags.
            DataError: A potential is not a number.
        """
        names = class_names(output, outputs)
        if not bool(output.isfinite().all()):
            raise DataError("the network's answer is not finite; check the range of the input")
        output = output.detach().cpu().double()
        tags = best_paths(output).tags
        sure = marginals(output).gather(2, tags[..., None])[..., 0]
        found = []
        for length, row, values in zip(inside_chain(output).sum(1).tolist(), tags.tolist(), sure.tolist(), strict=True):
            labels = [names[tag] for tag in row[:length]]
            spans = {"spans": spans_found(labels)} if self.config.scheme else {}
            found.append({"labels": labels, "probabilities": values[:length], **spans})
        return found


class _LastBest:
    """Finds best sequences; those of the last output are kept, as several figures ask for them."""

    def __init__(self) -> None:
        self._output: Tensor | None = None
        self._tags: Tensor | None = None

    def __call__(self, output: Tensor) -> Tensor:
        if self._tags is None or self._output is not output:
            self._output, self._tags = output, best_paths(output).tags
        return self._tags


def _right(tags: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    has = target != UNLABELED
    return (tags[has] == target[has]).sum(), has.sum()


def _losses(potentials: Tensor, target: Tensor) -> Tensor:
    """Return the loss of each sequence, ``(B,)``."""
    shape, tags = potentials.shape, potentials.shape[-1]
    packed = potentials.dim() == 3 and shape[1] > tags
    places = shape[1] - tags if packed else shape[1]
    fits = packed or (potentials.dim() == 4 and shape[2] == tags)
    if not fits or (shape[0], places) != target.shape or target.is_floating_point():
        raise DataError(
            "expected potentials (examples, places, tags, tags) or a packed chain (examples, places + tags, tags), "
            f"and one tag (int64) per place: the network answers {tuple(shape)}, the targets are {target.dtype} "
            f"{tuple(target.shape)}"
        )
    labeled, inside = target != UNLABELED, inside_chain(potentials)
    if bool((labeled & ~inside).any()):
        row, place = (labeled & ~inside).nonzero()[0].tolist()
        raise DataError(f"sequence {row + 1} of the batch has a label at place {place + 1}, where it is padding")
    if not bool((inside & ~labeled).any()):
        last = (
            torch.where(labeled, torch.arange(places, device=target.device), 0).cummax(1).values
        )  # at padding the last tag goes on
        return surprisal(potentials, target.gather(1, last).clamp(min=0))
    other = labeled[..., None] & (torch.arange(tags, device=target.device) != target[..., None])  # (B, L, K)
    barred = SEALED * other
    allowed = potentials + (F.pad(barred, (0, 0, 0, tags)) if packed else barred[:, :, None])
    return log_partition(potentials) - log_partition(allowed)
