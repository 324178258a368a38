"""int8 without ranges of activations: weights are quantized once, each example's activations as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from netsmith.compress._int8_report import (
    Calibrated,
    QuantizationReport,
    finish,
    has_int8_products,
    sorted_out,
    source_and_feeds,
)
from netsmith.compress._onnx_files import known_nodes, prepare, replacing
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.extras import require
from netsmith.core.quiet import silence

__all__ = ["quantize_dynamic"]

_QUANTIZED = ("LSTM", "MatMul", "Gather")
"""What ONNX Runtime computes with weights of int8 that it was not calibrated for; ``Gemm`` becomes a ``MatMul``."""


def quantize_dynamic(
    source_path: str | Path,
    target_path: str | Path,
    examples: Iterable[Calibrated],
    *,
    keep: Sequence[str] = (),
    class_axis: int = -1,
) -> QuantizationReport:
    """Write a dynamically quantized form of an ONNX model: for recurrent networks, and where no range is known ahead.

    Weights are int8, one scale per output channel; activations are uint8 with the range each batch happens to have (so
    an answer depends, by less than a step, on what else is in its batch). Quantized are:

    - ``LSTM``, one or both directions, into ONNX Runtime's ``DynamicQuantizeLSTM``: products of input and state in
      int8, gates and cell in fp32;
    - ``MatMul`` by a constant and ``Gemm`` into ``MatMulInteger``; an addition of the bias stays in fp32;
    - ``Gather`` from a table of floats (an embedding), stored in uint8.

    ``GRU`` and ``RNN`` have no int8 kernel in ONNX Runtime and stay in fp32, and so do convolutions (for these take
    :func:`~netsmith.compress.quantize.quantize_onnx`); the report counts them as kept.

    Args:
        source_path: The fp32 model, from :func:`~netsmith.export.onnx.export_onnx`.
        target_path: The file to write.
        examples: Batches as the model takes them: what the two files are compared on. Nothing is calibrated with them.
        keep: Names of nodes that stay in fp32, as they are called once ONNX Runtime has prepared the model.
        class_axis: Axis of the first output that holds the classes: where the agreement looks for the largest.

    Raises:
        UnsupportedError: No examples, an unknown name, or a model without anything to quantize.
        DataError: The source is not a model ONNX Runtime can run or quantize.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    onnx = require("onnx", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    source, target = Path(source_path), Path(target_path)
    exact, feeds = source_and_feeds(source, examples, empty="a quantized model is compared with its source on examples")
    products = has_int8_products()
    with replacing(target) as folder, silence():
        prepared, draft = folder / f"prepared.{source.name}", folder / target.name
        model = prepare(source, prepared)
        known_nodes(model, keep)
        _unshare(model)
        onnx.save(model, str(prepared))
        try:
            quantization.quantize_dynamic(
                str(prepared),
                str(draft),
                op_types_to_quantize=list(_QUANTIZED),
                per_channel=True,
                reduce_range=products is False,  # without VNNI, sums of two 8-bit products saturate 16 bits
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=[name for kept in keep for name in (kept, f"{kept}_MatMul")],  # a Gemm is renamed
            )
        except Exception as error:
            # onnxruntime.quantization raises whatever its many passes raise
            raise DataError(f"cannot be quantized: {error}", source) from error
        if not any(eight for _, eight in sorted_out(onnx.load(str(draft)))):
            raise UnsupportedError(
                f"{source.name} has nothing that dynamic int8 takes ({', '.join(_QUANTIZED)}); calibrate it instead"
            )
        return finish(
            source,
            draft,
            target,
            feeds,
            exact=exact,
            method="dynamic",
            per_channel=True,
            products=products,
            class_axis=class_axis,
        )


def _unshare(model: Any) -> None:
    """Give every node its own copy of a shared weight matrix.

    ONNX Runtime transposes the weights of a ``Gemm`` and reshapes those of an ``LSTM`` in place: a second reader, such
    as the embedding that a language model's last layer is tied to, would read another table.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) > 1}
    readers: Counter[str] = Counter()
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name not in weights:
                continue
            readers[name] += 1
            if readers[name] > 1:
                own = model.graph.initializer.add()
                own.CopyFrom(weights[name])
                own.name = f"{name}_{readers[name]}"
                node.input[index] = own.name
