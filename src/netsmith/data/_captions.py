"""What sources of pictures with several captions each share: vocabulary, what is written, references."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.spec import Inputs, Step
from netsmith.data._arrays import ImageFields, ImageSource, Part
from netsmith.engine.batch import Batch
from netsmith.engine.random import keyed_uniform
from netsmith.engine.task import UNLABELED
from netsmith.layers.frequency import by_frequency
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.tokenize import END, PADDING, UNKNOWN, encode, tokenize

__all__ = ["CaptionFields", "CaptionSource"]


class CaptionFields(ImageFields):
    """The fields of every source of pictures with captions.

    Attributes:
        max_length: Longest caption in words; what is longer is cut.
        min_count: How often a word must come in the training captions to be known.
        pattern: Regular expression of one word: by default letters and digits, or one sign.
        lowercase: Lower the case first.
    """

    max_length: Annotated[int, Field(gt=0, le=1000)] = 40
    min_count: Annotated[int, Field(gt=0)] = 1
    pattern: str = r"\w+|[^\w\s]"
    lowercase: bool = True


class CaptionSource(ImageSource):
    """Abstract: a source of pictures, each with one caption or more.

    In training a picture comes once an epoch, with one of its captions, drawn by its key. In evaluation the first one
    is what teacher forcing writes (perplexity), and all are what the text is compared with (BLEU): the targets are then
    ``{"tokens": (B, T), "references": (B, R, T)}``, 0 where a picture has fewer than R.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        captions: By split, of each picture its captions; ``train`` first.
        part: Makes a split of its name and the captions ``(N, R, T)`` int64 as targets.
        shape: ``(C, H, W)``.
        before: Preprocessing steps that the pictures have gone through.

    Raises:
        DataError: A caption without a word.
    """

    def __init__(
        self,
        config: CaptionFields,
        *,
        dataset: str,
        captions: Mapping[str, Sequence[Sequence[str]]],
        part: Callable[[str, Tensor], Part],
        shape: tuple[int, int, int],
        before: tuple[Step, ...] = (),
    ) -> None:
        step = Step(name="tokenize", pattern=config.pattern, lowercase=config.lowercase)
        words = _vocabulary((text for texts in captions["train"] for text in texts), step, least=config.min_count)
        read = Inputs(
            kind="text", shape=(-1,), dtype="int64", preprocessing=(step,), vocabulary=words,
            max_length=config.max_length,
        )  # fmt: skip
        super().__init__(
            config,
            dataset=dataset,
            parts={split: part(split, _numbers(texts, read)) for split, texts in captions.items()},
            shape=shape,
            names=words,
            before=before,
            answers="tokens",
        )
        self.spec = self.spec.derive(outputs=self.spec.outputs.derive(steps=(step,)))
        self._captions = captions

    def captions(self, split: str, index: int) -> list[str]:
        """Return the captions of a picture as they stand in the file."""
        self._part(split)
        return list(self._captions[split][index])

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some pictures, each with one caption: drawn where a key is given, else the first."""
        batch = super().load(split, indices, key=key)
        captions: Tensor = batch.targets  # (B, R, T)
        assert batch.keys is not None
        count = (captions[..., 0] != 0).sum(1)  # (B,)
        draw = keyed_uniform(batch.keys, stream="caption") if key is not None else torch.zeros(len(indices))
        tokens = _trimmed(captions[torch.arange(len(indices)), (draw * count).long()])  # (B, T)
        written = torch.cat([torch.full_like(tokens[:, :1], END_NUMBER), tokens[:, :-1]], 1)
        # Behind the end mark nothing is written: the mark itself would else be fed at the place after it.
        written = written.masked_fill(tokens == 0, 0)
        targets = tokens.masked_fill(tokens == 0, UNLABELED)
        return Batch({"source": batch.inputs, "written": written}, targets, batch.keys, batch.indices)

    def judged(self, split: str, indices: Tensor) -> Batch:
        """Load some pictures with all their captions, and what else is known of them."""
        batch = self.load(split, indices)
        references = self._part(split).targets.index_select(0, indices)  # (B, R, T)
        targets = {"tokens": batch.targets, "references": references, **self._known(split, indices)}
        return Batch(batch.inputs, targets, batch.keys, batch.indices)

    def _known(self, split: str, indices: Tensor) -> dict[str, Tensor]:  # noqa: ARG002
        return {}


def _vocabulary(texts: Sequence[str] | object, step: Step, *, least: int) -> tuple[str, ...]:
    counts = collections.Counter(token for text in texts for token in tokenize(text, step))  # type: ignore[attr-defined]
    special = (PADDING, UNKNOWN, END)
    return (*special, *(token for token, count in by_frequency(counts) if count >= least and token not in special))


def _numbers(captions: Sequence[Sequence[str]], read: Inputs) -> Tensor:
    """Return the captions as ``(N, R, T)`` int64, each ended by the end mark, 0 behind it."""
    short = next((place for place, texts in enumerate(captions) if not texts), None)
    if short is not None:
        raise DataError(f"picture {short + 1} has no caption; expected at least one each")
    flat = encode([text for texts in captions for text in texts], read)  # (N R, T - 1)
    lengths = (flat != 0).sum(1)
    ended = torch.nn.functional.pad(flat, (0, 1))
    ended[torch.arange(len(flat)), lengths] = END_NUMBER
    found = torch.zeros(len(captions), max(map(len, captions)), ended.shape[1], dtype=torch.int64)
    rows = [(row, place) for row, texts in enumerate(captions) for place in range(len(texts))]
    found[tuple(torch.tensor(rows).T)] = ended
    return found


def _trimmed(tokens: Tensor) -> Tensor:
    """Return the tokens without the last places that no row uses."""
    return tokens[:, : int((tokens != 0).sum(1).max())]
