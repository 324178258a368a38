"""A query and the documents that may answer it, in one tensor: what networks that match texts take.

An example is ``(1 + C, L)`` token numbers: the query in the first row, a candidate in each other one, padded on the
right with 0. A row of zeros is no candidate. Where tokens are cut into letter n-grams there is one more axis, of the
n-grams of each: ``(1 + C, L, M)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.spec import Inputs, Spec
from netsmith.layers.letter_ngrams import letter_ngrams
from netsmith.layers.tokenize import numbering, tokenize, tokenizer_of

__all__ = ["ABSENT", "Candidates", "TextNumbers", "encode_candidates", "pack", "parted", "sealed", "whole_words"]

ABSENT = -1e9
"""The score of a row that is no candidate: below all others, and finite, so that no difference is NaN."""

_MOST = 20  # n-grams of a word: a longer word is cut


class Candidates(NamedTuple):
    """The parts of a batch, without places that are padding in all of it.

    Attributes:
        query: ``(B, Q, ...)`` int64.
        documents: ``(B, C, D, ...)`` int64.
        there: ``(B, C)`` bool, which candidates there are.
    """

    query: Tensor
    documents: Tensor
    there: Tensor


def parted(inputs: Tensor) -> Candidates:
    """Return query and documents of a batch ``(B, 1 + C, L, ...)``; a graph that is traced keeps their padding.

    Example:
        >>> query, documents, there = parted(torch.tensor([[[5, 0, 0], [6, 7, 0], [0, 0, 0]]]))
        >>> query.tolist(), documents.tolist(), there.tolist()
        ([[5]], [[[6, 7], [0, 0]]], [[True, False]])
    """
    query, documents = inputs[:, 0], inputs[:, 1:]
    there = (documents != 0).flatten(2).any(2)
    if torch.jit.is_tracing() or torch.compiler.is_compiling() or inputs.is_meta:
        return Candidates(query, documents, there)
    return Candidates(_cropped(query, 1), _cropped(documents, 2), there)


def _cropped(tokens: Tensor, axis: int) -> Tensor:
    used = (tokens != 0).movedim(axis, 0).flatten(1).any(1)
    return tokens.narrow(axis, 0, max(1, int(used.nonzero().max()) + 1 if bool(used.any()) else 1))


def sealed(scores: Tensor, there: Tensor) -> Tensor:
    """Return scores ``(B, C)`` with :data:`ABSENT` where there is no candidate."""
    return scores.masked_fill(~there, ABSENT)


def whole_words(name: str, spec: Spec) -> str:
    """Return why a model that compares whole words could not work on data of a schema, ``""`` if it can."""
    if any(step.letters for step in spec.inputs.preprocessing):
        return f"the model {name} compares whole words, and {spec.dataset} gives letter n-grams; set data.letters=0"
    return (
        "" if len(spec.inputs.shape) == 2 else f"the model {name} takes a query and its documents (data of a ranking)"
    )


class TextNumbers:
    """From a text to its token numbers, as a schema says; the letter n-grams of a word side by side.

    Args:
        inputs: The schema's inputs of kind ``text``.

    Example:
        >>> from netsmith.core.spec import Step
        >>> step = Step(name="tokenize", pattern="[a-z]+", letters=3)
        >>> names = ("<pad>", "<unk>", "#go", "goo", "ood", "od#")
        >>> inputs = Inputs(kind="text", shape=(-1, -1, -1), preprocessing=(step,), vocabulary=names, max_length=9)
        >>> TextNumbers(inputs)("good god").tolist()
        [[2, 3, 4, 5], [2, 1, 5, 0]]
    """

    def __init__(self, inputs: Inputs) -> None:
        self._step, self._length = tokenizer_of(inputs), inputs.max_length
        self._number = numbering(inputs.vocabulary)
        self._known: dict[str, list[int]] = {}

    def __call__(self, text: str, *, whole: bool = False) -> np.ndarray:
        """Return the numbers, ``(l,)`` or ``(l, M)`` int64; a text without a token is one unknown token.

        Args:
            text: The text.
            whole: Do not cut it after the schema's greatest length.
        """
        tokens = tokenize(text, self._step)[: None if whole else self._length]
        if not self._step.letters:
            return np.array([self._number(token) for token in tokens] or [1], dtype=np.int64)
        rows = [self._letters(token) for token in tokens] or [[1]]
        found = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for row, numbers in enumerate(rows):
            found[row, : len(numbers)] = numbers
        return found

    def _letters(self, token: str) -> list[int]:
        if token not in self._known:
            grams = letter_ngrams(token, size=self._step.letters)[:_MOST]
            self._known[token] = [self._number(gram) for gram in grams]
        return self._known[token]


def pack(examples: Sequence[Sequence[np.ndarray]]) -> Tensor:
    """Return examples, each the numbers of a query and of its documents, as ``(B, 1 + C, L, ...)`` int64.

    Example:
        >>> pack([[np.array([5]), np.array([6, 7]), np.array([8])], [np.array([5]), np.array([9])]]).tolist()
        [[[5, 0], [6, 7], [8, 0]], [[5, 0], [9, 0], [0, 0]]]
    """
    texts = [text for example in examples for text in example]
    sizes = [max(text.shape[axis] for text in texts) for axis in range(texts[0].ndim)]
    whole = np.zeros((len(examples), max(map(len, examples)), *sizes), dtype=np.int64)
    for row, example in enumerate(examples):
        for place, text in enumerate(example):
            whole[(row, place, *(slice(0, size) for size in text.shape))] = text
    return torch.from_numpy(whole)


def encode_candidates(rows: Sequence[Any], inputs: Inputs) -> Tensor:
    """Return the batch for some queries with their documents, ``{"query": ..., "documents": [...]}`` each.

    Raises:
        DataError: Another form; its position (1-based) is named.
    """
    numbers = TextNumbers(inputs)
    examples: list[list[np.ndarray]] = []
    for place, row in enumerate(rows, start=1):
        fits = isinstance(row, dict) and set(row) == {"query", "documents"} and isinstance(row["documents"], list)
        texts = [row["query"], *row["documents"]] if fits else []
        if len(texts) < 2 or not all(isinstance(text, str) for text in texts):
            shown = shorten(" ".join(repr(row).split()), 60)
            raise DataError(f"query {place} is {shown}; expected {{'query': a text, 'documents': texts, one or more}}")
        if not tokenize(texts[0], tokenizer_of(inputs)):
            raise DataError(f"query {place} has no token; expected one at least")
        examples.append([numbers(text) for text in texts])
    return pack(examples)
