"""Writing a text for a source: each token given those before it, and what was written as a whole."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import AfterValidator, Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs, Spec
from netsmith.engine.task import UNLABELED, Loss, Metric, Ratio, Task
from netsmith.layers.copying import copied_name
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.tokenize import detokenize
from netsmith.layers.writing import Judged
from netsmith.tasks._bleu import Bleu
from netsmith.tasks._metrics import full
from netsmith.tasks.next_token import Perplexity

__all__ = ["Write", "once_each"]


def once_each(figures: tuple[str, ...]) -> tuple[str, ...]:
    """Return the figures of a config, or refuse one that stands there twice.

    Raises:
        ValueError: For pydantic.
    """
    if len(set(figures)) != len(figures):
        raise ValueError(f"figures names one twice: {', '.join(figures)}")
    return figures


class Write(Task):
    r"""Cross entropy of each token of the text given those before it, with figures of the texts that are written.

    .. math:: -\sum_t \log p(y_t \mid y_{<t}, x)

    divided by the number of tokens in the whole batch, ends included. Figures: those of ``figures`` on what the search
    wrote, and ``perplexity``, e to the mean per true token. ``bleu`` is that of sacrebleu, 0..100
    (:class:`~netsmith.tasks._bleu.Bleu`), ``bleu_lc`` that of the texts in lower case, which is another figure
    (``case:lc`` in sacrebleu's signature); ``exact`` is the share of texts written as they should be, token by token,
    in 0..1.

    Shapes:
        Output ``(B, T, V)``; target ``(B, T)`` int64, :data:`~netsmith.engine.task.UNLABELED` behind the end. Figures
        take a :class:`~netsmith.layers.writing.Judged`.

    Raises:
        DataError: Output and targets are not of those shapes.
    """

    class Config(TaskConfig):
        """How it is learned and judged.

        Attributes:
            label_smoothing: Share of each target's mass that is spread evenly over all tokens that are possible there
                (whose logit is not minus infinity), in [0, 1).
            figures: Of the texts written: the first is the main figure; empty for ``perplexity`` alone, which needs no
                search.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tokens",)

        label_smoothing: float = Field(default=0.0, ge=0, lt=1)
        figures: Annotated[tuple[Literal["bleu", "bleu_lc", "exact"], ...], AfterValidator(once_each)] = ("exact",)

        def misfit(self, spec: Spec) -> str:
            """Return why answers of this schema could not be judged; BLEU of texts in lower case has another name."""
            if "bleu" in self.figures and any(step.lowercase for step in spec.outputs.steps):
                return (
                    f"answers of {shorten(spec.dataset, 60)} are in lower case: their BLEU is not that of texts as "
                    "they stand, and not to be compared with it; ask for bleu_lc in method.task.figures"
                )
            return super().misfit(spec)

    def __init__(self, config: Write.Config) -> None:
        super().__init__()
        self.config = config

    @property
    def reads_texts(self) -> bool:
        """Whether a figure needs the texts that the model writes."""
        return bool(self.config.figures)

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        if output.dim() != 3 or output.shape[:2] != target.shape or target.is_floating_point():
            raise DataError(
                f"expected one token (int64) per place: the network answers {tuple(output.shape)} (texts, places, "
                f"tokens), the targets are {target.dtype} {tuple(target.shape)}"
            )
        return self.of_packed(output[target != UNLABELED], target, weights)

    def of_packed(self, logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        """Return the loss where the logits are those of the M places with a target alone, ``(M, V)``, row by row."""
        inside = target != UNLABELED
        smoothing = self.config.label_smoothing
        if weights is None:
            return Loss(_nats(full(logits), target[inside], smoothing, reduction="sum"), float(len(logits)))
        nats = _nats(full(logits), target[inside], smoothing, reduction="none")
        return Loss((nats * _each(weights, inside)).sum(), self.weights(target, weights).sum())

    def weights(self, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return how many tokens each text has, times its weight."""
        tokens = (target != UNLABELED).sum(1).to(torch.get_default_dtype())
        return tokens if weights is None else tokens * weights

    def metrics(self) -> dict[str, Metric]:
        known: dict[str, Metric] = {"bleu": Bleu(), "bleu_lc": Bleu(lowercase=True), "exact": Ratio(_exact)}
        return {name: known[name] for name in self.config.figures} | {"perplexity": _Perplexity()}

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per text ``(B, T)`` of tokens, the ``text`` and its ``tokens`` without the end.

        Raises:
            ConfigError: A token that the schema has no name for.
        """
        return [_shown(row, outputs) for row in output.tolist()]


class _Perplexity(Perplexity):
    def update(self, output: Judged, target: Tensor) -> None:
        if output.logits.dim() == 2:
            super().update(output.logits[None], target[target != UNLABELED][None])
        else:
            super().update(output.logits, target)


def _nats(logits: Tensor, target: Tensor, smoothing: float, *, reduction: Literal["sum", "none"]) -> Tensor:
    """Return what targets ``(M,)`` cost, some of their mass spread over the tokens that are possible."""
    if not smoothing or bool((possible := logits != -torch.inf).all()):
        return F.cross_entropy(logits, target, reduction=reduction, label_smoothing=smoothing)
    logs = logits.log_softmax(1)
    spread = torch.where(possible, logs, 0).sum(1) / possible.sum(1)
    nats = (smoothing - 1) * logs.gather(1, target[:, None])[:, 0] - smoothing * spread
    return nats.sum() if reduction == "sum" else nats


def _each(weights: Tensor, inside: Tensor) -> Tensor:
    """Return the weight ``(M,)`` of each place inside."""
    return weights[:, None].expand(inside.shape)[inside]


def _exact(output: Judged, target: Tensor) -> tuple[Tensor, int]:
    """Return how many texts are as they should be, and of how many."""
    assert output.tokens is not None
    written, wanted = output.tokens, target.clamp(min=0)
    width = max(written.shape[1], wanted.shape[1])
    same = F.pad(written, (0, width - written.shape[1])) == F.pad(wanted, (0, width - wanted.shape[1]))
    return same.all(1).sum(), len(target)


def _shown(row: list[int], outputs: Outputs) -> dict[str, Any]:
    numbers = row[: row.index(END_NUMBER)] if END_NUMBER in row else row
    tokens = [_name(number, outputs) for number in numbers if number]
    text = detokenize(tokens, outputs.steps[0]) if outputs.steps else " ".join(tokens)
    return {"text": text, "tokens": tokens}


def _name(number: int, outputs: Outputs) -> str:
    if not outputs.names:
        return str(number)
    if number >= len(outputs.names) and any(step.copies for step in outputs.steps):
        return copied_name(number - len(outputs.names))
    if number >= len(outputs.names):
        raise ConfigError(f"the network wrote token {number}, the schema names {len(outputs.names)}")
    return outputs.names[number]
