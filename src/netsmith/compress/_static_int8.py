"""The two halves of static quantization: find the ranges of activations once, write int8 forms from them often."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.extras import require

__all__ = ["Method", "find_ranges", "write_int8"]

Method = Literal["minmax", "entropy", "percentile"]
"""How the range of an activation is found on calibration examples."""

# ONNX Runtime's own 128 bins for 128 levels leave entropy a single candidate, the whole range, and its 99.999th
# percentile lies beyond the last of 100,000 values. 512 bins let the range shrink to a quarter; 2048, as in TensorRT,
# take a minute for ten activations.
_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "minmax": ("MinMax", {}),
    "entropy": ("Entropy", {"num_bins": 512, "num_quantized_bins": 128}),
    "percentile": ("Percentile", {"num_bins": 2048, "percentile": 99.99}),
}
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm")
_SCORING = ("Add", "Cast", "Clip", "Div", "Max", "Min", "Mul", "Reshape", "Softmax", "Sub", "Unsqueeze", "Where")
"""What stands between a product and the softmax that it makes scores for, and the softmax itself."""


def find_ranges(prepared: Path, feeds: list[dict[str, np.ndarray]], *, method: Method) -> Any:
    """Run a prepared model on calibration batches, which may differ in size, and return its activations' ranges.

    Raises:
        UnsupportedError: The method is unknown.
        DataError: ONNX Runtime cannot calibrate it.
    """
    quantization = require("onnxruntime.quantization", extra="export")
    if method not in _OPTIONS:
        raise UnsupportedError(f"method must be minmax, entropy or percentile, got {method!r}")
    name, options = _OPTIONS[method]

    class Reader(quantization.CalibrationDataReader):
        def __init__(self, batch: dict[str, np.ndarray]) -> None:
            self.waiting = iter([batch])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.waiting, None)

    try:
        with tempfile.TemporaryDirectory() as folder:
            calibrator = quantization.create_calibrator(
                prepared,
                _operators(),
                augmented_model_path=str(Path(folder) / "augmented.onnx"),
                calibrate_method=getattr(quantization.CalibrationMethod, name),
                extra_options=options,
            )
            for batch in feeds:  # one at a time: it stacks what it is given at once, and the last batch may be smaller
                calibrator.collect_data(Reader(batch))
            return calibrator.compute_data()
    except Exception as error:
        # onnxruntime.quantization raises whatever its many passes raise
        raise DataError(f"cannot be calibrated: {error}", prepared) from error


def write_int8(
    prepared: Path,
    draft: Path,
    ranges: Any,
    *,
    per_channel: bool,
    products: bool | None,
    keep: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Any:
    """Write the int8 form of a prepared model, with every name in it as it was, and return it.

    Args:
        prepared: The model, as ``_onnx_files.prepare`` left it.
        draft: The file to write.
        ranges: From :func:`find_ranges`.
        per_channel: One scale per output channel.
        products: Whether the CPU has int8 dot products; where not, weights get 7 bits.
        keep: Names of nodes that stay in fp32.
        only: Names of the nodes to quantize; by default all that can be.

    Raises:
        DataError: ONNX Runtime cannot quantize it.
    """
    onnx = require("onnx", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    source = onnx.load(str(prepared))
    try:
        quantizer = quantization.QDQQuantizer(
            source,
            per_channel,
            products is False,  # without VNNI, sums of two 8-bit products saturate 16 bits
            quantization.QuantType.QInt8,
            quantization.QuantType.QUInt8,
            ranges,
            list(only),
            [*keep, *_scores(source)],
            _operators(),
            {},
        )
        quantizer.quantize_model()
    except Exception as error:
        # as above
        raise DataError(f"cannot be quantized: {error}", prepared) from error
    model = quantizer.model.model
    _guard(onnx, model)
    onnx.save(model, str(draft))
    return model


def _operators() -> list[str]:
    registry = require("onnxruntime.quantization.registry", extra="export")
    return sorted({*registry.QLinearOpsRegistry, *registry.QDQRegistry})


def _scores(model: Any) -> list[str]:
    """Return the names of softmaxes and of what their scores go through.

    A score that hides a place from an attention is so low that, on a grid of 256 steps from there, all others are one.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    waiting = [node for node in model.graph.node if node.op_type == "Softmax"]
    found: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        if node.op_type in _SCORING and node.name not in found:
            found[node.name] = None
            waiting += [made[name] for name in node.input if name in made]
    return list(found)


def _guard(onnx: Any, model: Any) -> None:
    """Keep ONNX Runtime from quantizing what was to stay in fp32.

    A session turns the float weights of a convolution or Gemm between a dequantization and a quantization into int8
    by itself (its WeightBiasQuantization), with one scale for all channels. A Clip without bounds hides the first.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    restored = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes = []
    for node in model.graph.node:
        if node.op_type in _WEIGHTED and node.input[0] in restored and node.input[1] in weights:
            hidden = f"{node.output[0]}_fp32_input"
            nodes.append(onnx.helper.make_node("Clip", [node.input[0]], [hidden], name=hidden))
            node.input[0] = hidden
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
