"""ONNX Runtime sessions with stated threads: one thread by default, so that figures mean the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.core.extras import require

__all__ = ["feeds_for", "open_session", "run_session"]


def open_session(model: str | Path | bytes, *, threads: int = 1) -> Any:
    """Open an ONNX model on the CPU.

    Args:
        model: A file, or its bytes (then nothing beside it is read).
        threads: Threads within an operation; operations run one after another.

    Raises:
        DataError: It is not a model ONNX Runtime can run.
        MissingExtraError: onnxruntime is not installed.
    """
    runtime = require("onnxruntime", extra="export")
    if threads < 1:
        raise UnsupportedError(f"threads must be at least 1, got {threads}")
    path = None if isinstance(model, bytes) else Path(model)
    if path is not None and not path.is_file():
        raise DataError("does not exist; expected an ONNX file", path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    try:
        found = model if path is None else str(path)
        return runtime.InferenceSession(found, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime raises its own classes, one per status, without a common public base
        raise DataError(f"ONNX Runtime cannot run it: {error}", path) from None


def feeds_for(session: Any, arrays: Sequence[Any] | Mapping[str, Any] | np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays by the names of a session's inputs.

    Raises:
        UnsupportedError: Another number of arrays, or another name.
    """
    names = [value.name for value in session.get_inputs()]
    if isinstance(arrays, Mapping):
        if set(arrays) != set(names):
            raise UnsupportedError(f"the model takes {names}, got {sorted(arrays)}")
        return {name: np.asarray(arrays[name]) for name in names}
    given = [arrays] if isinstance(arrays, np.ndarray) else list(arrays)
    if len(given) != len(names):
        raise UnsupportedError(f"the model takes {len(names)} inputs ({', '.join(names)}), got {len(given)}")
    return {name: np.asarray(array) for name, array in zip(names, given, strict=True)}


def run_session(session: Any, arrays: Sequence[Any] | Mapping[str, Any] | np.ndarray) -> list[np.ndarray]:
    """Run a session once and return its outputs in order.

    Args:
        session: From :func:`open_session`.
        arrays: One array, a sequence in the order of the inputs, or a mapping by name.

    Raises:
        UnsupportedError: The arrays do not fit the model's inputs.
    """
    feeds = feeds_for(session, arrays)
    try:
        return list(session.run(None, feeds))
    except Exception as error:
        shapes = {name: (str(array.dtype), array.shape) for name, array in feeds.items()}
        raise UnsupportedError(f"the ONNX model does not run on {shapes}: {error}") from None
