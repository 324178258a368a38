"""Saying what is in a picture: each word given those before it, and the whole text beside several that are right."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import OutputKind, Outputs
from netsmith.engine.task import Loss, Metric, Ratio, Task
from netsmith.layers.shape_scenes import Thing, is_true
from netsmith.layers.writing import Judged
from netsmith.tasks._bleu import Bleu
from netsmith.tasks.write import Write, once_each

__all__ = ["Caption"]


class Caption(Task):
    """Cross entropy of each word given those before it; figures that know more than one right text.

    It is learned as :class:`~netsmith.tasks.write.Write` is. ``bleu`` is BLEU-4 (0 to 100) against all captions of a
    picture, ``facts`` the share of captions that state nothing untrue, where what is in the picture is known
    (:func:`~netsmith.layers.shape_scenes.is_true`): a caption may share most words with one of a person and be wrong.
    ``perplexity`` is that of the first caption of each picture.

    Shapes:
        Output ``(B, T, V)``; target ``(B, T)`` int64, in evaluation a dict of ``tokens`` ``(B, T)``, ``references``
        ``(B, R, T)`` and, for ``facts``, ``scene`` ``(B, 3, 4)``.

    Raises:
        DataError: ``facts`` of pictures whose scene is not known.
    """

    class Config(TaskConfig):
        """How it is learned and judged.

        Attributes:
            label_smoothing: Share of each target's mass that is spread evenly over all words, in [0, 1).
            figures: Of the captions written: the first is the main figure.
        """

        answers: ClassVar[tuple[OutputKind, ...]] = ("tokens",)

        label_smoothing: float = Field(default=0.0, ge=0, lt=1)
        figures: Annotated[tuple[Literal["bleu", "facts"], ...], AfterValidator(once_each)] = ("bleu",)

    def __init__(self, config: Caption.Config) -> None:
        super().__init__()
        self.config = config
        self.write = Write(Write.Config(label_smoothing=config.label_smoothing, figures=()))

    @property
    def reads_texts(self) -> bool:
        """Whether a figure needs the texts that the model writes."""
        return bool(self.config.figures)

    def loss(self, output: Tensor, target: Any, weights: Tensor | None = None) -> Loss:
        return self.write.loss(output, _tokens(target), weights)

    def weights(self, target: Any, weights: Tensor | None = None) -> Tensor:
        """Return how many words each text has, times its weight."""
        return self.write.weights(_tokens(target), weights)

    def metrics(self) -> dict[str, Metric]:
        known: dict[str, Metric] = {"facts": Ratio(self._facts), "bleu": _Of("references", Bleu())}
        rest = {name: _Of("tokens", metric) for name, metric in self.write.metrics().items()}
        return {name: known[name] for name in self.config.figures} | rest

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        """Return, per caption ``(B, T)`` of tokens, the ``text`` and its ``tokens`` without the end."""
        return self.write.decode(output, outputs)

    def _facts(self, output: Judged, target: Any) -> tuple[int, int]:
        if not isinstance(target, dict) or "scene" not in target:
            raise DataError("the figure facts needs pictures whose scene is known (data of kind shape_captions)")
        assert output.tokens is not None
        texts = [found["text"] for found in self.decode(output.tokens, output.outputs)]
        scenes = [[Thing(*row) for row in scene if row[0] >= 0] for scene in target["scene"].tolist()]
        return sum(is_true(text, scene) for text, scene in zip(texts, scenes, strict=True)), len(texts)


class _Of(Metric):
    """A figure of one part of what is known of a picture; where there is one text only, of that."""

    def __init__(self, part: str, inner: Metric) -> None:
        self.part, self.inner = part, inner
        self.higher_is_better, self.unit = inner.higher_is_better, inner.unit

    def update(self, output: Judged, target: Any) -> None:
        self.inner.update(output, target[self.part] if isinstance(target, dict) else target)

    def merge(self, other: _Of) -> None:
        self.inner.merge(other.inner)

    def compute(self) -> float:
        return self.inner.compute()


def _tokens(target: Any) -> Tensor:
    return target["tokens"] if isinstance(target, dict) else target
