"""Which columns of a table, or which words of a text, spoke for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from netsmith.core.errors import shorten
from netsmith.explain.segments import token_segments
from netsmith.layers.tokenize import PADDING, UNKNOWN
from netsmith.report.page import Page
from netsmith.workflows.attributions import Asked, Found, attribute
from netsmith.workflows.checks import check, write_checks
from netsmith.workflows.method_tables import TABLES, TOKENS
from netsmith.workflows.text_attention import write_attention

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["ColoredText", "explain_rows"]

_SHOWN = 12  # parts of an example in the table of the page
_LINE = 5  # in its line of the terminal


@dataclass(frozen=True)
class ColoredText:
    """A text as a terminal shows it.

    Attributes:
        heading: The example and the answer.
        method: What colored it.
        words: Each with its attribution; positive ones speak for the answer.
    """

    heading: str
    method: str
    words: tuple[tuple[str, float], ...]


def explain_rows(
    network: Network, names: Sequence[str], raw: Tensor, wanted: Sequence[str], page: Page
) -> tuple[list[str], list[ColoredText]]:
    """Explain rows of a table, or texts, and write them onto a page.

    Args:
        network: Takes tables, texts or tokens; answers with classes.
        names: One per example.
        raw: ``(B, F)`` or ``(B, L)``.
        wanted: Methods; none for the fast one that fits.
        page: What is filled.

    Returns:
        Lines for a terminal, and the texts with their words.

    Raises:
        UnsupportedError: None of the methods wanted fits the network; what does is told.
    """
    table = network.spec.inputs.kind == "table"
    methods = TABLES if table else TOKENS
    with torch.no_grad():
        logits = network.shipped(raw)
    asked = _asked(network, raw, logits.argmax(1))
    chosen = list(wanted) or [name for name, method in methods.items() if method.default]
    found, notes = attribute(methods, asked, chosen, named=bool(wanted))
    if not found:  # without a gradient
        found, more = attribute(methods, asked, ["occlusion"], named=True)
        notes += [*more, "occlusion: the score lost by covering a column"] if table else more
    checks = check(methods, [(asked, found)])
    lines, texts = [], []
    for row, name in enumerate(names):
        best = int(asked.targets[row])
        heading = f"{name}: {network.spec.outputs.names[best]} ({network.sureness(logits[row])})"
        page.section(heading)
        parts = _parts(network, raw[row], asked.inputs[row])
        texts += _one(page, heading, parts, row, found, lines, text=not table)
    write_checks(page, checks, notes)
    return [*notes, *(one.line() for one in checks), *lines], texts


def _one(
    page: Page, heading: str, parts: Sequence[str], row: int, found: dict[str, Found], lines: list[str], *, text: bool
) -> list[ColoredText]:
    """Write one example: the text in color where it is one, the strongest parts by every method."""
    texts, kept = [], [at for at, part in enumerate(parts) if part]
    for name, one in found.items():
        scores = one.scores[row].tolist()
        if text:
            words = tuple((parts[at], scores[at]) for at in kept)
            page.heading(name.replace("_", " "), one.remark).words(words)
            write_attention(page, parts, {layer: maps[row] for layer, maps in one.maps.items()})
            texts.append(ColoredText(heading, name, words))
        ranked = sorted(kept, key=lambda at: -abs(scores[at]))
        top = ", ".join(f"{shorten(parts[at], 30)} {scores[at]:+.2f}" for at in ranked[:_LINE])
        lines.append(f"{heading}: {top}" if len(found) == 1 else f"{heading}, by {name}: {top}")
    first = next(iter(found.values())).scores[row].tolist()
    ranked = sorted(kept, key=lambda at: -abs(first[at]))[:_SHOWN]
    columns = [one.scores[row].tolist() for one in found.values()]
    page.table(
        ["part", *(name.replace("_", " ") for name in found)],
        [[parts[at], *(f"{column[at]:+.4f}" for column in columns)] for at in ranked],
    )
    return texts


def _asked(network: Network, raw: Tensor, targets: Tensor) -> Asked:
    if network.spec.inputs.kind == "table":
        prepared = network.shipped.preprocess(raw)
        return Asked(network.module, prepared, targets, fill=0.0, name=network.name)
    vocabulary = network.spec.inputs.vocabulary  # without one, no number is known to mean padding, or nothing
    segments = token_segments(raw, padding=0 if vocabulary else -1)
    unknown = vocabulary.index(UNKNOWN) if UNKNOWN in vocabulary else 0
    fill = torch.where(segments < 0, raw, torch.full_like(raw, unknown))
    return Asked(
        network.module, raw, targets, fill=fill, segments=segments, layer=_embedding(network), name=network.name
    )


def _embedding(network: Network) -> str:
    """Return the name of the layer whose output stands for the tokens; empty where there is none."""
    landmarks = network.landmarks()
    declared = landmarks.get("embedding", landmarks.get("stem", ""))
    tables = (name for name, part in network.module.named_modules() if isinstance(part, nn.Embedding))
    return declared or next(tables, "")


def _parts(network: Network, raw: Tensor, prepared: Tensor) -> list[str]:
    """Return what the numbers of one example stand for: columns, or words (empty for padding)."""
    inputs = network.spec.inputs
    if inputs.kind != "table":
        words = [inputs.vocabulary[int(token)] if inputs.vocabulary else str(int(token)) for token in raw]
        return ["" if word == PADDING else word for word in words]
    found = []
    for position, name in enumerate(inputs.columns):
        values = inputs.categories[position] if inputs.categories else ()
        found += [f"{name}={value}" for value in values] or [name]
    return found or [f"column {number}" for number in range(1, prepared.numel() + 1)]
