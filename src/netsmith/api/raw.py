"""Raw batches of every kind, graphs among them: counted, cut, drawn at random, read from what a person has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.spec import Inputs
from netsmith.engine.batch import map_tensors
from netsmith.layers.graphs import Graphs, pad_graphs

__all__ = [
    "Raw",
    "as_batches",
    "count",
    "free_axes",
    "join",
    "parse_graphs",
    "random_graphs",
    "read_graphs",
    "token_counts",
]

Raw = Tensor | Graphs
"""A raw batch: one tensor, or a batch of graphs."""

_DEGREE = 4


def count(raw: Raw) -> int:
    """Return how many examples a raw batch holds."""
    tensor = raw["nodes"] if isinstance(raw, dict) else raw
    return len(tensor) if tensor.dim() else 0


def as_batches(raw: Raw, size: int) -> Sequence[Any]:
    """Cut a raw batch into pieces of at most ``size``."""
    return [map_tensors(raw, lambda part, at=at: part[at : at + size]) for at in range(0, count(raw), size)]


def join(raws: Sequence[Any]) -> Any:
    """Return raw batches of one form as one."""
    if isinstance(raws[0], dict):
        return {name: torch.cat([raw[name] for raw in raws]) for name in raws[0]}
    return torch.cat(list(raws))


def token_counts(raw: Raw) -> list[int]:
    """Return how many tokens ``(B, L)`` each example has, padding at its end left out."""
    assert isinstance(raw, Tensor)
    return [next((at for at in range(len(row), 0, -1) if row[at - 1]), 0) for row in raw.tolist()]


def free_axes(inputs: Inputs) -> dict[str, tuple[int, ...]]:
    """Return, by the name of an exported file's input, the axes behind the batch whose length is free."""
    if inputs.kind == "graph":
        return {"nodes": (1,), "edges": (1,)}
    axes = tuple(axis for axis, size in enumerate(inputs.shape, start=1) if size == -1)
    return {"inputs": axes} if axes else {}


def random_graphs(inputs: Inputs, batch: int, *, generator: torch.Generator) -> Graphs:
    """Return random graphs of the largest size that training saw, their numbers in the schema's range."""
    nodes, edges = inputs.max_length or 8, inputs.edges or 8 * _DEGREE
    low, high = inputs.low or 0.0, 1.0 if inputs.high is None else inputs.high
    values = torch.rand(batch, nodes, inputs.shape[-1], generator=generator) * (high - low) + low
    return {"nodes": values, "edges": torch.randint(0, nodes, (batch, edges, 2), generator=generator)}


def read_graphs(values: Sequence[Any], inputs: Inputs) -> Graphs:
    """Return a batch of graphs given as ``{"nodes": rows of numbers, "edges": pairs of node numbers}``.

    A raw batch (those two as tensors with a batch axis) stays as it is.

    Raises:
        DataError: A graph without those keys, of other numbers per node, or with an edge to a node it has not.
    """
    first = values[0].get("nodes") if len(values) == 1 and isinstance(values[0], dict) else None
    if isinstance(first, Tensor) and first.dim() == 3:
        return _checked(values[0], inputs)
    return pad_graphs(parse_graphs(values, inputs))


def parse_graphs(values: Sequence[Any], inputs: Inputs) -> list[tuple[Tensor, Tensor]]:
    """Return the nodes ``(N, F)`` and edges ``(E, 2)`` of each graph; arguments and errors are of :func:`read_graphs`.

    Values that remember their file (``Rows``) have it named in errors.
    """
    if not len(values):
        raise DataError("nothing to predict: the list of inputs is empty")
    path, rows = getattr(values, "path", ""), getattr(values, "at", range(1, len(values) + 1))
    return [
        _parse(value, inputs, f"{path}:{row}" if path else f"graph {row}")
        for row, value in zip(rows, values, strict=True)
    ]


def _parse(value: Any, inputs: Inputs, name: str) -> tuple[Tensor, Tensor]:
    if not isinstance(value, dict) or set(value) != {"nodes", "edges"}:
        got = sorted(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise DataError(f"{name}: expected the keys 'nodes' and 'edges', got {shorten(str(got), 60)}")
    nodes, edges = (_numbers(value[part], f"{name}: {part!r}") for part in ("nodes", "edges"))
    width = inputs.shape[-1]
    if nodes.dim() != 2 or nodes.shape[1] != width or not len(nodes):
        raise DataError(f"{name}: expected nodes of {width} numbers each, got the shape {tuple(nodes.shape)}")
    _check_numbers(nodes, inputs, name)
    edges = edges.reshape(0, 2) if not edges.numel() else edges
    if edges.dim() != 2 or edges.shape[1] != 2:
        raise DataError(f"{name}: expected edges as pairs (from, to), got the shape {tuple(edges.shape)}")
    whole = edges.long()
    if bool((whole != edges).any() | (whole < 0).any() | (whole >= len(nodes)).any()):
        raise DataError(f"{name}: an edge names a node that is not there; expected 0 to {len(nodes) - 1}")
    return nodes.float(), whole


def _checked(raw: dict[str, Any], inputs: Inputs) -> Graphs:
    """Return a raw batch of graphs as it is, if it is one."""
    nodes, edges = raw.get("nodes"), raw.get("edges")
    width = inputs.shape[-1]
    fits = (
        set(raw) == {"nodes", "edges"}
        and isinstance(nodes, Tensor)
        and isinstance(edges, Tensor)
        and (nodes.dim(), edges.dim(), edges.dtype) == (3, 3, torch.int64)
        and (nodes.shape[2], edges.shape[2], len(edges)) == (width, 2, len(nodes))
    )
    if not fits:
        raise DataError(
            f"expected a raw batch of graphs: nodes (batch, nodes, {width}) and edges (batch, edges, 2) int64"
        )
    assert isinstance(nodes, Tensor)
    assert isinstance(edges, Tensor)
    _check_numbers(nodes, inputs, "nodes")
    padded = (edges == -1).all(-1, keepdim=True)
    if bool(((edges < 0) & ~padded).any() | (edges >= nodes.shape[1]).any()):
        raise DataError(f"an edge names a node that is not there; expected 0 to {nodes.shape[1] - 1}, or -1 twice")
    return {"nodes": nodes.float(), "edges": edges}


def _check_numbers(nodes: Tensor, inputs: Inputs, name: str) -> None:
    if not bool(nodes.isfinite().all()) or (nodes.numel() and nodes.abs().max() > torch.finfo(torch.float32).max):
        raise DataError(f"{name}: a number is not finite, or does not fit into 32 bits")
    if any(step.name == "unit_sum" for step in inputs.preprocessing) and bool((nodes < 0).any()):
        raise DataError(
            f"{name}: a number of a node is negative; expected shares or counts, which are divided by their sum"
        )


def _numbers(value: Any, name: str) -> Tensor:
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        shown = shorten(" ".join(repr(value).split()), 60)
        raise DataError(f"{name} holds {shown}; expected rows of numbers, all as long") from None
