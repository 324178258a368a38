"""Which windows of a sound spoke for the answer: each wave in the colors of what its parts gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError
from netsmith.explain.windows import WindowScores, cut_windows
from netsmith.report.page import Page
from netsmith.report.wave_figure import wave_chart
from netsmith.workflows.attributions import Asked, attribute
from netsmith.workflows.checks import check, write_checks
from netsmith.workflows.method_tables import SOUNDS

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["explain_sounds"]

_WINDOWS = 40
_LINE = 4  # windows in a line of the terminal
_NUMBERS = 200_000  # samples in one forward pass, about; the activations are many times as many


def explain_sounds(network: Network, names: Sequence[str], raw: Tensor, wanted: Sequence[str], page: Page) -> list[str]:
    """Explain sounds, and draw them onto a page.

    Args:
        network: Takes sounds, answers with classes.
        names: One per sound.
        raw: ``(B, C, T)`` as the schema has them.
        wanted: Methods; none for the fast ones that fit.
        page: What is filled.

    Returns:
        Lines for a terminal.

    Raises:
        UnsupportedError: The sounds have another shape, or none of the methods wanted fits the network; what does is
            told.
    """
    if raw.dim() != 3:
        shape = ", ".join(map(str, raw.shape[1:]))
        raise UnsupportedError(f"channels of sound are explained, (B, C, T); {network.name} takes (B, {shape})")
    channels, length, rate = *raw.shape[1:], network.spec.inputs.rate
    told = f"Drawn is the mean of its {channels} channels; what a window gave is summed over them."
    size = -(-length // _WINDOWS)
    with torch.no_grad():
        logits = network.shipped(raw)
    asked = _asked(network, raw, logits.argmax(1), size)
    chosen = list(wanted) or [name for name, method in SOUNDS.items() if method.default]
    found, notes = attribute(SOUNDS, asked, chosen, named=bool(wanted))
    checks = check(SOUNDS, [(asked, found)])
    lines = []
    for row, name in enumerate(names):
        heading = f"{name}: {network.spec.outputs.names[int(asked.targets[row])]} ({network.sureness(logits[row])})"
        page.section(heading, told if channels > 1 else "")
        for method, one in found.items():
            scores = one.scores[row].tolist()
            title = method.replace("_", " ")
            chart = wave_chart(raw[row].mean(0).tolist(), scores, size=size, rate=rate, title=title)
            page.figure(chart, caption=one.remark)
            ranked = sorted(range(len(scores)), key=lambda at: -abs(scores[at]))[:_LINE]
            top = ", ".join(f"{_when(at, size, length, rate)} {scores[at]:+.2f}" for at in ranked)
            lines.append(f"{heading}: {top}" if len(found) == 1 else f"{heading}, by {method}: {top}")
    write_checks(page, checks, notes)
    return [*notes, *(one.line() for one in checks), *lines]


def _asked(network: Network, raw: Tensor, targets: Tensor, size: int) -> Asked:
    windows = cut_windows(raw, size=size)  # (B, C * S, W)
    return Asked(
        WindowScores(network.shipped, raw.shape[2], channels=raw.shape[1]).eval(),
        windows,
        targets,
        fill=0.0,  # silence
        segments=torch.arange(windows.shape[2], device=raw.device)[None, None],
        name=network.name,
        rows=max(1, min(512, _NUMBERS // raw[0].numel())),
    )


def _when(at: int, size: int, length: int, rate: int) -> str:
    start, stop = size * at, min(size * (at + 1), length)
    return f"{1000 * start / rate:g}-{1000 * stop / rate:g} ms" if rate else f"samples {start}-{stop}"
