r"""Texts whose tokens have features, such as parts of speech: how they are written, and their numbers.

What is given with a token stands behind it after the sign U+FFE8, as in OpenNMT: ``EU\uffe8NNP\uffe8B-NP``. That sign
comes in no text of its own accord, so a text without features cannot be taken for one with them. What is looked up
needs no such marks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.spec import Inputs, TokenFeature
from netsmith.layers.tokenize import cutter, numbering, tokenizer_of

__all__ = ["encode_with_features", "factored", "parted", "read_tokens", "tokens_in", "written_form"]

_SIGN = "\uffe8"


def factored(tokens: Sequence[str], values: Sequence[Sequence[str]]) -> str:
    r"""Return tokens and the values of each as one text.

    Example:
        >>> factored(["EU", "rejects"], [("NNP",), ("VBZ",)])
        'EU￨NNP rejects￨VBZ'
    """
    return " ".join(_SIGN.join((token, *own)) for token, own in zip(tokens, values, strict=True))


def written_form(features: Sequence[TokenFeature]) -> str:
    """Return how a token is written whose features are given with it; "" where all of them are looked up."""
    names = [feature.name for feature in features if feature.column]
    return _SIGN.join(("TOKEN", *names)) if names else ""


def tokens_in(numbers: Any, inputs: Inputs) -> Any:
    """Return the tokens' numbers of examples, ``(..., L)``, without those of their features; an array or a tensor."""
    return numbers[..., 0] if inputs.features else numbers


def parted(text: str, features: Sequence[TokenFeature], *, number: int = 1) -> tuple[str, list[tuple[str, ...]]]:
    r"""Return a text without what is given with its tokens, and the values given with each.

    Args:
        text: The text.
        features: What its tokens have. Where all of it is looked up, the text is returned as it is, with no values.
        number: Which of several texts it is (1-based), for errors.

    Raises:
        DataError: A token that has other than those features; it is named.

    Example:
        >>> parted("EU\uffe8NNP rejects\uffe8VBZ", [TokenFeature(name="pos", values=("NNP", "VBZ"), column=2)])
        ('EU rejects', [('NNP',), ('VBZ',)])
    """
    names = [feature.name for feature in features if feature.column]
    if not names:
        return text, []
    parts = [given.split(_SIGN) for given in text.split()]
    for place, part in enumerate(parts, start=1):
        if len(part) != 1 + len(names) or not all(part):
            raise DataError(
                f"text {number}, token {place}: {shorten(repr(_SIGN.join(part)), 60)} has {len(part) - 1} features; "
                f"the network was trained with {', '.join(names)}: write {written_form(features)}"
                f" (the sign is U+FFE8), or give a CoNLL file with those columns (.conll)"
            )
    return " ".join(part[0] for part in parts), [tuple(part[1:]) for part in parts]


def read_tokens(
    text: str, inputs: Inputs, cut: Callable[[str], list[str]], *, number: int = 1
) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the tokens of a text, and the values given with each; no values where none are given.

    Args:
        text: The text.
        inputs: The schema's inputs.
        cut: What cuts a text into tokens.
        number: Which of several texts it is (1-based), for errors.

    Raises:
        DataError: A text without a token, or whose tokens are not those that have features.
    """
    words, values = parted(text, inputs.features, number=number)
    tokens = cut(words)
    if not tokens:
        raise DataError(f"text {number} has no token; expected at least one match of {tokenizer_of(inputs).pattern!r}")
    if values and len(tokens) != len(values):
        raise DataError(
            f"text {number}: {len(values)} tokens have features, and {tokenizer_of(inputs).pattern!r} cuts the text "
            f"into {len(tokens)}; expected as many"
        )
    return tokens, values


def encode_with_features(texts: Sequence[str], inputs: Inputs) -> Tensor:
    """Return the numbers of the tokens of some texts and of their features, cut and padded as tokens alone are.

    Args:
        texts: ``B`` texts.
        inputs: The schema's inputs: a step ``tokenize``, a vocabulary, ``max_length`` and features.

    Returns:
        ``(B, max_length, 1 + F)`` int64: the token (0 padding, 1 unknown), then the place of each feature's value from
        1, 0 for one that training lacks.

    Raises:
        DataError: As :func:`read_tokens`, and an element that is not a text; names its position (1-based).
    """
    cut, number = cutter(tokenizer_of(inputs)), numbering(inputs.vocabulary)
    places = [
        {key: place for place, keys in enumerate(_keys(feature), start=1) for key in keys}
        for feature in inputs.features
    ]
    found = torch.zeros(len(texts), inputs.max_length, 1 + len(places), dtype=torch.int64)  # (B, L, 1 + F)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {row + 1}: expected a text, got {type(text).__name__}")
        tokens, values = read_tokens(text, inputs, cut, number=row + 1)
        tokens = tokens[: inputs.max_length]
        columns = [list(map(number, tokens))]
        given = iter(zip(*values[: inputs.max_length], strict=True))
        for feature, place in zip(inputs.features, places, strict=True):
            columns.append([place.get(key, 0) for key in (next(given) if feature.column else tokens)])
        found[row, : len(tokens)] = torch.tensor(columns).T
    return found


def _keys(feature: TokenFeature) -> Sequence[Sequence[str]]:
    """Return what tells each value: the value itself, or the tokens that have it."""
    return [(value,) for value in feature.values] if feature.column else feature.tokens
