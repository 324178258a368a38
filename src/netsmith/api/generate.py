"""Text from a language model: a prompt goes on, greedily, drawn, or by beam search."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.core.spec import Inputs
from netsmith.engine.batch import map_tensors
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.layers.beam_search import beam_search
from netsmith.layers.reading import END_NUMBER, Reading
from netsmith.layers.sampling import drawn, narrowed
from netsmith.layers.tokenize import encode, tokenize

__all__ = ["generate"]

_LONGEST = 100_000


def generate(
    network: Network,
    prompt: str = "",
    *,
    length: int = 100,
    count: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    beam: int = 0,
    penalty: float = 0.6,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return texts that go on from a prompt.

    Draws are keyed by seed, text and place: the same seed gives the same texts, however many are asked for. Padding and
    the unknown word are never written. Beam search ends a text where its line ends.

    Args:
        network: A language model.
        prompt: What they go on from; empty for the beginning of a line.
        length: Tokens to write, at most.
        count: How many texts.
        temperature: Below 1 sharper, above 1 flatter; 0 takes the likeliest token each time.
        top_k: Draw from so many of the likeliest tokens; 0 for all.
        top_p: Draw from the likeliest tokens that have this share together.
        beam: Search with so many texts side by side in place of drawing; ``count`` of them are returned.
        penalty: Of beam search: how much longer texts are preferred, see
            :func:`~netsmith.layers.beam_search.beam_search`.
        seed: Of the draws.

    Returns:
        Of each text ``text`` (without the prompt), ``tokens`` and ``nats``, the negative log-likelihood of what was
        written under the model itself; with a beam the ``score`` too.

    Raises:
        UnsupportedError: The network is no language model.
        ConfigError: A setting out of its range, or two that exclude each other.
    """
    reading = network.module
    if not isinstance(reading, Reading):
        raise UnsupportedError(f"{network.name} is no language model; it takes {network.spec.inputs.kind} inputs")
    if not 1 <= length <= _LONGEST or count < 1:
        raise ConfigError(f"length={length}, count={count}: expected 1 to {_LONGEST}, and at least 1")
    if beam and (temperature != 1 or top_k or top_p != 1):
        raise ConfigError("beam search takes the likeliest texts: leave out temperature, top_k and top_p")
    if beam and count > beam:
        raise ConfigError(f"beam={beam} finds so many texts at most; count={count} asks for more")
    if not temperature and (top_k or top_p != 1):
        raise ConfigError("temperature=0 takes the likeliest token: leave out top_k and top_p")
    inputs = network.spec.inputs
    with torch.no_grad():
        start = reading.read(_encoded(prompt, inputs))
        if beam:
            return _searched(reading, start.following, start.state, inputs, beam, length, count, penalty)
        keys = example_keys(seed, torch.arange(count))
        logits = start.following.expand(count, -1)
        state = map_tensors(start.state, lambda part: part.expand(count, *part.shape[1:]).contiguous())
        written, nats = [], torch.zeros(count, dtype=torch.float64)
        for place in range(length):
            logs = _allowed(logits)
            if temperature:
                uniform = keyed_uniform(keys, stream=f"token {place}")
                token = drawn(narrowed(logs, temperature=temperature, top_k=top_k, top_p=top_p), uniform)
            else:
                token = logs.argmax(1)
            nats -= logs.gather(1, token[:, None])[:, 0]
            written.append(token)
            if place < length - 1:
                found, state = reading(token[:, None], state, carry=True)
                logits = found[:, 0]
    rows = torch.stack(written, 1).tolist()
    return [_shown(row, inputs) | {"nats": value} for row, value in zip(rows, nats.tolist(), strict=True)]


def _searched(
    reading: Reading, following: Tensor, state: Any, inputs: Inputs, beam: int, length: int, count: int, penalty: float
) -> list[dict[str, Any]]:
    def after(tokens: Tensor, before: Any) -> tuple[Tensor, Any]:
        logits, then = reading(tokens[:, None], before, carry=True)
        return _allowed(logits[:, 0]), then

    first = _allowed(following)
    found = beam_search(after, first, state, beams=beam, length=length, end=END_NUMBER, penalty=penalty)
    shown = []
    for tokens, score, size in zip(found.tokens[0], found.scores[0].tolist(), found.lengths[0].tolist(), strict=True):
        if len(shown) < count and score > -torch.inf:
            nats = -score * ((5 + size) / 6) ** penalty
            shown.append(_shown(tokens[:size].tolist(), inputs) | {"nats": nats, "score": score})
    return shown


def _allowed(logits: Tensor) -> Tensor:
    """Return the log-probabilities ``(B, V)`` float64 of all tokens but padding and the unknown one."""
    logits = logits.double()
    barred = torch.arange(logits.shape[1], device=logits.device) < 2
    return logits.masked_fill(barred, -torch.inf).log_softmax(-1)


def _encoded(prompt: str, inputs: Inputs) -> Tensor:
    """Return the prompt's tokens, ``(1, L)``; each line end of it is the mark that ends a line."""
    if not prompt:
        return torch.zeros(1, 0, dtype=torch.int64)
    if inputs.vocabulary[END_NUMBER] == "\n":
        return encode([prompt], inputs)
    parts: list[Tensor] = []
    for number, line in enumerate(prompt.split("\n")):
        if number:
            parts.append(torch.tensor([[END_NUMBER]]))
        if line.strip():
            parts.append(encode([line], inputs))
    if not parts:
        raise DataError(f"the prompt {prompt!r} has no token")
    return torch.cat(parts, 1)


def _shown(tokens: list[int], inputs: Inputs) -> dict[str, Any]:
    """Return the words and the text they make: characters side by side, words with spaces, lines with line breaks."""
    words = [inputs.vocabulary[token] for token in tokens]
    step = next(step for step in inputs.preprocessing if step.name == "tokenize")
    if len(tokenize("ab", step)) == 2:
        return {"text": "".join(words), "tokens": words}
    end = inputs.vocabulary[END_NUMBER]
    text = " ".join("\n" if word == end else word for word in words).replace(" \n", "\n").replace("\n ", "\n")
    return {"text": text, "tokens": words}
