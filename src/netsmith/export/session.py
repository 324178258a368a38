"""Open and run ONNX files; those of strangers only after a look inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from netsmith.core.errors import DataError
from netsmith.core.extras import require
from netsmith.measure.session import feeds_for, open_session, run_session

__all__ = ["check_onnx", "feeds_for", "open_session", "open_untrusted", "run_session"]

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # what ONNX Runtime itself implements


def check_onnx(path: str | Path, *, limit: int = 512 * 2**20) -> bytes:
    """Return the bytes of an ONNX file after checking that it is whole and refers to nothing outside itself.

    Args:
        path: The file.
        limit: Most bytes it may have.

    Raises:
        DataError: It is too large, not ONNX, invalid, keeps weights in other files (a path may lead anywhere), or uses
            operators of an unknown domain (they need native code).
    """
    onnx = require("onnx", extra="export")
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path) from None
    if len(content) > limit:
        raise DataError(f"has more than {limit} bytes", path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception:
        # protobuf's DecodeError, whose class differs between its implementations
        raise DataError("is not an ONNX file", path) from None
    for graph in _graphs(model):
        for tensor in _tensors(graph):
            if tensor.data_location == tensor.EXTERNAL or len(tensor.external_data):
                raise DataError(f"keeps the weights of {tensor.name!r} in another file; expected one file", path)
        for node in graph.node:
            if node.domain not in _DOMAINS and not any(f.domain == node.domain for f in model.functions):
                raise DataError(f"uses the operator {node.domain}.{node.op_type}, which is not a standard one", path)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise DataError(f"is not a valid ONNX model: {error}", path) from None
    return content


def open_untrusted(path: str | Path, *, threads: int = 1, limit: int = 512 * 2**20) -> Any:
    """Check an ONNX file and open exactly the bytes that were checked.

    Raises:
        DataError: See :func:`check_onnx`.
    """
    return open_session(check_onnx(path, limit=limit), threads=threads)


def _graphs(model: Any) -> list[Any]:
    """Return the graph, the functions, and every graph inside a node of them."""
    found, waiting = [], [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        found.append(graph)
        for node in graph.node:
            for attribute in node.attribute:
                waiting += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
    return found


def _tensors(graph: Any) -> list[Any]:
    tensors = list(graph.initializer) if graph.DESCRIPTOR.name == "GraphProto" else []
    if graph.DESCRIPTOR.name == "GraphProto":
        for sparse in graph.sparse_initializer:
            tensors += [sparse.values, sparse.indices]
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]
    return tensors
