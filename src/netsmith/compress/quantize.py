"""int8 after training: an ONNX file into one that computes in 8 bits, and how far the two agree."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import platform
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netsmith.core.errors import DataError, UnsupportedError, did_you_mean
from netsmith.core.extras import require
from netsmith.measure.session import feeds_for, open_session, run_session

__all__ = ["QuantizationReport", "has_int8_products", "quantize_onnx"]

Calibrated = np.ndarray | Sequence[np.ndarray] | Mapping[str, np.ndarray]


@dataclass(frozen=True)
class QuantizationReport:
    """What quantization did to a model.

    Attributes:
        file: The name of the file.
        bytes: Its size.
        bytes_before: The size of the model it was made from.
        method: How the ranges of activations were found.
        per_channel: Whether each output channel's weights have a scale of their own.
        examples: How many examples calibrated and were compared.
        agreement: Part of the examples whose largest output is the same in both; None where the output is one number.
        error: ``rms(int8 - fp32) / rms(fp32)`` over the first output.
        quantized: Operators that compute in int8, by type.
        kept: Operators that still compute in fp32, by type.
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
    onnx = require("onnx", extra="export")
    runtime = require("onnxruntime", extra="export")
    quantization = require("onnxruntime.quantization", extra="export")
    shapes = require("onnxruntime.quantization.shape_inference", extra="export")
    source, target = Path(source_path), Path(target_path)
    methods = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
    if method not in methods:
        raise UnsupportedError(f"method must be minmax, entropy or percentile, got {method!r}")
    exact = open_session(source)
    feeds = [feeds_for(exact, batch) for batch in calibration]
    if not feeds:
        raise UnsupportedError("quantization needs calibration data, got none")
    _known_nodes(onnx, source, keep)
    products = has_int8_products()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder, _silence():
        prepared, draft = Path(folder) / "prepared.onnx", Path(folder) / target.name
        try:
            shapes.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(prepared),
                str(draft),
                _reader(quantization, feeds),
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
        model = _compact(onnx.load(str(draft)))
        draft.write_bytes(model.SerializeToString())
        found = open_session(draft)
        agreement, error, examples = _compare(exact, found, feeds)
        os.replace(draft, target)
    quantized, kept = _operators(model)
    return QuantizationReport(
        target.name,
        target.stat().st_size,
        source.stat().st_size,
        method,
        per_channel,
        examples,
        agreement,
        error,
        quantized,
        kept,
        _warning(products),
        {"onnx": onnx.__version__, "onnxruntime": runtime.__version__},
    )


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


def _warning(products: bool | None) -> str:
    if products is None:
        return "could not tell whether this CPU has int8 dot products (VNNI); time int8 against fp32 before choosing it"
    if products:
        return ""
    return (
        "this CPU has no int8 dot products (VNNI): int8 may be slower than fp32 here, and weights were limited to 7 "
        "bits so that sums do not overflow"
    )


def _reader(quantization: Any, feeds: list[dict[str, np.ndarray]]) -> Any:
    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self.waiting = iter(feeds)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.waiting, None)

    return Reader()


def _compare(exact: Any, found: Any, feeds: list[dict[str, np.ndarray]]) -> tuple[float | None, float, int]:
    """Return the agreement of the largest outputs, the relative error, and the number of examples."""
    same, total, examples, lost, whole = 0, 0, 0, 0.0, 0.0
    for batch in feeds:
        a, b = (run_session(session, batch)[0].astype(np.float64) for session in (exact, found))
        examples += len(next(iter(batch.values())))
        lost += float(np.square(a - b).sum())
        whole += float(np.square(a).sum())
        if a.ndim >= 2 and a.shape[-1] > 1:
            same += int((a.argmax(-1) == b.argmax(-1)).sum())
            total += int(np.prod(a.shape[:-1]))
    return same / total if total else None, (lost / max(whole, 1e-300)) ** 0.5, examples


def _operators(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Count the operators between a dequantization and a quantization, and the others."""
    made = {name: node for node in model.graph.node for name in node.output}
    quantized: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear", "Constant"):
            continue
        inputs = [made.get(name) for name in node.input]
        whole = any(source is not None and source.op_type == "DequantizeLinear" for source in inputs)
        (quantized if whole else kept)[node.op_type] += 1
    return dict(sorted(quantized.items())), dict(sorted(kept.items()))


def _known_nodes(onnx: Any, source: Path, keep: Sequence[str]) -> None:
    if not keep:
        return
    names = [node.name for node in onnx.load(str(source), load_external_data=False).graph.node]
    for name in keep:
        if name not in names:
            raise UnsupportedError(f"the model has no node {name!r}{did_you_mean(name, names)}")


def _compact(model: Any) -> Any:
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


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    level = logging.root.manager.disable
    sink = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)
