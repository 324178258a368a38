"""What a request is about and which of its words say what: an intent and slots, answered together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto, later
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.layers.spans import Scheme, is_tag
from netsmith.tasks._decoding import class_names, probabilities_of
from netsmith.tasks._metrics import full
from netsmith.tasks._spans import SpanF1, spans_found

__all__ = ["Frame"]

_SEALED = -1e9  # the logit of a name that cannot stand at a place; finite, so that no difference is NaN


class Frame(Task):
    r"""The sum of two cross entropies: of the intent, and of the slots of the words; one network answers both.

    .. math:: -\log p(i \mid w) - \sum_t \log p(y_t \mid w)

    summed over the requests and divided by their number, so that the intent counts as much as a word (Hakkani-Tür et
    al. 2016, doi:10.21437/Interspeech.2016-402, where it is the tag of a mark beside the words; here of a place before
    them; Liu & Lane 2016, arXiv:1609.01454). The first place can only have names that are intents, the others only tags
    of the scheme: the softmax of each is over those. Figures: ``f1`` of the slots by CoNLL's rule
    (:class:`~netsmith.tasks._spans.SpanF1`); ``intent_accuracy``, the share of requests whose whole intent is right;
    ``frame_accuracy``, of those with every word's tag right, too; ``loss`` in nats per request. Where names of intents
    hold a ``separator``, also ``one_intent``: the share of requests of whose intents at least one is answered, however
    many others are, which is laxer.

    Shapes:
        Output ``(B, 1 + L, K)``, target ``(B, 1 + L)`` int64: the intent first.

    Raises:
        ConfigError: The names are tags alone, or intents alone.
        DataError: The targets are not of that shape, or an intent is missing.
    """

    class Config(TaskConfig):
        """How frames are learned.

        Attributes:
            scheme: How tags mark slots; what is no tag of it is an intent.
            intent_weight: What the intent counts in the loss, where a word counts 1.
            separator: What stands between several intents in the name of one; empty for nothing.
            tags: The names of tags and intents; left to the data.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tags",)

        scheme: Literal["iob1", "iob2", "bioes", "bmes"] = "iob2"
        intent_weight: float = 1.0
        separator: str = later("#")
        tags: tuple[str, ...] | Auto = AUTO

    def __init__(self, config: Frame.Config) -> None:
        super().__init__()
        self.config = config
        self.names = tuple(config.tags)
        scheme: Scheme = config.scheme
        slots = [is_tag(name, scheme) for name in self.names]
        if all(slots) or not any(slots):
            raise ConfigError(
                f"a frame needs names that are tags of {scheme} and names that are not (intents), got {sum(slots)} and "
                f"{len(slots) - sum(slots)}; of a reader of both set data.answer=frame, or take the task tag"
            )
        self.register_buffer("slots", torch.tensor(slots), persistent=False)
        self.slots: Tensor
        parts = [set(name.split(config.separator) if config.separator else [name]) for name in self.names]
        several = any(len(of) > 1 for of, slot in zip(parts, slots, strict=True) if not slot)
        self.common = torch.tensor([[bool(of & other) for other in parts] for of in parts]) if several else None

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        scores = self._possible(full(output))
        self._check(scores, target)
        losses = F.cross_entropy(scores.movedim(-1, 1), target, reduction="none", ignore_index=UNLABELED)  # (B, 1 + L)
        each = self.config.intent_weight * losses[:, 0] + losses[:, 1:].sum(1)
        share = torch.ones_like(each) if weights is None else weights
        return Loss((each * share).sum(), share.sum())

    def metrics(self) -> dict[str, Metric]:
        several = {"one_intent": Ratio(self._one_right)} if self.common is not None else {}
        return {
            "f1": _SlotF1(lambda output: self._found(output)[:, 1:], self.names),
            "intent_accuracy": Ratio(lambda output, target: self._right(output, target, words=False)),
            **several,
            "frame_accuracy": Ratio(lambda output, target: self._right(output, target, words=True)),
            "loss": Ratio(self.loss, higher_is_better=False, unit="nat"),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per example, the likeliest intent, the likeliest tag of each place, their probabilities, the slots.

        Raises:
            ConfigError: The schema has another number of names than the network has classes.
            DataError: A probability is not a number.
        """
        names = class_names(output, outputs)
        values = probabilities_of(self._possible(full(output)))
        found = []
        for tags, sure in zip(values.argmax(-1).tolist(), values.amax(-1).tolist(), strict=True):
            labels = [names[tag] for tag in tags]
            found.append(
                {
                    "intent": labels[0],
                    "intent_probability": sure[0],
                    "labels": labels[1:],
                    "probabilities": sure[1:],
                    "spans": spans_found(labels[1:]),
                }
            )
        return found

    def unpadded(self, predictions: Sequence[dict[str, Any]], lengths: Sequence[int]) -> list[dict[str, Any]]:
        """Return predictions without padding, of which no slot is a part."""
        return [one | {"spans": spans_found(one["labels"])} for one in super().unpadded(predictions, lengths)]

    def _possible(self, output: Tensor) -> Tensor:
        """Seal the tags at the first place and the intents at the others."""
        if output.dim() != 3 or output.shape[-1] != len(self.names) or output.shape[1] < 2:
            raise DataError(
                f"expected logits (examples, 1 + places, {len(self.names)}), the intent's first; the network answers "
                f"{tuple(output.shape)}"
            )
        first = torch.arange(output.shape[1], device=output.device)[:, None] == 0
        return output.masked_fill(self.slots == first, _SEALED)

    def _found(self, output: Tensor) -> Tensor:
        return self._possible(full(output)).argmax(-1)

    def _right(self, output: Tensor, target: Tensor, *, words: bool) -> tuple[Tensor, int]:
        right = (self._found(output) == target) | (target == UNLABELED)  # (B, 1 + L)
        return (right.all(1) if words else right[:, 0]).sum(), len(target)

    def _one_right(self, output: Tensor, target: Tensor) -> tuple[Tensor, int]:
        assert self.common is not None
        return self.common.to(output.device)[self._found(output)[:, 0], target[:, 0]].sum(), len(target)

    def _check(self, output: Tensor, target: Tensor) -> None:
        if output.shape[:-1] != target.shape or target.is_floating_point():
            raise DataError(
                f"expected an intent and a tag (int64) per place: the network answers {tuple(output.shape)}, the "
                f"targets are {target.dtype} {tuple(target.shape)}"
            )
        wrong = (target != UNLABELED) & (
            self.slots[target.clamp(min=0)] == (torch.arange(target.shape[1], device=target.device) == 0)
        )
        if bool((target[:, 0] == UNLABELED).any()) or bool(wrong.any()):
            raise DataError("expected an intent as the first target of each example, and tags behind it")


class _SlotF1(SpanF1):
    """F1 of the slots, the intent's place left out."""

    def update(self, output: Tensor, target: Tensor) -> None:
        super().update(output, target[:, 1:])
