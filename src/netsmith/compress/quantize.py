"""int8 after training: an ONNX file into one that computes in 8 bits, and how far the two agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from netsmith.compress._int8_report import (
    Calibrated,
    QuantizationReport,
    finish,
    has_int8_products,
)
from netsmith.compress._onnx_files import known_nodes, prepare, reader_of, replacing
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.extras import require
from netsmith.measure.session import feeds_for, open_session

__all__ = ["QuantizationReport", "has_int8_products", "quantize_onnx"]


def quantize_onnx(
    source_path: str | Path,
    target_path: str | Path,
    calibration: Iterable[Calibrated],
    *,
    method: Literal["minmax", "entropy", "percentile"] = "minmax",
    per_channel: bool = True,
    keep: Sequence[str] = (),
) -> QuantizationReport:
    """Write an int8 form of an ONNX model (quantize-dequantize form, uint8 activations, int8 weights).

    Every operator ONNX Runtime has in int8 is quantized, the first convolution and the depthwise ones included: leaving
    any in fp32 costs more in conversions and changes of layout than it saves. int8 pays for wide layers; time both.

    Args:
        source_path: The fp32 model, from :func:`~netsmith.export.onnx.export_onnx`.
        target_path: The file to write.
        calibration: Batches as the model takes them: arrays, or sequences or mappings of arrays for several inputs.
            About a hundred typical examples of the training split.
        method: ``minmax`` takes the whole range seen, ``entropy`` and ``percentile`` clip outliers.
        per_channel: One scale per output channel; depthwise convolutions need it.
        keep: Names of nodes that stay in fp32.

    Raises:
        UnsupportedError: No calibration data, or an argument is unknown.
        DataError: The source is not a model ONNX Runtime can run.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    quantization = require("onnxruntime.quantization", extra="export")
    source, target = Path(source_path), Path(target_path)
    methods = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
    if method not in methods:
        raise UnsupportedError(f"method must be minmax, entropy or percentile, got {method!r}")
    exact = open_session(source)
    feeds = [feeds_for(exact, batch) for batch in calibration]
    if not feeds:
        raise UnsupportedError("quantization needs calibration data, got none")
    products = has_int8_products()
    with replacing(target) as folder:
        prepared, draft = folder / "prepared.onnx", folder / target.name
        known_nodes(prepare(source, prepared), keep)
        try:
            quantization.quantize_static(
                str(prepared),
                str(draft),
                reader_of(feeds),
                quant_format=quantization.QuantFormat.QDQ,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                per_channel=per_channel,
                reduce_range=products is False,  # without VNNI, sums of two 8-bit products saturate 16 bits
                calibrate_method=getattr(quantization.CalibrationMethod, methods[method]),
                nodes_to_exclude=list(keep),
            )
        except Exception as error:
            # onnxruntime.quantization raises whatever its many passes raise
            raise DataError(f"cannot be quantized: {error}", source) from error
        return finish(source, draft, target, feeds, method=method, per_channel=per_channel, products=products)
