"""ONNX files on their way to int8: prepared by ONNX Runtime's own passes, and made small at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from netsmith.core.errors import DataError, UnsupportedError, did_you_mean
from netsmith.core.extras import require

__all__ = ["compact", "known_nodes", "prepare", "replacing"]


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a folder beside ``target`` for drafts; it is gone at the end."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        yield Path(folder)


def prepare(source: Path, prepared: Path) -> Any:
    """Write what ONNX Runtime makes of a model before it quantizes: folded, fused, with shapes; every node has a name.

    Returns:
        The prepared model.

    Raises:
        DataError: ONNX Runtime cannot prepare it.
    """
    onnx = require("onnx", extra="export")
    shapes = require("onnxruntime.quantization.shape_inference", extra="export")
    try:
        shapes.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    except Exception as error:
        # its many passes raise whatever they raise
        raise DataError(f"cannot be prepared for int8: {error}", source) from error
    model = onnx.load(str(prepared))
    weights = {tensor.name for tensor in model.graph.initializer}
    # a weight that a pass of the quantizer transposes would contradict the shape noted here
    noted = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(noted)
    taken = {node.name for node in model.graph.node}
    for index, node in enumerate(model.graph.node):
        name = node.name or f"{node.op_type}_{index}"
        while not node.name:
            name = name if name not in taken else f"{name}_"
            if name not in taken:
                node.name = name
                taken.add(name)
    onnx.save(model, str(prepared))
    return model


def known_nodes(model: Any, keep: Sequence[str]) -> None:
    """Refuse names that no node of a prepared model has.

    Raises:
        UnsupportedError: A name is unknown; the nearest are suggested.
    """
    names = [node.name for node in model.graph.node]
    for name in keep:
        if name not in names:
            raise UnsupportedError(f"the model has no node {name!r} after preparation{did_you_mean(name, names)}")


def compact(model: Any) -> Any:
    """Shorten names inside the graph and drop what no runtime needs: a tenth to a third of a small int8 file."""
    graph = model.graph
    if any(attribute.HasField("g") or len(attribute.graphs) for node in graph.node for attribute in node.attribute):
        return model  # names inside a branch refer to the outside
    public = {value.name for value in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}

    def rename(name: str) -> str:
        return name if name in public else short.setdefault(name, f"t{len(short)}")

    for tensor in graph.initializer:
        tensor.name = rename(tensor.name)
        tensor.doc_string = ""
    for node in graph.node:
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
        node.name, node.doc_string = "", ""
        del node.metadata_props[:]
    del graph.value_info[:]
    del graph.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name, model.producer_version = "netsmith", ""
    return model
