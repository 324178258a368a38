"""What sources of texts share: cutting into tokens, a vocabulary of the training part, the schema."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import BatchFields, FixedFields, FixedSource, array_part
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
    """

    max_length: Annotated[int, Field(gt=0, le=100_000)] = 64
    vocabulary_size: Annotated[int, Field(gt=2)] = 20_000
    min_count: Annotated[int, Field(gt=0)] = 1
    pattern: str = r"\w+|[^\w\s]"
    lowercase: bool = True


class TextFields(FixedFields, TokenFields):
    """The fields of a source of texts whose splits are drawn."""


def tokenizer(config: TokenFields) -> Step:
    """Return the step that cuts a text into tokens.

    Raises:
        ConfigError: The pattern is not a regular expression.
    """
    step = Step(name="tokenize", pattern=config.pattern, lowercase=config.lowercase)
    tokenize("", step)  # a wrong pattern is refused here, before any file is read
    return step


class TextSource(FixedSource):
    """Abstract: a source of texts, one target each.

    The vocabulary is fitted on the training part: the most frequent tokens first (ties by letter), after 0 for padding
    and 1 for unknown. Inputs are ``(B, max_length)`` int64, cut and padded on the right.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        texts: Texts by split, ``train`` first; each has a token.
        targets: One target per text, by split.
        outputs: What the targets are.
        made: How each split was made.
        seeds: The seed of each split; 0 for one that is given.
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
    ) -> None:
        step = tokenizer(config)
        inputs = Inputs(
            kind="text",
            shape=(config.max_length,),
            dtype="int64",
            preprocessing=(step,),
            vocabulary=_vocabulary(texts["train"], step, size=config.vocabulary_size, least=config.min_count),
            max_length=config.max_length,
        )
        parts = {
            split: array_part(encode(texts[split], inputs), targets[split], made=made[split], seed=seeds[split])
            for split in texts
        }
        super().__init__(config, spec=Spec(dataset=dataset, inputs=inputs, outputs=outputs), parts=parts)
        self._texts = dict(texts)

    def texts(self, split: str, indices: Tensor) -> list[str]:
        """Return some texts as they stand in the file."""
        self._part(split)
        return [self._texts[split][index] for index in indices.tolist()]


def _vocabulary(texts: Sequence[str], step: Step, *, size: int, least: int) -> tuple[str, ...]:
    counts = collections.Counter(token for text in texts for token in tokenize(text, step))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    known = [token for token, count in ordered if count >= least and token not in (PADDING, UNKNOWN)]
    return (PADDING, UNKNOWN, *known[: size - 2])
