"""What sources of texts share: cutting into tokens, a vocabulary of the training part, the schema."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.spec import Inputs, Outputs, Spec, Step, TokenFeature
from netsmith.data._arrays import BatchFields, FixedFields, FixedSource, array_part
from netsmith.layers.frequency import by_frequency
from netsmith.layers.token_features import encode_with_features, parted, tokens_in
from netsmith.layers.tokenize import PADDING, UNKNOWN, encode, tokenize

__all__ = ["TextFields", "TextSource", "TokenFields", "tokenizer"]


class TokenFields(BatchFields):
    """The fields of every source whose texts are cut into tokens.

    Attributes:
        max_length: Longest text in tokens; what is longer is cut.
        vocabulary_size: The most tokens that are known.
        min_count: How often a token must come in the training part to be known.
        pattern: Regular expression of one token: by default a word, or one sign.
        lowercase: Lower the case first.
        vocabulary: What is known, padding and unknown first, in place of the training part's tokens: that of a run
            whose network is to read these texts.
        negations: Words after which tokens are marked ``NOT_`` up to the next punctuation; none by default.
        digits: What each digit of a token becomes (``DIGIT``: 1115 and 1230 are one token); empty leaves them.
    """

    max_length: Annotated[int, Field(gt=0, le=100_000)] = 64
    vocabulary_size: Annotated[int, Field(gt=2)] = 20_000
    min_count: Annotated[int, Field(gt=0)] = 1
    pattern: str = r"\w+|[^\w\s]"
    lowercase: bool = True
    vocabulary: tuple[str, ...] = later(())
    negations: tuple[str, ...] = later(())
    digits: str = later("")

    @model_validator(mode="after")
    def _check_vocabulary(self) -> Self:
        words = self.vocabulary
        if words and (words[:2] != (PADDING, UNKNOWN) or len(set(words)) < len(words) or len(words) < 3):
            raise ValueError(
                f"vocabulary: expected {PADDING!r}, {UNKNOWN!r} and then tokens, each once, got {len(words)} entries "
                f"that begin with {words[:3]}"
            )
        for name in ("vocabulary_size", "min_count"):
            if words and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}={getattr(self, name)}: the vocabulary is given; leave {name} out")
        return self


class TextFields(FixedFields, TokenFields):
    """The fields of a source of texts whose splits are drawn."""


def tokenizer(config: TokenFields) -> Step:
    """Return the step that cuts a text into tokens.

    Raises:
        ConfigError: The pattern is not a regular expression.
    """
    step = Step(
        name="tokenize",
        pattern=config.pattern,
        lowercase=config.lowercase,
        negations=config.negations,
        digits=config.digits,
    )
    tokenize("", step)  # a wrong pattern is refused here, before any file is read
    return step


class TextSource(FixedSource):
    """Abstract: a source of texts, one target each.

    The vocabulary, where none is given, is fitted on the training part: the most frequent tokens first (ties by
    letter), after 0 for padding and 1 for unknown. Inputs are ``(B, max_length)`` int64, cut and padded on the right.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        texts: Texts by split, ``train`` first; each has a token.
        targets: One target per text, by split.
        outputs: What the targets are.
        made: How each split was made.
        seeds: The seed of each split; 0 for one that is given.
        features: What is said of each token; inputs are then ``(B, max_length, 1 + F)``.
        learned: The features' numbers in training ``(N, max_length, F)``, where they are not those that the schema
            gives new texts.
    """

    def __init__(
        self,
        config: TokenFields,
        *,
        dataset: str,
        texts: Mapping[str, list[str]],
        targets: Mapping[str, Tensor],
        outputs: Outputs,
        made: Mapping[str, str],
        seeds: Mapping[str, int],
        features: tuple[TokenFeature, ...] = (),
        learned: Tensor | None = None,
    ) -> None:
        step = tokenizer(config)
        inputs = Inputs(
            kind="text",
            shape=(config.max_length, 1 + len(features)) if features else (config.max_length,),
            dtype="int64",
            preprocessing=(step,),
            vocabulary=config.vocabulary
            or _vocabulary(
                [parted(text, features)[0] for text in texts["train"]],
                step,
                size=config.vocabulary_size,
                least=config.min_count,
            ),
            max_length=config.max_length,
            features=features,
        )
        numbers = {split: (encode_with_features if features else encode)(of, inputs) for split, of in texts.items()}
        if learned is not None:
            numbers["train"][..., 1:] = learned
        parts = {
            split: array_part(numbers[split], targets[split], made=made[split], seed=seeds[split]) for split in texts
        }
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=outputs), parts=parts)
        self._texts = dict(texts)

    @property
    def known(self) -> float:
        """Return which part of the training texts' tokens is in the vocabulary, 0..1."""
        numbers = self.raw("train", torch.arange(len(self._texts["train"])))
        numbers = tokens_in(numbers, self.spec.inputs)
        return float((numbers > 1).sum() / (numbers > 0).sum())

    def texts(self, split: str, indices: Tensor) -> list[str]:
        """Return some texts as they stand in the file."""
        self._part(split)
        return [self._texts[split][index] for index in indices.tolist()]


def _vocabulary(texts: Sequence[str], step: Step, *, size: int, least: int) -> tuple[str, ...]:
    counts = collections.Counter(token for text in texts for token in tokenize(text, step))
    known = [token for token, count in by_frequency(counts) if count >= least and token not in (PADDING, UNKNOWN)]
    return (PADDING, UNKNOWN, *known[: size - 2])
