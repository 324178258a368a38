"""A second file of a language model, which carries its state: what a program needs that writes text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from netsmith.core.files import write_json
from netsmith.export.onnx import export_onnx
from netsmith.layers.reading import END_NUMBER, Reading, Stepping

__all__ = ["export_step"]


def export_step(reading: Reading, path: Path) -> dict[str, Any]:
    """Export ``(tokens, state) -> (logits, state)`` to ONNX with a parity proof, and what it begins with beside it.

    ``PATH.json`` names inputs and outputs in order and holds the state after the mark that ends a line (token 2), where
    a text begins; a text without a prompt takes its first logits from the other file, given that token.

    Args:
        reading: The model.
        path: The file.

    Returns:
        ``path``, and the exporter's report.
    """
    stepping = Stepping(reading).eval()
    example = (torch.full((2, 3), END_NUMBER), *(part.repeat_interleave(2, 0) for part in stepping.start))
    names = ("tokens", *(f"state_{place}" for place in range(len(stepping.start))))
    report = export_onnx(stepping, example, path, names=names, free={"tokens": (1,)})
    start = {name: part[0].tolist() for name, part in zip(names[1:], stepping.start, strict=True)}
    write_json(path.with_suffix(".onnx.json"), {"inputs": names, "outputs": report.outputs, "start": start}, sync=False)
    return {"path": str(path), "export": report.to_json()}
