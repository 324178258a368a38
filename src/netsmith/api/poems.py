"""Quatrains from a language model of poems: of right form, with rhyme, from a first line or around hidden words."""

from __future__ import annotations

from typing import Any

import torch

from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.engine.batch import map_tensors
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.layers.quatrain import BREAKS, Quatrain
from netsmith.layers.reading import Reading
from netsmith.layers.sampling import drawn, narrowed

__all__ = ["write_poems"]

_MOST = 10_000


def write_poems(
    network: Network,
    *,
    form: str = "quatrain5",
    first_line: str = "",
    hidden: str = "",
    count: int = 1,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return quatrains drawn character by character, among those that the form allows at each place.

    Each line goes on from all before it, as in Zhang & Lapata 2014 (D14-1074), here by one network that reads
    characters. Lines 2 and 4 end with two different characters of one class of rhyme, as the training poems have them.
    Draws are keyed by seed, poem and place.

    Args:
        network: A language model of poems, which knows rhymes.
        form: ``quatrain5`` or ``quatrain7``: characters of a line.
        first_line: The line they begin with; else it is written too.
        hidden: Four characters, the first of each line (an acrostic).
        count: How many poems.
        temperature: Below 1 sharper, above 1 flatter; 0 takes the likeliest character each time.
        top_k: Draw from so many of the likeliest characters that are allowed; 0 for all.
        top_p: Draw from the likeliest that have this share together.
        seed: Of the draws.

    Returns:
        Of each poem ``lines``, ``text``, ``rhyme`` (the two characters) and ``nats``, the negative log-likelihood under
        the model of the characters that were not given.

    Raises:
        UnsupportedError: The network is no language model, or of texts without rhymes.
        DataError: A first line or hidden words that the form or the model cannot take.
        ConfigError: A setting out of its range.
    """
    reading, outputs = network.module, network.spec.outputs
    if not isinstance(reading, Reading) or not outputs.rhymes:
        what = "knows no rhymes" if isinstance(reading, Reading) else "is no language model"
        raise UnsupportedError(f"{network.name} {what}; take a run of poem_lstm, or one trained on tang_quatrains")
    if not 1 <= count <= _MOST:
        raise ConfigError(f"count={count}: expected 1 to {_MOST}")
    if not temperature and (top_k or top_p != 1):
        raise ConfigError("temperature=0 takes the likeliest character: leave out top_k and top_p")
    rules = Quatrain(form, outputs.names, outputs.rhymes, first_line=first_line, hidden=hidden)
    keys = example_keys(seed, torch.arange(count))
    with torch.no_grad():
        start = reading.read(torch.zeros(1, 0, dtype=torch.int64))
        logits = start.following.expand(count, -1)
        state = map_tensors(start.state, lambda part: part.expand(count, *part.shape[1:]).contiguous())
        written = torch.zeros(count, 0, dtype=torch.int64)
        nats = torch.zeros(count, dtype=torch.float64)
        for place in range(rules.length):
            logs = logits.double().log_softmax(1)
            allowed = logs.masked_fill(~rules.allowed(written), -torch.inf)
            if temperature:
                uniform = keyed_uniform(keys, stream=f"token {place}")
                sign = drawn(narrowed(allowed, temperature=temperature, top_k=top_k, top_p=top_p), uniform)
            else:
                sign = allowed.argmax(1)
            if not rules.given(place):
                nats -= logs.gather(1, sign[:, None])[:, 0]
            written = torch.cat([written, sign[:, None]], 1)
            if place < rules.length - 1:
                found, state = reading(sign[:, None], state, carry=True)
                logits = found[:, 0]
    return [_shown(rules.lines(row), value) for row, value in zip(written.tolist(), nats.tolist(), strict=True)]


def _shown(lines: list[str], nats: float) -> dict[str, Any]:
    signed = [line + sign for line, sign in zip(lines, BREAKS, strict=True)]
    text = "".join(signed[:2]) + "\n" + "".join(signed[2:])
    return {"text": text, "lines": lines, "rhyme": lines[1][-1] + lines[3][-1], "nats": nats}
