"""A request that fits a schema: what the page and the command line show."""

from __future__ import annotations

import base64
import io
import itertools
import struct
import wave
import zlib
from typing import Any

from netsmith.core.spec import Inputs
from netsmith.layers.subwords import BLANK
from netsmith.layers.target_language import target_languages
from netsmith.layers.token_features import factored
from netsmith.layers.tokenize import detokenize, tokenizer_of

__all__ = ["example_body"]


def example_body(inputs: Inputs, *, texts: bool, files: bool) -> dict[str, Any]:
    """Return a small body of a request.

    Args:
        inputs: The schema's inputs.
        texts: Whether an example is given as a text.
        files: Whether an example may be given as a picture or a sound in base64.
    """
    if inputs.kind == "none":
        return {"seed": 0, "count": 4}
    if inputs.kind == "table" and inputs.columns:
        return {"inputs": [_row(inputs)]}
    if texts and inputs.candidates:
        return {"inputs": [{"query": "an example", "documents": ["this is an example", "this is none"]}]}
    if texts and (languages := target_languages(inputs.vocabulary)):
        return {"inputs": [f"<2{languages[0]}> an example"]}
    if texts:
        return {"inputs": [_words(inputs) or "an example"]}
    if files and inputs.kind == "audio":
        return {"inputs": [base64.b64encode(_sample_wav(inputs)).decode()]}
    if files:
        height, width = (32 if size == -1 else min(size, 32) for size in inputs.shape[1:])
        return {"inputs": [base64.b64encode(_sample_png(height, width)).decode()]}
    if inputs.kind == "graph":
        return {"inputs": [{"nodes": [[0.0] * inputs.shape[-1]] * 2, "edges": [[0, 1], [1, 0]]}]}
    value: Any = 0.0
    if inputs.kind in ("text", "tokens"):
        value = 1 if len(inputs.vocabulary) != 1 else 0
    elif inputs.low is not None:
        value = max(0.0, inputs.low)
    for size in reversed(inputs.shape):
        value = [value] * (8 if size == -1 else size)
    return {"inputs": [value]}


def _words(inputs: Inputs) -> str:
    """Return some of the most frequent words that the vocabulary holds whole."""
    step = tokenizer_of(inputs)
    if step.letters:
        return ""
    begin = BLANK if step.merges else ""
    words = (token for token in inputs.vocabulary if not step.digits or step.digits not in token)
    whole = (word for word in words if word.startswith(begin) and word.removeprefix(begin).isalpha())
    some = list(itertools.islice(whole, 8))
    values = [feature.values[0] for feature in inputs.features if feature.column]
    if values:
        some = some or list(inputs.vocabulary[2:3])
        return factored(some, [values] * len(some))
    return detokenize(some, step)


def _row(inputs: Inputs) -> dict[str, Any]:
    """Return the first category of each column of text and the training mean of each column of numbers."""
    mean = next((step.mean for step in inputs.preprocessing if step.name == "normalize"), ())
    row: dict[str, Any] = {}
    at = 0
    for position, name in enumerate(inputs.columns):
        texts = inputs.categories[position] if inputs.categories else ()
        row[name] = texts[0] if texts else float(f"{mean[at]:.4g}") if mean else 0.0
        at += len(texts) or 1
    return row


def _sample_wav(inputs: Inputs) -> bytes:
    """Return a WAV file with a short tone; silence is added to what is shorter than the network takes."""
    count = min(160, inputs.shape[-1]) if inputs.shape[-1] > 0 else 160
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(inputs.rate)
        sound.writeframes(b"".join(struct.pack("<h", 8000 if at // 10 % 2 else -8000) for at in range(count)))
    return file.getvalue()


def _sample_png(height: int, width: int) -> bytes:
    """Return a gray PNG with a bright middle; written by hand, since an example must not need Pillow."""
    top, left = height // 4, width // 4
    dark = bytes(width)
    bright = bytes(left) + b"\xff" * (width - 2 * left) + bytes(left)
    rows = (b"\x00" + (bright if top <= row < height - top else dark) for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, gray
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
