"""The last step after training with fake quantization: weights stored in int8."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from netsmith.compress._int8_report import Calibrated, QuantizationReport, finish, has_int8_products, source_and_feeds
from netsmith.compress._onnx_files import replacing
from netsmith.core.errors import UnsupportedError
from netsmith.core.extras import require
from netsmith.core.quiet import silence

__all__ = ["fold_int8"]

_NEVER = ("DequantizeLinear", "RandomNormal", "RandomUniform")


def fold_int8(
    source_path: str | Path, target_path: str | Path, examples: Iterable[Calibrated], *, class_axis: int = -1
) -> QuantizationReport:
    """Write an exported fake-quantized model with its weights in int8, and compare the two.

    Exporters write a weight in full precision and its quantization behind it. All that does not depend on inputs is
    computed once, up to the dequantization: what stays is the quantize-dequantize form that runtimes compute in int8.

    Args:
        source_path: From :func:`~netsmith.export.onnx.export_onnx` of a network from
            :func:`~netsmith.compress.fake_quantize.frozen`.
        target_path: The file to write.
        examples: Batches as the model takes them: what the two files are compared on.
        class_axis: Axis of the first output that holds the classes: where the agreement looks for the largest.

    Returns:
        The report; ``method`` is ``trained``, ``bytes_before`` the size of the source.

    Raises:
        UnsupportedError: No examples, or no quantized weight in the model.
        DataError: The source is not a model ONNX Runtime can run.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    onnx = require("onnx", extra="export")
    source, target = Path(source_path), Path(target_path)
    exact, feeds = source_and_feeds(source, examples, empty="a folded model is compared with its source on examples")
    model = onnx.load(str(source))
    if not _fold(onnx, model):
        raise UnsupportedError(f"{source.name} has no quantized weights; export a network from fake_quantized, frozen")
    with replacing(target) as folder, silence():
        draft = folder / target.name
        onnx.save(model, str(draft))
        return finish(
            source,
            draft,
            target,
            feeds,
            exact=exact,
            method="trained",
            per_channel=True,
            products=has_int8_products(),
            class_axis=class_axis,
        )


def _fold(onnx: Any, model: Any) -> int:
    """Compute what is constant, up to dequantizations; return how many quantizations of weights went."""
    reference = require("onnx.reference", extra="export")
    graph = model.graph
    values = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    left, folded = [], 0
    for node in graph.node:
        names = [name for name in node.input if name]
        constant = all(name in values for name in names) and not outputs.intersection(node.output)
        if node.op_type in _NEVER or not constant or any(attribute.HasField("g") for attribute in node.attribute):
            left.append(node)
            continue
        given = {name: onnx.numpy_helper.to_array(values[name]) for name in names}
        inner = onnx.helper.make_graph(
            [node],
            "constant",
            [onnx.helper.make_tensor_value_info(n, values[n].data_type, list(values[n].dims)) for n in given],
            [onnx.helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        small = onnx.helper.make_model(inner, opset_imports=model.opset_import, ir_version=model.ir_version)
        found = reference.ReferenceEvaluator(small).run(None, given)
        for name, array in zip(node.output, found, strict=True):
            values[name] = onnx.numpy_helper.from_array(array, name)
        folded += node.op_type == "QuantizeLinear"
    left = _stored_first(onnx, left, values, outputs)
    left = _whole_biases(onnx, left, values)
    used = {name for node in left for name in _read(node)}
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in left]
    tensors = [onnx.TensorProto.FromString(values[name].SerializeToString()) for name in values if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.initializer.extend(tensors)
    return folded


def _read(node: Any) -> set[str]:
    """Return the names that a node reads, those that the bodies of a loop or branch take from outside included."""
    bodies = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    inner = (name for body in bodies for part in body.node for name in _read(part))
    return {*node.input, *inner, *(value.name for body in bodies for value in body.output)}


def _stored_first(onnx: Any, nodes: list[Any], values: dict[str, Any], outputs: set[str]) -> list[Any]:
    """Transpose weights and look up in tables while they are in int8, not once they are restored, in each run.

    Exporters write ``Transpose`` between a weight and a product of more than two axes. What is read otherwise too is
    not transposed: it would be stored twice.
    """
    readers: dict[str, set[Any]] = {}
    for node in nodes:
        for name in _read(node):
            readers.setdefault(name, set()).add((node.op_type, *(tuple(a.ints) for a in node.attribute)))
    weights = {n.output[0]: n for n in nodes if n.op_type == "DequantizeLinear" and all(i in values for i in n.input)}
    found = []
    for node in nodes:
        source = weights.get(node.input[0]) if node.op_type in ("Transpose", "Gather") else None
        if source is None:
            found.append(node)
            continue
        name, small = node.output[0], f"{node.output[0]}_int8"
        stored, scale = (onnx.numpy_helper.to_array(values[i]) for i in source.input[:2])
        where = {}
        if node.op_type == "Transpose" and len(readers[node.input[0]]) == 1:
            small = f"{source.output[0]}_turned"
            order = next((list(a.ints) for a in node.attribute), list(range(stored.ndim))[::-1])
            values[small] = onnx.numpy_helper.from_array(np.ascontiguousarray(stored.transpose(order)), small)
            if scale.ndim:
                where["axis"] = order.index(next((a.i for a in source.attribute if a.name == "axis"), 1))
        elif node.op_type == "Gather" and scale.ndim == 0:
            read = onnx.helper.make_node("Gather", [source.input[0], node.input[1]], [small], name=small)
            read.attribute.extend(node.attribute)
            found.append(read)
        else:
            found.append(node)
            continue
        found.append(
            onnx.helper.make_node("DequantizeLinear", [small, *source.input[1:]], [name], name=f"{name}_float", **where)
        )
    used = {name for node in found for name in _read(node)} | outputs
    return [node for node in found if node.output[0] not in weights or node.output[0] in used]


def _whole_biases(onnx: Any, nodes: list[Any], values: dict[str, Any]) -> list[Any]:
    """Store biases in int32 on the grid of the products they are added to; without it, a Gemm may run in fp32."""
    restored = {node.output[0]: node for node in nodes if node.op_type == "DequantizeLinear"}
    found = []
    for node in nodes:
        pair = [restored[name] for name in node.input[:2] if name in restored]
        if node.op_type in ("Conv", "Gemm") and len(pair) == 2 and len(node.input) == 3 and node.input[2] in values:
            scales = [onnx.numpy_helper.to_array(values[source.input[1]]) for source in pair]
            step = (scales[0] * scales[1]).astype(np.float32).reshape(-1)
            bias = onnx.numpy_helper.to_array(values[node.input[2]])
            whole = np.rint(bias.astype(np.float64) / step)
            if bias.dtype == np.float32 and bias.ndim == 1 and np.abs(whole).max(initial=0) < 2**31:
                name = f"{node.output[0]}_bias"
                inputs = [f"{name}_int32", f"{name}_step", f"{name}_zero"]
                arrays = np.broadcast_to(whole, bias.shape).astype(np.int32), np.broadcast_to(step, bias.shape)
                for own, array in zip(inputs, (*arrays, np.zeros(bias.shape, np.int32)), strict=True):
                    values[own] = onnx.numpy_helper.from_array(np.ascontiguousarray(array), own)
                found.append(onnx.helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=0))
                node.input[2] = name
        found.append(node)
    return found
