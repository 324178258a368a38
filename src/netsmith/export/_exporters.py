"""torch's two exporters to ONNX behind one call, and what is removed from the files they write."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx import symbolic_helper

from netsmith.core.errors import UnsupportedError, first_line
from netsmith.export._parity import Axes, longer
from netsmith.measure.example import called, returned, tensors

__all__ = ["Flat", "Forms", "clean", "moving_axes", "with_dynamo", "with_torchscript"]

_OPSET = 18


class Flat(nn.Module):
    """Take and return flat tensors, whatever the module takes and returns."""

    def __init__(self, module: nn.Module, put_together: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__()
        self.module = module
        self.put_together = put_together

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        output = called(self.module, tuple(self.put_together(given)))
        return (output,) if isinstance(output, Tensor) else tuple(returned(output))


@dataclass(frozen=True)
class Forms:
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
    free: Axes
    moving: Axes


def moving_axes(wrapper: Flat, traced: Any, flat: list[Any], free: Axes) -> Axes:
    """Return the axes of each output whose length follows from the free ones.

    Raises:
        UnsupportedError: The module does not take another length.
    """
    before = wrapper(*flat)
    if not any(free):
        return tuple(() for _ in before)
    try:
        after = wrapper(*tensors(longer(traced, free)))
    except Exception as error:  # a module may be anyone's
        raise UnsupportedError(
            f"the module does not take another length along its free axes: {first_line(error)}"
        ) from error
    pairs = zip(before, after, strict=True)
    return tuple(tuple(axis for axis in range(1, a.dim()) if a.shape[axis] != b.shape[axis]) for a, b in pairs)


def with_dynamo(wrapper: Flat, flat: tuple[Tensor, ...], path: Path, forms: Forms, external: bool) -> None:
    batch = torch.export.Dim("batch")
    shapes = tuple(
        ({0: batch} if forms.batch else {}) | {axis: torch.export.Dim(f"free_{place}_{axis}") for axis in axes}
        for place, axes in enumerate(forms.free)
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


def with_torchscript(wrapper: Flat, flat: tuple[Tensor, ...], path: Path, forms: Forms, external: bool) -> None:
    if external:
        raise UnsupportedError("the TorchScript exporter does not name its files of external data")
    named = [*zip(forms.inputs, forms.free, strict=True), *zip(forms.outputs, forms.moving, strict=True)]
    axes = {
        name: ({0: "batch"} if forms.batch else {}) | {axis: f"{name}_{axis}" for axis in own} for name, own in named
    }
    with _sums_of_what_meets():
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


@contextlib.contextmanager
def _sums_of_what_meets() -> Iterator[None]:
    """Let ``index_add`` sum what is added at one place: torch's own form keeps one of it, and warns."""

    @symbolic_helper.parse_args("v", "i", "v", "v", "i")
    def index_add(g: Any, into: Any, dim: int, index: Any, source: Any, alpha: int) -> Any:
        if (dim, alpha) != (0, 1):
            raise UnsupportedError(f"index_add of axis {dim}, alpha {alpha}: this exporter has it of axis 0, alpha 1")
        places = g.op("Unsqueeze", index, g.op("Constant", value_t=torch.tensor([1])))
        return g.op("ScatterND", into, places, source, reduction_s="add").setType(into.type())

    torch.onnx.register_custom_op_symbolic("aten::index_add", index_add, _OPSET)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.onnx.unregister_custom_op_symbolic("aten::index_add", _OPSET)  # type: ignore[attr-defined]


def clean(onnx: Any, path: Path, external: bool) -> int:
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
