"""From text to token numbers; the same function in training, predict and serve."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Step

__all__ = ["END", "PADDING", "UNKNOWN", "encode", "tokenize"]

PADDING = "<pad>"
UNKNOWN = "<unk>"
END = "<eos>"

_DIGIT = re.compile("[0-9]")


def tokenize(text: str, step: Step) -> list[str]:
    r"""Cut a text into tokens: every match of ``step.pattern``, lower-cased first where the step says so.

    Where the step has negations, what they negate is marked (Das & Chen 2001; Pang et al. 2002): each token after one
    of them, up to the first that has no letter or digit, begins with ``NOT_``. Where it has ``digits``, they stand for
    each digit from 0 to 9 of a token.

    Args:
        text: Any text.
        step: A step named ``tokenize``.

    Raises:
        ConfigError: The pattern is not a regular expression, or empty.

    Example:
        >>> tokenize("It isn't.", Step(name="tokenize", pattern=r"[a-z']+|[.]", lowercase=True))
        ['it', "isn't", '.']
        >>> tokenize("not a good one, or", Step(name="tokenize", pattern=r"\w+|,", negations=("not",)))
        ['not', 'NOT_a', 'NOT_good', 'NOT_one', ',', 'or']
        >>> tokenize("flight 417", Step(name="tokenize", pattern=r"\w+", digits="DIGIT"))
        ['flight', 'DIGITDIGITDIGIT']
    """
    if step.name != "tokenize" or not step.pattern:
        raise ConfigError(f"tokenizing needs a step 'tokenize' with a pattern, got {step!r}")
    try:
        matches = re.finditer(step.pattern, text.lower() if step.lowercase else text)
        tokens = [match.group() for match in matches if match.group()]
    except re.error as error:
        raise ConfigError(f"the token pattern {step.pattern!r} is not a regular expression: {error}") from None
    if step.digits:
        tokens = [_DIGIT.sub(lambda _: step.digits, token) for token in tokens]
    return _marked(tokens, step.negations) if step.negations else tokens


def _marked(tokens: Sequence[str], negations: tuple[str, ...]) -> list[str]:
    """Return the tokens with those marked that are negated."""
    endings = tuple(word for word in negations if "'" in word) or ("\0",)
    marked: list[str] = []
    negated = False
    for token in tokens:
        if not any(sign.isalnum() for sign in token):
            negated = False
        marked.append(f"NOT_{token}" if negated else token)
        negated = negated or token.lower() in negations or token.lower().endswith(endings)
    return marked


def encode(texts: Sequence[str], inputs: Inputs) -> Tensor:
    """Return the token numbers of some texts: cut after ``max_length`` tokens, padded with 0, unknown tokens 1.

    Args:
        texts: ``B`` texts.
        inputs: The schema's inputs of kind ``text``: a step ``tokenize``, a vocabulary, ``max_length``.

    Returns:
        ``(B, max_length)`` int64; where the schema leaves the length free, as long as the longest text.

    Raises:
        DataError: An element that is not a text or has no token; names its position (1-based).
        ConfigError: The schema has no tokenizer.
    """
    step = next((step for step in inputs.preprocessing if step.name == "tokenize"), None)
    if step is None or inputs.max_length < 1:
        raise ConfigError(
            f"inputs of kind {inputs.kind!r} have no tokenizer; expected a step 'tokenize' and max_length"
        )
    numbers = {word: number for number, word in enumerate(inputs.vocabulary) if number > 1}
    rows: list[list[int]] = []
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"text {row + 1}: expected a text, got {type(text).__name__}")
        tokens = tokenize(text, step)[: inputs.max_length]
        if not tokens:
            raise DataError(f"text {row + 1} has no token; expected at least one match of {step.pattern!r}")
        rows.append([numbers.get(token, 1) for token in tokens])
    length = max(map(len, rows)) if inputs.shape == (-1,) else inputs.max_length
    result = torch.zeros(len(texts), length, dtype=torch.int64)  # (B, L)
    for row, known in enumerate(rows):
        result[row, : len(known)] = torch.tensor(known)
    return result
