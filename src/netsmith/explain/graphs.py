r"""Attributions in graphs: which nodes, and which edges, spoke for the answer at one node.

A node's share is gradient x input over its numbers, :math:`a_j = \sum_f x_{jf} \, \partial F_v / \partial x_{jf}`; seen
through :class:`NodeScores`, every other method of this room applies to nodes too. An edge's share is the derivative by
a factor :math:`m_e = 1` on what travels along it, in all layers (the edge mask of GNNExplainer, Ying et al. 2019,
arXiv:1903.03894), or the score that goes when the edge is removed, degrees counted anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain._forward import evaluating, pick, resolve_targets, slopes
from netsmith.explain.saliency import input_x_gradient
from netsmith.layers.graphs import Graphs, Links

__all__ = [
    "Neighborhood",
    "NodeScores",
    "edge_gradients",
    "edge_occlusion",
    "message_layers",
    "neighborhood",
    "node_attributions",
]


class Neighborhood(NamedTuple):
    """The part of a graph that one node can see.

    Attributes:
        graph: A batch of one.
        node: The node within it.
        nodes: ``(n,)`` the numbers of its nodes in the whole graph.
        edges: ``(e,)`` the positions of its edges in the whole graph.
        distance: ``(n,)`` steps from the node.
    """

    graph: Graphs
    node: int
    nodes: Tensor
    edges: Tensor
    distance: Tensor


class NodeScores(nn.Module):
    """The scores of one node as a function of the numbers of all nodes: what every method for ``(B, C, L)`` takes.

    Args:
        module: Takes a batch of graphs; returns ``(B, N, K)`` scores of nodes, or ``(B, K)`` of graphs.
        graph: A batch of one.
        node: Which node; None where the module scores whole graphs.

    Shapes:
        ``(B, F, N)``, features before nodes, to ``(B, K)``.
    """

    def __init__(self, module: nn.Module, graph: Graphs, node: int | None) -> None:
        super().__init__()
        _one(graph, node)
        self.module = module
        self.edges = graph["edges"]
        self.node = node

    def forward(self, features: Tensor) -> Tensor:
        """Return the scores."""
        nodes = features.transpose(1, 2)
        return _at(self.module({"nodes": nodes, "edges": self.edges.expand(len(nodes), -1, -1)}), self.node)


def node_attributions(module: nn.Module, graph: Graphs, target: int | None = None, *, node: int | None) -> Tensor:
    """Return gradient x input for the numbers of every node; their sum over features is the node's share.

    Args:
        module: Takes a batch of graphs; returns ``(B, N, K)`` scores of nodes, or ``(B, K)`` of graphs. Left as found.
        graph: A batch of one.
        target: The class explained; None explains the predicted one.
        node: The node whose score is explained; None where the module scores whole graphs.

    Returns:
        ``(N, F)``, signed.

    Raises:
        UserError: More than one graph, a node that is not there, or a class that is none.
        UnsupportedError: The module returns no scores of nodes (of graphs).
    """
    features = graph["nodes"].transpose(1, 2)
    return input_x_gradient(NodeScores(module, graph, node), features, target)[0].T


def edge_gradients(module: nn.Module, graph: Graphs, target: int | None = None, *, node: int | None) -> Tensor:
    """Return the derivative of the score by a factor on each edge, its normalization kept.

    Use it as the fast look at all edges: one backward pass. Arguments and errors as :func:`node_attributions`.

    Returns:
        ``(E,)``, signed; 0 for padding.

    Raises:
        UnsupportedError: No layer of the module is handed :class:`~netsmith.layers.graphs.Links`;
            :func:`edge_occlusion` fits.
    """
    _one(graph, node)
    count = graph["edges"].shape[1]
    with evaluating(module):
        factor = graph["nodes"].new_ones(count + graph["nodes"].shape[1], requires_grad=True)  # edges, then loops

        def masked(links: Links) -> Links:
            return links._replace(weight=links.weight * factor)

        with _links(module, masked) as calls:
            scores = _at(module(graph), node)
        if not calls:
            raise UnsupportedError(
                f"{type(module).__name__} hands no Links to a layer, so its edges have no gradient; edge_occlusion fits"
            )
        score = pick(scores, resolve_targets(scores, target))
        return slopes(score, factor, "the edges")[:count]


def edge_occlusion(
    module: nn.Module,
    graph: Graphs,
    target: int | None = None,
    *,
    node: int | None,
    edges: Tensor | None = None,
    both: bool = True,
    rows: int = 16,
) -> Tensor:
    """Return the drop of the score when one edge is removed; no gradient is needed.

    Args:
        module: As in :func:`node_attributions`.
        graph: As in :func:`node_attributions`.
        target: As in :func:`node_attributions`.
        node: As in :func:`node_attributions`.
        edges: ``(n,)`` positions of the edges to try; None tries all.
        both: An edge goes together with the one in the other direction.
        rows: At most so many graphs in one forward pass.

    Returns:
        ``(E,)``: positive where the edge supports the class; 0 for padding and for edges not tried.
    """
    _one(graph, node)
    if rows < 1:
        raise UserError(f"rows is {rows}; expected at least 1")
    pairs = graph["edges"][0]  # (E, 2)
    tried = torch.arange(len(pairs), device=pairs.device) if edges is None else edges
    tried = tried[pairs[tried].amin(1) >= 0]
    drops = torch.zeros(len(pairs), dtype=graph["nodes"].dtype, device=pairs.device)
    with evaluating(module), torch.no_grad():
        scores = _at(module(graph), node)
        classes = resolve_targets(scores, target)
        whole = pick(scores, classes)
        for part in tried.split(rows):
            gone = (pairs[None] == pairs[part][:, None]).all(2)  # (n, E)
            if both:
                gone |= (pairs[None] == pairs[part].flip(1)[:, None]).all(2)
            left = torch.where(gone[..., None], -1, pairs[None])
            batch = {"nodes": graph["nodes"].expand(len(part), -1, -1), "edges": left}
            wanted = None if classes is None else classes.expand(len(part))
            drops[part] = whole - pick(_at(module(batch), node), wanted)
    return drops


def neighborhood(graph: Graphs, *, node: int, hops: int) -> Neighborhood:
    """Cut out what a network of ``hops`` layers sees from one node, so that its scores there stay as they are.

    Nodes one step further are kept for the degrees of the others; their own numbers do not count.

    Args:
        graph: A batch of one.
        node: Its number.
        hops: Steps along the edges.

    Raises:
        UserError: More than one graph, a node that is not there, or a negative number of hops.
    """
    _one(graph, node)
    if hops < 0:
        raise UserError(f"hops is {hops}; expected at least 0")
    pairs, count = graph["edges"][0], graph["nodes"].shape[1]
    given = pairs.amin(1) >= 0
    distance = torch.full((count,), -1, device=pairs.device)
    distance[node] = 0
    for step in range(1, hops + 2):
        ahead = (distance[pairs.clamp(min=0)] == step - 1) & given[:, None]  # (E, 2)
        reached = torch.cat([pairs[ahead[:, 0], 1], pairs[ahead[:, 1], 0]])
        distance[reached[distance[reached] < 0]] = step
    nodes = torch.nonzero(distance >= 0)[:, 0]
    edges = torch.nonzero(given & (distance[pairs.clamp(min=0)] >= 0).all(1))[:, 0]
    place = torch.full_like(distance, -1)
    place[nodes] = torch.arange(len(nodes), device=nodes.device)
    part = {"nodes": graph["nodes"][:, nodes], "edges": place[pairs[edges]][None]}
    return Neighborhood(part, int(place[node]), nodes, edges, distance[nodes])


def message_layers(module: nn.Module, graph: Graphs) -> int:
    """Return how many times a layer hands numbers along the edges: how many steps a node sees; 0 if it cannot be told.

    Args:
        module: Left as found.
        graph: A batch of graphs.
    """
    with evaluating(module), torch.no_grad(), _links(module, lambda links: links) as calls:
        module(graph)
    return len(calls)


@contextlib.contextmanager
def _links(module: nn.Module, change: Callable[[Links], Links]) -> Iterator[list[str]]:
    """Put ``change(links)`` in the place of the links that submodules are handed; yield the names of those."""
    calls: list[str] = []
    handles = []
    for name, part in module.named_modules():

        def enter(
            _part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], name: str = name
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if any(isinstance(value, Links) for value in (*args, *kwargs.values())):
                calls.append(name)
            changed = tuple(change(value) if isinstance(value, Links) else value for value in args)
            named = {key: change(value) if isinstance(value, Links) else value for key, value in kwargs.items()}
            return changed, named

        handles.append(part.register_forward_pre_hook(enter, with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _at(output: Any, node: int | None) -> Tensor:
    wanted = 2 if node is None else 3
    if not isinstance(output, Tensor) or output.dim() != wanted:
        got = str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
        raise UnsupportedError(
            f"the module returned {got}; expected {'(B, K) scores of graphs' if node is None else '(B, N, K)'}, "
            f"since node is {node}"
        )
    return output if node is None else output[:, node]


def _one(graph: Graphs, node: int | None) -> None:
    nodes, edges = graph["nodes"], graph["edges"]
    if nodes.dim() != 3 or len(nodes) != 1 or edges.dim() != 3 or len(edges) != 1 or edges.shape[2] != 2:
        raise UserError(
            f"nodes {tuple(nodes.shape)} and edges {tuple(edges.shape)}; expected one graph: (1, N, F) and (1, E, 2)"
        )
    if node is not None and not 0 <= node < nodes.shape[1]:
        raise UserError(f"node {node} is not there; the graph has nodes 0..{nodes.shape[1] - 1}")
