"""What a tagger says of texts: names and words as they stand there, however long the text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netsmith.core.spec import Inputs
from netsmith.layers.token_features import factored, read_tokens
from netsmith.layers.tokenize import cutter, joint_of

__all__ = ["Piece", "joined", "pieces_of", "texts_of"]

_ENDS = frozenset("。！？；.!?;")


class Piece(NamedTuple):
    """A part of a text that is not longer than a network takes.

    Attributes:
        text: The part.
        tokens: Its tokens.
        joint: What stands between them.
    """

    text: str
    tokens: tuple[str, ...]
    joint: str


def texts_of(values: Any) -> list[str]:
    """Return the texts where values are texts, else nothing."""
    if isinstance(values, str):
        return [values]
    found = list(values) if isinstance(values, Sequence) else []
    return found if found and all(isinstance(text, str) for text in found) else []


def pieces_of(text: str, inputs: Inputs, *, number: int) -> list[Piece]:
    """Return a text in pieces of at most ``max_length`` tokens, cut behind the end of a sentence where there is one.

    Args:
        text: The text.
        inputs: The schema's inputs.
        number: Which of the texts it is (1-based), for the error.

    Raises:
        DataError: It has no token, or a token has not the features that the network was trained with.
    """
    step = next(step for step in inputs.preprocessing if step.name == "tokenize")
    tokens, values = read_tokens(text, inputs, cutter(step), number=number)
    joint, size = joint_of(step), inputs.max_length
    found: list[Piece] = []
    while tokens:
        ends = [at + 1 for at in range(size // 2, min(size, len(tokens))) if tokens[at] in _ENDS]
        count = len(tokens) if len(tokens) <= size else ends[-1] if ends else size
        part, tokens = tuple(tokens[:count]), tokens[count:]
        given, values = values[:count], values[count:]
        found.append(Piece(factored(part, given) if given else joint.join(part), part, joint))
    return found if len(found) > 1 else [found[0]._replace(text=text)]


def joined(pieces: Sequence[Piece], found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return one prediction for a text from those of its pieces: lists one after another, spans with their texts.

    Spans of no kind are words: they come as ``words``. What is said of a whole text (an intent) is said of its first
    piece.
    """
    tokens = [token for piece in pieces for token in piece.tokens]
    whole: dict[str, Any] = {"tokens": tokens}
    start = 0
    for piece, prediction in zip(pieces, found, strict=True):
        for name, values in prediction.items():
            if name == "spans":
                moved = [span | {"start": span["start"] + start, "end": span["end"] + start} for span in values]
                whole.setdefault(name, []).extend(moved)
            elif isinstance(values, list):
                whole.setdefault(name, []).extend(values)
            else:
                whole.setdefault(name, values)
        start += len(piece.tokens)
    joint = pieces[0].joint
    spans = [span | {"text": joint.join(tokens[span["start"] : span["end"]])} for span in whole.get("spans", [])]
    if spans and not any(span["kind"] for span in spans):
        del whole["spans"]
        whole["words"] = [span["text"] for span in spans]
    elif "spans" in whole:
        whole["spans"] = spans
    return whole
