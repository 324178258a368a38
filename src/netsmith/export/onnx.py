"""Export any ``nn.Module`` to ONNX and prove under ONNX Runtime that the file gives the same answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from netsmith.core.errors import ProofError, UnsupportedError, first_line
from netsmith.core.extras import require
from netsmith.core.quiet import silence
from netsmith.engine.batch import map_tensors
from netsmith.export._exporters import Flat, Forms, clean, moving_axes, with_dynamo, with_torchscript
from netsmith.export._parity import Axes, Parity, prove, trials_of
from netsmith.measure.example import Example, arguments, keywords, shared_batch, taken_apart, tensors
from netsmith.measure.macs import evaluating
from netsmith.measure.memory import weight_bytes

__all__ = ["ExportReport", "Exporter", "Parity", "export_onnx"]

Exporter = Literal["auto", "fast", "dynamo", "torchscript"]
"""torch's exporter: one of the two by name; ``auto`` takes dynamo's, and the other where it fails; ``fast`` takes
TorchScript's first, which is about ten times faster and knows fewer operations."""

_TRIED: dict[str, tuple[Literal["dynamo", "torchscript"], ...]] = {
    "auto": ("dynamo", "torchscript"),
    "fast": ("torchscript", "dynamo"),
    "dynamo": ("dynamo",),
    "torchscript": ("torchscript",),
}

_LARGEST_FILE = 1_800_000_000  # bytes of weights; protobuf ends at 2 GiB


@dataclass(frozen=True)
class ExportReport:
    """What was written and what proves it right.

    Attributes:
        file: The name of the file.
        bytes: Its size, external data included.
        exporter: ``dynamo`` or ``torchscript``.
        fallback: Why the first exporter was not used; empty where it was.
        opset: Version of ONNX's operators.
        dynamic_batch: Whether the file takes any batch size (proven with several, 1 among them).
        free: Axes along which the file takes any length, by input (proven with another one).
        inputs: Names of the inputs in order.
        outputs: Names of the outputs in order.
        parity: The comparisons made.
        tolerance: The largest error allowed.
        versions: torch, onnx and onnxruntime.
        int8: Of a network that was trained in int8: the report of storing its weights so.
    """

    file: str
    bytes: int
    exporter: str
    fallback: str
    opset: int
    dynamic_batch: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parity: tuple[Parity, ...]
    tolerance: float
    versions: dict[str, str]
    free: dict[str, tuple[int, ...]] = field(default_factory=dict)
    int8: dict[str, Any] | None = None

    @property
    def error(self) -> float:
        """Return the largest relative error found."""
        return max(found.error for found in self.parity)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def export_onnx(
    module: nn.Module,
    example: Example,
    path: str | Path,
    *,
    names: Sequence[str] = ("inputs",),
    dynamic_batch: bool = True,
    free: Mapping[str, Sequence[int]] | None = None,
    exporter: Exporter = "auto",
    tolerance: float = 1e-4,
    largest_file: int = _LARGEST_FILE,
) -> ExportReport:
    """Write a module to one ONNX file, in evaluation mode, and compare the two under ONNX Runtime.

    They are compared on the example and on random inputs of the same form, with a dynamic batch at other batch sizes
    too (1 among them), with free axes one longer, so an axis that an exporter silently froze is found. Only a proven
    file appears under ``path``. Source paths, which exporters write into a file's metadata, are removed.

    Args:
        module: Any module; left as found.
        example: One tensor, a tuple (positional arguments) or a dict of tensors; the batch is axis 0.
        path: The file to write (with weights beyond ``largest_file``, a second one beside it, ``<name>.data``).
        names: Names of the inputs. By default ``inputs``; several are ``inputs_0``..., those of a dict its keys.
        dynamic_batch: The file takes any batch size; otherwise the example's.
        free: Axes behind the batch, by the name of the input, along which the file takes any length (the words of a
            text, the nodes and the edges of a graph); from the first axis on where inputs have no batch in common.
        exporter: Which of torch's exporters, see :data:`Exporter`.
        tolerance: Largest relative error.
        largest_file: Bytes of weights beyond which they go to a file of their own.

    Raises:
        ProofError: The file gives other answers, or does not take another batch size.
        UnsupportedError: The module cannot be exported; says why.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
    """
    path = Path(path)
    onnx = require("onnx", extra="export")
    runtime = require("onnxruntime", extra="export")
    if exporter not in _TRIED:
        raise UnsupportedError(f"exporter must be auto, fast, dynamo or torchscript, got {exporter!r}")
    if "dynamo" in _TRIED[exporter]:
        require("onnxscript", extra="export")
    with evaluating(module), silence():
        given = arguments(example, module)
        size = shared_batch(given)
        if size is None and dynamic_batch:
            raise UnsupportedError(
                f"the inputs have no batch in common, {[tuple(t.shape) for t in tensors(given)]}; dynamic_batch=False "
                "exports them at these sizes, and at others along the axes that free names"
            )
        named = [name for name, value in keywords(example, module).items() if isinstance(value, Tensor)]
        inputs = _input_names(named if named and tuple(names) == ("inputs",) else names, given)
        # torch.export takes an axis of length 1 for a constant
        traced = map_tensors(given, lambda t: torch.cat([t, t])) if dynamic_batch and size == 1 else given
        flat, put_together = taken_apart(traced)
        wrapper = Flat(module, put_together).eval()
        outputs = tuple(f"outputs_{i}" for i in range(len(wrapper(*flat))))
        outputs = ("outputs",) if len(outputs) == 1 else outputs
        axes = _free_axes(free or {}, inputs, flat, first=0 if size is None else 1)
        trials = trials_of(module, given, size, dynamic_batch, axes)
        forms = Forms(inputs, outputs, dynamic_batch, axes, moving_axes(wrapper, traced, flat, axes))

        reasons: list[str] = []
        errors: list[Exception] = []
        for name in _TRIED[exporter]:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
                draft = Path(folder) / path.name
                external = weight_bytes(module) > largest_file
                write = with_dynamo if name == "dynamo" else with_torchscript
                try:
                    write(wrapper, tuple(flat), draft, forms, external)
                    opset = clean(onnx, draft, external)
                    parity = prove(module, draft, trials, tolerance)
                except MemoryError:
                    raise
                except Exception as error:
                    # exporters raise whatever the operation that failed raises
                    errors.append(error)
                    reasons.append(f"{name}: {first_line(error)}")
                    continue
                files = sorted(Path(folder).iterdir())
                total = sum(file.stat().st_size for file in files)
                for file in files:
                    os.replace(file, path.parent / file.name)
                return ExportReport(
                    path.name,
                    total,
                    name,
                    "; ".join(reasons),
                    opset,
                    dynamic_batch,
                    inputs,
                    outputs,
                    parity,
                    tolerance,
                    {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": runtime.__version__},
                    dict(zip(inputs, axes, strict=True)) if any(axes) else {},
                )
    if isinstance(errors[-1], ProofError):
        raise ProofError(f"the export of {type(module).__name__} is not right ({'; '.join(reasons)})") from errors[-1]
    raise UnsupportedError(f"{type(module).__name__} cannot be exported ({'; '.join(reasons)})") from errors[-1]


def _free_axes(free: Mapping[str, Sequence[int]], names: tuple[str, ...], flat: list[Any], *, first: int) -> Axes:
    """Return the free axes of each input, from axis ``first`` on.

    Raises:
        UnsupportedError: There is no such input, or it has no such axis (behind the batch).
    """
    axes = tuple(tuple(free.get(name, ())) for name in names)
    wrong = set(free) - set(names) or {
        a for t, own in zip(flat, axes, strict=True) for a in own if not first <= a < t.dim()
    }
    if wrong:
        raise UnsupportedError(f"free: {sorted(wrong)} is no input or no axis behind the batch; the inputs are {names}")
    return axes


def _input_names(names: Sequence[str], given: tuple[Any, ...]) -> tuple[str, ...]:
    count = len(tensors(given))
    if len(given) == 1 and isinstance(given[0], dict) and tuple(names) == ("inputs",):
        keys = [str(path[-1].key) for path, _ in pytree.tree_leaves_with_path(given[0])]
        return tuple(keys)
    if len(names) != count and tuple(names) == ("inputs",):
        return tuple(f"inputs_{i}" for i in range(count))
    if len(names) != count or len(set(names)) != count:
        raise UnsupportedError(f"expected {count} different input names, got {list(names)}")
    return tuple(names)
