"""Raw batches of every kind, graphs among them: counted, cut, drawn at random, read from what a person has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.spec import Inputs
from netsmith.layers.graphs import Graphs, pad_graphs

__all__ = ["Raw", "as_batches", "count", "free_axes", "join", "map_raw", "random_graphs", "read_graphs"]

Raw = Tensor | Graphs
"""A raw batch: one tensor, or a batch of graphs."""

_DEGREE = 4


def map_raw(raw: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return a raw batch with every tensor of it changed."""
    return {name: change(part) for name, part in raw.items()} if isinstance(raw, dict) else change(raw)


def count(raw: Raw) -> int:
    """Return how many examples a raw batch holds."""
    tensor = raw["nodes"] if isinstance(raw, dict) else raw
    return len(tensor) if tensor.dim() else 0


def as_batches(raw: Raw, size: int) -> Sequence[Any]:
    """Cut a raw batch into pieces of at most ``size``."""
    return [map_raw(raw, lambda part, at=at: part[at : at + size]) for at in range(0, count(raw), size)]


def join(raws: Sequence[Any]) -> Any:
    """Return raw batches of one form as one."""
    if isinstance(raws[0], dict):
        return {name: torch.cat([raw[name] for raw in raws]) for name in raws[0]}
    return torch.cat(list(raws))


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
    first = values[0]["nodes"] if isinstance(values[0], dict) and "nodes" in values[0] else None
    if len(values) == 1 and isinstance(first, Tensor) and first.dim() == 3:
        return values[0]
    graphs = []
    for place, value in enumerate(values, start=1):
        if not isinstance(value, dict) or set(value) != {"nodes", "edges"}:
            got = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise DataError(f"graph {place}: expected the keys 'nodes' and 'edges', got {shorten(str(got), 60)}")
        nodes, edges = (_numbers(value[name], name, place) for name in ("nodes", "edges"))
        width = inputs.shape[-1]
        if nodes.dim() != 2 or nodes.shape[1] != width or not len(nodes):
            shape = tuple(nodes.shape)
            raise DataError(f"graph {place}: expected nodes of {width} numbers each, got the shape {shape}")
        edges = edges.reshape(0, 2) if not edges.numel() else edges
        if edges.dim() != 2 or edges.shape[1] != 2:
            raise DataError(f"graph {place}: expected edges as pairs (from, to), got the shape {tuple(edges.shape)}")
        whole = edges.long()
        if bool((whole != edges).any() | (whole < 0).any() | (whole >= len(nodes)).any()):
            raise DataError(f"graph {place}: an edge names a node that is not there; expected 0 to {len(nodes) - 1}")
        graphs.append((nodes.float(), whole))
    return pad_graphs(graphs)


def _numbers(value: Any, name: str, place: int) -> Tensor:
    try:
        found = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        shown = shorten(" ".join(repr(value).split()), 60)
        raise DataError(f"graph {place}: {name!r} holds {shown}; expected rows of numbers, all as long") from None
    if not bool(found.isfinite().all()):
        raise DataError(f"graph {place}: {name!r} holds NaN or infinity; expected finite numbers")
    return found
