"""Which nodes of a network int8 hurts most: each alone in int8, and what becomes of the output."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from netsmith.compress._int8_report import Calibrated, compare, has_int8_products, sorted_out, source_and_feeds
from netsmith.compress._onnx_files import prepare
from netsmith.compress._static_int8 import Method, find_ranges, write_int8
from netsmith.core.quiet import silence
from netsmith.measure.session import open_session

__all__ = ["Sensitive", "rank_nodes"]

# Operators that hand numbers on as they are: quantized alone they lose nothing that their neighbors would not.
_MOVES = ("Flatten", "MaxPool", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")


@dataclass(frozen=True)
class Sensitive:
    """A node and what int8 does to it.

    Attributes:
        name: The node's name in the prepared model.
        kind: Its operator.
        error: ``rms`` error of the model's output, relative, with this node alone in int8.
    """

    name: str
    kind: str
    error: float


def rank_nodes(
    source_path: str | Path,
    calibration: Iterable[Calibrated],
    *,
    method: Method = "minmax",
    per_channel: bool = True,
) -> tuple[Sensitive, ...]:
    """Return the nodes int8 can take, the most sensitive first: the error of the output with each alone in int8.

    The one-at-a-time analysis of Wu et al. 2020 (arXiv:2004.09602, partial quantization). They compare accuracies; the
    error of the outputs needs no labels, and tells nodes apart that differ by less than one example.

    Args:
        source_path: The fp32 model.
        calibration: As in :func:`~netsmith.compress.quantize.quantize_onnx`; the error is measured on it too.
        method: How the ranges of activations are found.
        per_channel: One scale per output channel.

    Raises:
        UnsupportedError: No calibration data, or an unknown method.
        DataError: The source is not a model ONNX Runtime can run or quantize.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    source = Path(source_path)
    exact, feeds = source_and_feeds(source, calibration, empty="ranking needs calibration data")
    products = has_int8_products()
    found = []
    with tempfile.TemporaryDirectory() as place, silence():
        folder = Path(place)
        (folder / "alone").mkdir()
        prepared, draft = folder / source.name, folder / "alone" / source.name
        names = {node.name for node in prepare(source, prepared).graph.node}

        ranges = find_ranges(prepared, feeds, method=method)
        whole = write_int8(prepared, draft, ranges, per_channel=per_channel, products=products)
        quantized = [node for node, eight in sorted_out(whole) if eight and node.name in names]
        for node in quantized:
            if node.op_type not in _MOVES:
                write_int8(prepared, draft, ranges, per_channel=per_channel, products=products, only=[node.name])
                _, error, _ = compare(exact, open_session(draft), feeds)
                found.append(Sensitive(node.name, node.op_type, error))
    return tuple(sorted(found, key=lambda node: -node.error))
