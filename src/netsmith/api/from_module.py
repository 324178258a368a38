"""Any ``nn.Module`` with an example input as a network of netsmith."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.api.network import Network
from netsmith.api.raw import Raw, count, read_graphs
from netsmith.core.errors import DataError, UnsupportedError, first_line, shorten
from netsmith.core.spec import Inputs, Outputs, Spec
from netsmith.engine.task import Task
from netsmith.layers.graphs import Graphs
from netsmith.measure.example import keywords, tensors
from netsmith.tasks.classify import Classify
from netsmith.tasks.tag import Tag

__all__ = ["from_module"]

_OTHER_FLOATS = (torch.float64, torch.float16, torch.bfloat16)


def from_module(
    module: nn.Module,
    example: Tensor | Graphs,
    *,
    kind: str = "",
    classes: Sequence[str] = (),
    name: str = "",
    notice: Callable[[str], None] = print,
) -> Network:
    """Take any ``nn.Module`` with an example input as a network of netsmith.

    Args:
        module: The network, as it is; it is put into evaluation mode. Where it returns an object or a dict, its answer
            is the only tensor in it, or the one named ``logits``.
        example: One batch of its inputs (preprocessed as the network wants them): a tensor, or of graphs a dict of
            ``nodes`` ``(B, N, F)`` and ``edges`` ``(B, E, 2)``.
        kind: ``image``, ``table``, ``tokens``, ``series``...; guessed from the example where empty.
        classes: Names of the outputs where they are classes (of a graph, of each of its nodes).
        name: A name for files and pages; the class's by default.
        notice: Where one line goes for each kind of change that pictures' files need.

    Raises:
        UnsupportedError: The network does not return one tensor with the batch first (one row of logits per example,
            or per node, where classes are named), or is not on the CPU in single precision.
        DataError: The example is not one batch, or does not fit the network.

    Example:
        >>> network = from_module(nn.Linear(4, 2), torch.zeros(1, 4), classes=("no", "yes"))
        >>> network.predict([[0.0, 0.0, 0.0, 0.0]])[0]["label"] in ("no", "yes")
        True
    """
    if not isinstance(module, nn.Module):
        raise UnsupportedError(f"expected an nn.Module, got {shorten(repr(module), 60)}")
    if isinstance(example, Mapping) and "nodes" not in example:
        example = _by_name(example, module)
    graphs = isinstance(example, dict)
    if kind == "graph" and not graphs:
        raise DataError("expected a dict of nodes (B, N, F) and edges (B, E, 2) as the example of a network on graphs")
    if isinstance(example, dict):
        width = example["nodes"].shape[-1] if isinstance(example.get("nodes"), Tensor) else 0
        example = read_graphs([example], Inputs(kind="graph", shape=(-1, width)))
    elif not isinstance(example, Tensor):
        got = type(example).__name__
        raise DataError(f"expected one tensor as the example, got {got}; or, of graphs, a dict of nodes and edges")
    if not count(example):
        shapes = [tuple(part.shape) for part in tensors(example)]
        raise DataError(f"expected an example batch with at least one example, got the shape {shapes[0]}")
    held = [*tensors(example), *module.parameters(), *module.buffers()]
    odd = next((t for t in held if t.device.type != "cpu" or t.dtype in _OTHER_FLOATS), None)
    if odd is not None:
        raise UnsupportedError(
            f"expected a module and an example on the CPU in float32, got {odd.dtype} on {odd.device}; "
            "give module.float().cpu() and an example of the same kind"
        )
    module.eval()
    try:
        with torch.no_grad():
            output = module(example)
    except Exception as error:  # a module may be anyone's
        shape = tuple(tensors(example)[0].shape)
        raise DataError(f"the module does not take an example of shape {shape}: {first_line(error)}") from error
    if not isinstance(output, Tensor) and (answer := _answer_in(output)) is not None:
        module, output = _Answering(module).eval(), answer
        name = name or type(module.network).__name__
    if not isinstance(output, Tensor) or output.shape[:1] != tensors(example)[0].shape[:1]:
        found = tuple(output.shape) if isinstance(output, Tensor) else _told(output)
        raise UnsupportedError(f"expected a module that returns one tensor with the batch first, got {found}")
    if classes and output.dim() != 2 + graphs:
        wanted = (
            f"row of logits per node, (batch, nodes, {len(classes)}),"
            if graphs
            else f"row of logits per example, (batch, {len(classes)}),"
        )
        raise UnsupportedError(
            f"expected one {wanted} from a module with classes, got {tuple(output.shape)}; leave classes out, or "
            "reduce the output"
        )
    inputs = _inputs_of(example, kind)
    size = output.shape[-1] if graphs else output.reshape(len(output), -1).shape[1]
    task: Task | None = None
    outputs = Outputs(kind="values", size=size)
    if classes and graphs:
        task, outputs = Tag.Config().build(), Outputs(kind="tags", names=tuple(classes), size=size)
    elif classes:
        task, outputs = Classify.Config().build(), Outputs(kind="classes", names=tuple(classes), size=size)
    spec = Spec(dataset="your module", inputs=inputs, outputs=outputs)
    return Network(module, spec, task=task, name=name or type(module).__name__, notice=notice)


class _Answering(nn.Module):
    """A network that returns an object or a dict, with the answer in it as what it returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Any) -> Any:
        return _answer_in(self.network(inputs))


def _answer_in(output: Any) -> Tensor | None:
    """Return the tensor named ``logits`` of an object or a dict, or the only one there is."""
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    held = vars(output) if dataclasses.is_dataclass(output) else output
    found = tensors(held)
    return named if isinstance(named, Tensor) else found[0] if len(found) == 1 else None


def _told(output: Any) -> str:
    """Return what a module returned whose answer is not found."""
    held = vars(output) if dataclasses.is_dataclass(output) else output
    named = f" of {', '.join(map(str, held))}, none of them named logits" if isinstance(held, Mapping) else ""
    return f"{type(output).__name__}{named}"


def _by_name(example: Mapping[str, Any], module: nn.Module) -> Any:
    """Return the only input that a dict names."""
    given = list(keywords(example, module).values())
    if len(given) == len(example) == 1:
        return given[0]
    if given:
        raise UnsupportedError(
            f"expected a module of one input, got {', '.join(example)}; wrap it in one that makes the others; prune of "
            "netsmith.compress.prune and export_onnx of netsmith.export.onnx take several by name"
        )
    raise DataError(f"expected one tensor as the example, or of graphs a dict of nodes and edges; got {list(example)}")


def _inputs_of(example: Raw, kind: str) -> Inputs:
    """Return the schema of inputs like the example's."""
    if isinstance(example, dict):
        _, nodes, width = example["nodes"].shape
        return Inputs(kind="graph", shape=(-1, width), max_length=nodes, edges=example["edges"].shape[1])
    guessed = kind or ("image" if example.dim() == 4 else "tokens" if not example.is_floating_point() else "table")
    if guessed == "table" and example.dim() > 2:
        guessed = "series"
    return Inputs(kind=guessed, shape=tuple(example.shape[1:]))  # type: ignore[arg-type]
