"""Words that are copied: what no vocabulary knows has a number by where it stands in the source."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netsmith.core.spec import Step
from netsmith.layers.tokenize import detokenize

__all__ = ["copied_name", "filled"]

_COPIED = re.compile(r"<copy ([0-9]+)>")


def copied_name(place: int) -> str:
    """Return what stands in an answer for the word at a place of the source, where the source's words are not at hand.

    Example:
        >>> copied_name(3)
        '<copy 3>'
    """
    return f"<copy {place}>"


def filled(prediction: Mapping[str, Any], words: Sequence[str], step: Step) -> dict[str, Any]:
    r"""Return a prediction of a written text with the words that it copied.

    Args:
        prediction: It has ``text`` and ``tokens``.
        words: The source's tokens.
        step: How texts become tokens.

    Example:
        >>> step = Step(name="tokenize", pattern=r"\S+", copies=True)
        >>> filled({"text": "to <copy 1>", "tokens": ["to", "<copy 1>"]}, ["towards", "Omsk"], step)
        {'text': 'to Omsk', 'tokens': ['to', 'Omsk']}
    """
    matches = [(token, _COPIED.fullmatch(token)) for token in prediction["tokens"]]
    tokens = [words[int(match[1])] if match else token for token, match in matches]
    return {**prediction, "text": detokenize(tokens, step), "tokens": tokens}
