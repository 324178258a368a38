"""Texts written for texts: translations with their scores, and what each word of them looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from netsmith.api.addressing import addressed, cut_whole, unknown_shares
from netsmith.api.encode import encode
from netsmith.api.network import Network
from netsmith.core.errors import UnsupportedError
from netsmith.layers.writing import Writing

__all__ = ["translate"]

_TEXTS = 64  # at once


def translate(
    network: Network,
    texts: Sequence[str],
    *,
    to: str = "",
    beams: int | None = None,
    penalty: float | None = None,
    coverage: float | None = None,
    align: bool = False,
    rows: Sequence[int] = (),
) -> list[dict[str, Any]]:
    """Return what a network writes for each text, by a search with other settings than its own where they are given.

    Args:
        network: It takes texts and writes texts.
        texts: What is read.
        to: The language to write, of a network of several; empty where texts begin with its mark (``<2de>``).
        beams: How many translations the search follows; 1 takes the likeliest token each time.
        penalty: How much longer translations are preferred, alpha of GNMT.
        coverage: What it costs to leave words of the source without attention, beta of GNMT.
        align: Also say what each token looked at.
        rows: Where the texts stand in a file (1-based), for messages; they are counted by default.

    Returns:
        Of each text ``source``, ``text``, ``tokens``, ``unknown``: the share of the source's tokens that the network
        does not know, in 0..1, and the ``score``: log-probability over length penalty, and coverage (not of a model
        with a search of its own, as that of phrases). With ``align`` also ``source_tokens`` and ``attention``, a row
        for each of the tokens and one for the end, whose numbers sum to 1.

    Raises:
        UnsupportedError: The network writes no text for a text; has no attention to show; or a setting of the search
            for one that has a search of its own.
        DataError: A text without a token, or with more than the network reads; names its place (1-based).
        UnknownNameError: A language that it was not taught to write.
        ConfigError: No language where one is needed; a setting out of its range, or a coverage where there is no
            attention or one beam.
    """
    if not network.writes_texts or network.task is None:
        raise UnsupportedError(
            f"{network.name} writes no text for a text (it takes {network.spec.inputs.kind} inputs and answers with "
            f"{network.spec.outputs.kind}); use predict"
        )
    writing = _searching(network, beams=beams, penalty=penalty, coverage=coverage, align=align)
    marked = addressed(network, texts, to=to, rows=rows)
    read = cut_whole(network, marked, rows=rows)
    found: list[dict[str, Any]] = []
    for at in range(0, len(texts), _TEXTS):
        some = marked[at : at + _TEXTS]
        raw = encode(some, network.spec.inputs)
        assert isinstance(raw, torch.Tensor)
        with torch.no_grad():
            written = None if writing is None else writing.search(network.shipped.preprocess(raw), attention=align)
        if align and written is not None and written.attention is None:
            raise UnsupportedError(f"{network.name} has no attention: it sees a text as a whole")
        tokens = network(raw) if written is None else written.tokens[:, 0]
        named = network.named(network.task.decode(tokens, network.spec.outputs), some)
        shares = unknown_shares(raw, network.spec.inputs.vocabulary)
        for row, (text, shown, share) in enumerate(zip(texts[at : at + _TEXTS], named, shares, strict=True)):
            one = {"source": text, **shown, "unknown": share}
            if written is not None:
                one["score"] = float(written.scores[row, 0])
            if written is not None and written.attention is not None:
                seen = written.attention[row, : int(written.lengths[row, 0]), : len(read[at + row])]
                one |= {"source_tokens": read[at + row], "attention": seen.tolist()}
            found.append(one)
    return found


def _searching(
    network: Network, *, beams: int | None, penalty: float | None, coverage: float | None, align: bool
) -> Writing | None:
    """Return the network's writer with its search set; None where it searches in a way of its own."""
    own = network.module
    if isinstance(own, Writing):
        return Writing(
            own.writer,
            beams=own.beams if beams is None else beams,
            penalty=own.penalty if penalty is None else penalty,
            coverage=(own.coverage if beams != 1 else 0.0) if coverage is None else coverage,
            longest=own.longest,
        ).eval()
    asked = {"beams": beams, "penalty": penalty, "coverage": coverage, "alignments": align or None}
    given = [name for name, value in asked.items() if value is not None]
    if given:
        raise UnsupportedError(
            f"{network.name} is no neural network that goes token by token, and searches in its own way; leave out "
            f"{' and '.join(given)}"
        )
    return None
