"""Export any ``nn.Module`` to ONNX and prove under ONNX Runtime that the file gives the same answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from netsmith.core.errors import ProofError, UnsupportedError, UserError, shorten
from netsmith.core.extras import require
from netsmith.core.keys import key
from netsmith.core.quiet import silence
from netsmith.measure.example import Example, arguments, batch_size, map_tensors, random_like, tensors
from netsmith.measure.macs import evaluating
from netsmith.measure.memory import weight_bytes
from netsmith.measure.session import open_session, run_session

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

_OPSET = 18
_LARGEST_FILE = 1_800_000_000  # bytes of weights; protobuf ends at 2 GiB


@dataclass(frozen=True)
class Parity:
    """One comparison of the module and the file.

    Attributes:
        batch: Examples in it.
        error: ``max |file - module| / max |module|``, the worst of the outputs.
    """

    batch: int
    error: float


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


class _Flat(nn.Module):
    """Take and return flat tensors, whatever the module takes and returns."""

    def __init__(self, module: nn.Module, form: Any) -> None:
        super().__init__()
        self.module = module
        self.form = form

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        output = self.module(*pytree.tree_unflatten(list(given), self.form))
        return (output,) if isinstance(output, Tensor) else tuple(tensors(output))


@dataclass(frozen=True)
class _Forms:
    """What an exporter is told of a file's inputs and outputs.

    Attributes:
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        batch: Whether the batch is free.
        free: Other free axes of each input.
        moving: Axes of each output whose length follows from those.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    batch: bool
    free: tuple[tuple[int, ...], ...]
    moving: tuple[tuple[int, ...], ...]


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
            text, the nodes and the edges of a graph).
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
        given = arguments(example)
        size = batch_size(given)
        inputs = _input_names(names, given)
        # torch.export takes an axis of length 1 for a constant
        traced = map_tensors(given, lambda t: torch.cat([t, t])) if dynamic_batch and size == 1 else given
        flat, form = pytree.tree_flatten(traced)
        wrapper = _Flat(module, form).eval()
        outputs = tuple(f"outputs_{i}" for i in range(len(wrapper(*flat))))
        outputs = ("outputs",) if len(outputs) == 1 else outputs
        axes = _free_axes(free or {}, inputs, flat)
        trials = _trials(given, size, dynamic_batch, axes)
        forms = _Forms(inputs, outputs, dynamic_batch, axes, _moving(wrapper, traced, flat, axes))

        reasons: list[str] = []
        errors: list[Exception] = []
        for name in _TRIED[exporter]:
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
                draft = Path(folder) / path.name
                external = weight_bytes(module) > largest_file
                write = _dynamo if name == "dynamo" else _torchscript
                try:
                    write(wrapper, tuple(flat), draft, forms, external)
                    opset = _clean(onnx, draft, external)
                    parity = _prove(module, draft, trials, tolerance)
                except MemoryError:
                    raise
                except Exception as error:
                    # exporters raise whatever the operation that failed raises
                    errors.append(error)
                    reasons.append(f"{name}: {_first_line(error)}")
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


def _dynamo(wrapper: _Flat, flat: tuple[Tensor, ...], path: Path, forms: _Forms, external: bool) -> None:
    batch = torch.export.Dim("batch")
    shapes = tuple(
        ({0: batch} if forms.batch else {}) | {axis: torch.export.Dim(f"{name}_{axis}") for axis in axes}
        for name, axes in zip(forms.inputs, forms.free, strict=True)
    )
    program = torch.onnx.export(
        wrapper,
        flat,
        dynamo=True,
        input_names=list(forms.inputs),
        output_names=list(forms.outputs),
        dynamic_shapes=(shapes,) if any(shapes) else None,
        opset_version=_OPSET,
        verbose=False,
    )
    assert program is not None
    program.save(path, external_data=external)


def _torchscript(wrapper: _Flat, flat: tuple[Tensor, ...], path: Path, forms: _Forms, external: bool) -> None:
    if external:
        raise UnsupportedError("the TorchScript exporter does not name its files of external data")
    named = [*zip(forms.inputs, forms.free, strict=True), *zip(forms.outputs, forms.moving, strict=True)]
    axes = {
        name: ({0: "batch"} if forms.batch else {}) | {axis: f"{name}_{axis}" for axis in own} for name, own in named
    }
    torch.onnx.export(
        wrapper,
        flat,
        str(path),
        dynamo=False,
        input_names=list(forms.inputs),
        output_names=list(forms.outputs),
        dynamic_axes={name: own for name, own in axes.items() if own} or None,
        opset_version=_OPSET,
    )


def _clean(onnx: Any, path: Path, external: bool) -> int:
    """Remove metadata (it holds source paths) and return the opset version."""
    model = onnx.load(str(path), load_external_data=False)
    del model.metadata_props[:]
    model.doc_string = ""
    model.producer_name, model.producer_version = "netsmith", ""
    for graph in (model.graph, *model.functions):
        _clean_graph(graph)
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(path) if external else model)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _clean_graph(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    named = [graph.value_info, graph.node]
    if graph.DESCRIPTOR.name == "GraphProto":
        named += [graph.input, graph.output, graph.initializer]
    for items in named:
        for item in items:
            item.doc_string = ""
            del item.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                _clean_graph(inner)


def _trials(
    given: tuple[Any, ...], size: int, dynamic: bool, free: tuple[tuple[int, ...], ...]
) -> list[tuple[int, Any]]:
    """Return the inputs to compare on: the example, and random ones (at other batch sizes, and of other lengths)."""
    generator = torch.Generator().manual_seed(key(0, "export", "parity"))
    others = sorted({1, size + 1} - {size}) if dynamic else [size]
    found = [(size, given), *((n, random_like(given, n, generator=generator)) for n in others)]
    if any(free):
        found.append((size, _longer(given, free)))
    return found


def _free_axes(
    free: Mapping[str, Sequence[int]], names: tuple[str, ...], flat: list[Any]
) -> tuple[tuple[int, ...], ...]:
    """Return the free axes of each input.

    Raises:
        UnsupportedError: There is no such input, or it has no such axis behind the batch.
    """
    axes = tuple(tuple(free.get(name, ())) for name in names)
    wrong = set(free) - set(names) or {a for t, own in zip(flat, axes, strict=True) for a in own if not 0 < a < t.dim()}
    if wrong:
        raise UnsupportedError(f"free: {sorted(wrong)} is no input or no axis behind the batch; the inputs are {names}")
    return axes


def _longer(example: Any, free: tuple[tuple[int, ...], ...]) -> Any:
    """Return an example with one position more along the free axes: its first one again."""
    flat, form = pytree.tree_flatten(example)
    grown = []
    for tensor, axes in zip(flat, free, strict=True):
        for axis in axes:
            tensor = torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis)
        grown.append(tensor)
    return pytree.tree_unflatten(grown, form)


def _moving(
    wrapper: _Flat, traced: Any, flat: list[Any], free: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Return the axes of each output whose length follows from the free ones."""
    before = wrapper(*flat)
    if not any(free):
        return tuple(() for _ in before)
    after = wrapper(*pytree.tree_leaves(_longer(traced, free)))
    pairs = zip(before, after, strict=True)
    return tuple(tuple(axis for axis in range(1, a.dim()) if a.shape[axis] != b.shape[axis]) for a, b in pairs)


def _prove(module: nn.Module, path: Path, trials: list[tuple[int, Any]], tolerance: float) -> tuple[Parity, ...]:
    session = open_session(path)
    found = []
    for size, given in trials:
        expected = [t.detach().cpu().numpy() for t in tensors(module(*given))]
        try:
            got = run_session(session, [t.detach().cpu().numpy() for t in tensors(given)])
        except UserError as error:
            raise ProofError(f"the file does not run at batch {size}: {_first_line(error)}") from None
        shapes = [a.shape for a in expected], [b.shape for b in got]
        if shapes[0] != shapes[1]:
            raise ProofError(f"at batch {size} the file returns shapes {shapes[1]}, expected {shapes[0]}")
        error = max((_relative_error(a, b) for a, b in zip(expected, got, strict=True)), default=0.0)
        if not error <= tolerance:
            raise ProofError(
                f"at batch {size} the file differs by {error:.2e} relative; at most {tolerance:.0e} allowed"
            )
        found.append(Parity(size, error))
    return tuple(found)


def _relative_error(expected: np.ndarray, got: np.ndarray) -> float:
    if not expected.size:
        return 0.0
    a, b = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(a[finite]).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(a[finite] - b[finite]).max()) / scale


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


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return shorten(text.splitlines()[0], 200)
