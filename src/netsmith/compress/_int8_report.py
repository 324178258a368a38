"""What a quantized ONNX file is worth: its report, and what of it computes in 8 bits."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsmith.compress._onnx_files import compact
from netsmith.core.errors import UnsupportedError
from netsmith.core.extras import require
from netsmith.measure.session import feeds_for, open_session, run_session

__all__ = [
    "Calibrated",
    "QuantizationReport",
    "compare",
    "finish",
    "has_int8_products",
    "operators",
    "sorted_out",
    "source_and_feeds",
    "warning_of",
]

Calibrated = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]
"""A batch of examples as a model takes them: one array, or a sequence or mapping of arrays for several inputs."""

_INTEGER = {  # operators that multiply 8-bit numbers, by the name of what they compute
    "ConvInteger": "Conv",
    "DynamicQuantizeLSTM": "LSTM",
    "DynamicQuantizeMatMul": "MatMul",
    "MatMulInteger": "MatMul",
    "MatMulIntegerToFloat": "MatMul",
    "QAttention": "Attention",
    "QGemm": "Gemm",
}
_EIGHT_BITS = (2, 3)  # uint8 and int8 as ONNX numbers its types
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Constant")


@dataclass(frozen=True)
class QuantizationReport:
    """What quantization did to a model.

    Attributes:
        file: The name of the file.
        bytes: Its size.
        bytes_before: The size of the model it was made from.
        method: How the ranges of activations were found; ``dynamic`` where each example has its own.
        per_channel: Whether each output channel's weights have a scale of their own.
        examples: How many examples calibrated and were compared.
        agreement: Part of the answers whose largest output is the same in both; None where the output is one number.
        error: ``rms(int8 - fp32) / rms(fp32)`` over the first output.
        quantized: Operators that compute in int8 (tables and transposed convolutions: that are stored in it, since
            no kernel of a CPU computes them so), by the type they had in fp32.
        kept: The other operators, by type: those that compute in fp32, and those of shapes.
        warning: Why int8 may not pay on this machine; empty where it should.
        versions: onnx and onnxruntime.
    """

    file: str
    bytes: int
    bytes_before: int
    method: str
    per_channel: bool
    examples: int
    agreement: float | None
    error: float
    quantized: dict[str, int]
    kept: dict[str, int]
    warning: str
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def has_int8_products(cpuinfo: str | None = None) -> bool | None:
    """Return whether the CPU multiplies and sums 8-bit numbers in one instruction; None where that is unknown.

    Args:
        cpuinfo: The text of ``/proc/cpuinfo``; read from this machine by default.
    """
    if cpuinfo is None:
        if platform.system() == "Darwin" and platform.machine() == "arm64":
            return True  # every Apple processor of this kind has the dot product
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {
        flag for name, _, value in lines if name.strip().lower() in ("flags", "features") for flag in value.split()
    }
    return bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}) if flags else None


def warning_of(products: bool | None) -> str:
    if products is None:
        return "could not tell whether this CPU has int8 dot products (VNNI); time int8 against fp32 before choosing it"
    if products:
        return ""
    return (
        "this CPU has no int8 dot products (VNNI): int8 may be slower than fp32 here, and weights were limited to 7 "
        "bits so that sums do not overflow"
    )


def finish(
    source: Path,
    draft: Path,
    target: Path,
    feeds: list[dict[str, np.ndarray]],
    *,
    exact: Any,
    method: str,
    per_channel: bool,
    products: bool | None,
    class_axis: int,
) -> QuantizationReport:
    """Make a quantized draft small, compare it with its source, and put it in its place.

    Raises:
        DataError: ONNX Runtime cannot run what its quantizer made.
    """
    onnx = require("onnx", extra="export")
    runtime = require("onnxruntime", extra="export")
    before = source.stat().st_size  # the target may take its place
    model = onnx.load(str(draft))
    quantized, kept = operators(model)
    draft.write_bytes(compact(model).SerializeToString())
    agreement, error, examples = compare(exact, open_session(draft), feeds, class_axis=class_axis)
    os.replace(draft, target)
    return QuantizationReport(
        target.name,
        target.stat().st_size,
        before,
        method,
        per_channel,
        examples,
        agreement,
        error,
        quantized,
        kept,
        warning_of(products),
        {"onnx": onnx.__version__, "onnxruntime": runtime.__version__},
    )


def source_and_feeds(
    source: Path, batches: Iterable[Calibrated], *, empty: str
) -> tuple[Any, list[dict[str, np.ndarray]]]:
    """Return a session of a model in full precision, and batches as it takes them.

    Raises:
        UnsupportedError: There is no batch; ``empty`` says why one is needed.
        DataError: The source is not a model ONNX Runtime can run.
    """
    exact = open_session(source)
    feeds = [feeds_for(exact, batch) for batch in batches]
    if not feeds:
        raise UnsupportedError(f"{empty}, got none")
    return exact, feeds


def compare(
    exact: Any, found: Any, feeds: list[dict[str, np.ndarray]], *, class_axis: int = -1
) -> tuple[float | None, float, int]:
    """Return the agreement of the largest outputs, the relative error, and the number of examples."""
    same, total, examples, lost, whole = 0, 0, 0, 0.0, 0.0
    for batch in feeds:
        a, b = (run_session(session, batch)[0].astype(np.float64) for session in (exact, found))
        examples += len(next(iter(batch.values())))
        lost += float(np.square(a - b).sum())
        whole += float(np.square(a).sum())
        if a.ndim >= 2 and a.shape[class_axis] > 1:
            alike = a.argmax(class_axis) == b.argmax(class_axis)
            same += int(alike.sum())
            total += alike.size
    return same / total if total else None, (lost / max(whole, 1e-300)) ** 0.5, examples


def operators(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Count the operators of a quantized model that compute in int8, and the others."""
    quantized: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for node, whole in sorted_out(model):
        kind = node.op_type
        if kind in _INTEGER:
            kind = _INTEGER[kind]
        (quantized if whole else kept)[kind.removeprefix("QLinear")] += 1
    return dict(sorted(quantized.items())), dict(sorted(kept.items()))


def sorted_out(model: Any) -> Iterator[tuple[Any, bool]]:
    """Yield every operator of a quantized model and whether it computes in int8.

    These are products of dequantized numbers and other operators between a dequantization and a quantization
    (quantize-dequantize form), those made for 8 bits (``QLinearConv``, ``MatMulInteger``...), and those whose weights
    alone are in 8 bits: tables, transposed convolutions. Conversions between the two worlds are left out.
    """
    made = {name: node for node in model.graph.node for name in node.output}
    small = {tensor.name for tensor in model.graph.initializer if tensor.data_type in _EIGHT_BITS}
    weights = {tensor.name for tensor in model.graph.initializer}
    quantizing = {name for node in model.graph.node if node.op_type == "QuantizeLinear" for name in node.input[:1]}
    for node in model.graph.node:
        kind = node.op_type
        if kind in _CONVERSIONS or _rescales(node, made):
            continue
        restored = [_dequantizes(made.get(name), made, weights) for name in node.input]
        between = any(restored) and not quantizing.isdisjoint(node.output)
        whole = all(restored[:2]) if kind in _PRODUCTS else between
        stored = (kind == "Gather" and node.input[0] in small) or (kind == "ConvTranspose" and restored[1])
        yield node, whole or stored or kind in _INTEGER or kind.startswith("QLinear")


def _dequantizes(node: Any, made: dict[str, Any], weights: set[str]) -> bool:
    """Return whether a node gives back what was quantized just before, or a constant stored in 8 bits."""
    if node is None or node.op_type != "DequantizeLinear":
        return False
    source = made.get(node.input[0])
    return node.input[0] in weights if source is None else source.op_type in ("QuantizeLinear", "Constant")


def _rescales(node: Any, made: dict[str, Any]) -> bool:
    """Return whether a node only turns the sums of an integer product into floats: ``float(sums) * (s_x * s_w)``."""
    sources = [made[name].op_type for name in node.input if name in made]
    if node.op_type == "Cast":
        return sources in (["MatMulInteger"], ["ConvInteger"])
    if node.op_type != "Mul":
        return False
    casts = [made[name] for name in node.input if name in made and made[name].op_type == "Cast"]
    return "DynamicQuantizeLinear" in sources or any(_rescales(cast, made) for cast in casts)
