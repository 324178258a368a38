"""int8 after training: an ONNX file into one that computes in 8 bits, and how far the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from netsmith.compress._int8_report import (
    Calibrated,
    QuantizationReport,
    finish,
    has_int8_products,
    source_and_feeds,
)
from netsmith.compress._onnx_files import known_nodes, prepare, replacing
from netsmith.compress._static_int8 import Method, find_ranges, write_int8
from netsmith.core.quiet import silence

__all__ = ["QuantizationReport", "has_int8_products", "quantize_onnx"]


def quantize_onnx(
    source_path: str | Path,
    target_path: str | Path,
    calibration: Iterable[Calibrated],
    *,
    method: Method = "minmax",
    per_channel: bool = True,
    keep: Sequence[str] = (),
    class_axis: int = -1,
) -> QuantizationReport:
    """Write an int8 form of an ONNX model (quantize-dequantize form, uint8 activations, int8 weights).

    Every operator ONNX Runtime has in int8 is quantized, the first convolution and the depthwise ones included: leaving
    any in fp32 costs more in conversions and changes of layout than it saves. int8 pays for wide layers; time both.
    But what turns the scores of an attention into weights stays as it is: a hidden place has a score so low that in
    256 steps from there all others are one.

    Args:
        source_path: The fp32 model, from :func:`~netsmith.export.onnx.export_onnx`.
        target_path: The file to write.
        calibration: Batches as the model takes them: arrays, or sequences or mappings of arrays for several inputs.
            About a hundred typical examples of the training split.
        method: ``minmax`` takes the whole range seen; ``entropy`` cuts it, to a quarter at most, where that keeps more
            information (seconds per activation); ``percentile`` leaves out the outermost 1 in 10,000 values.
        per_channel: One scale per output channel; depthwise convolutions need it.
        keep: Names of nodes that stay in fp32, as they are called once ONNX Runtime has prepared the model.
        class_axis: Axis of the first output that holds the classes: where the agreement looks for the largest.

    Raises:
        UnsupportedError: No calibration data, or an argument is unknown.
        DataError: The source is not a model ONNX Runtime can run.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    source, target = Path(source_path), Path(target_path)
    exact, feeds = source_and_feeds(source, calibration, empty="quantization needs calibration data")
    products = has_int8_products()
    with replacing(target) as folder, silence():
        prepared, draft = folder / f"prepared.{source.name}", folder / target.name
        known_nodes(prepare(source, prepared), keep)
        ranges = find_ranges(prepared, feeds, method=method)
        write_int8(prepared, draft, ranges, per_channel=per_channel, products=products, keep=keep)
        return finish(
            source,
            draft,
            target,
            feeds,
            exact=exact,
            method=method,
            per_channel=per_channel,
            products=products,
            class_axis=class_axis,
        )
