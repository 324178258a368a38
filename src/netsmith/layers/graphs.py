"""Graphs in a batch: how they lie in tensors, and how numbers travel along their edges."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["GraphConvolution", "Graphs", "Links", "normalized_links", "pad_graphs", "unit_sum"]

Graphs = dict[str, Tensor]
"""A batch of graphs: ``nodes`` ``(B, N, F)`` floating and ``edges`` ``(B, E, 2)`` int64, pairs (from, to).

An edge without a direction stands twice. Graphs of fewer nodes or edges than the largest of the batch are padded: nodes
with zeros, edges with -1; a padded node has no edge, and a padded edge is none.
"""


class Links(NamedTuple):
    """The edges of a batch as those of one graph, whose nodes are those of all graphs one after another.

    Attributes:
        source: ``(M,)`` int64, where each comes from.
        target: ``(M,)`` int64, where it goes.
        weight: ``(M,)`` what it carries of the number it starts from.
    """

    source: Tensor
    target: Tensor
    weight: Tensor

    def sums(self, nodes: Tensor) -> Tensor:
        """Return what arrives at each node, ``(B, N, F)``: the weighted sum over the nodes that lead to it."""
        flat = nodes.flatten(0, 1)  # (B * N, F)
        carried = flat.index_select(0, self.source) * self.weight[:, None]  # (M, F); a third faster than flat[source]
        empty = torch.zeros_like(flat, dtype=carried.dtype)  # under autocast the weights are the wider ones
        return empty.index_add(0, self.target, carried).view_as(nodes)


def normalized_links(nodes: Tensor, edges: Tensor) -> Links:
    r"""Return the edges of a batch under the symmetric normalization, each node linked to itself.

    .. math:: \hat A = \tilde D^{-1/2} (A + I) \tilde D^{-1/2}, \qquad \tilde D_{ii} = 1 + \sum_j A_{ji}

    (Kipf & Welling 2017, arXiv:1609.02907, section 2.2, the renormalization trick.)

    Args:
        nodes: ``(B, N, F)``; only their number and type count.
        edges: ``(B, E, 2)`` int64; a padded one is (-1, -1).
    """
    batch, count = nodes.shape[0], nodes.shape[1]
    given = (edges[..., 0] >= 0).flatten().to(nodes.dtype)  # (B * E,)
    first = torch.arange(batch, device=edges.device)[:, None, None] * count
    ends = (edges.clamp(min=0) + first).flatten(0, 1)  # (B * E, 2)
    itself = torch.arange(batch * count, device=edges.device)
    source, target = torch.cat([ends[:, 0], itself]), torch.cat([ends[:, 1], itself])
    weight = torch.cat([given, torch.ones_like(itself, dtype=nodes.dtype)])
    degree = torch.zeros_like(itself, dtype=nodes.dtype).index_add(0, target, weight)  # at least 1
    root = degree.rsqrt()
    return Links(source, target, root[source] * weight * root[target])


class GraphConvolution(nn.Module):
    r"""One layer of a graph convolutional network: :math:`\hat A X W + b` (Kipf & Welling 2017, Eq. 2, and a bias).

    The product with W comes first, so that as few numbers as leave the layer travel along the edges. W is drawn after
    Glorot & Bengio (2010), b starts at zero.

    Args:
        in_features: Numbers of a node.
        out_features: Numbers of a node after the layer.

    Shapes:
        ``(B, N, in_features)`` to ``(B, N, out_features)``.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_features))
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, nodes: Tensor, links: Links) -> Tensor:
        """Return the nodes' new numbers."""
        return links.sums(self.linear(nodes)) + self.bias


def unit_sum(nodes: Tensor) -> Tensor:
    """Return the numbers of each node divided by their sum; a node of zeros stays as it is.

    Args:
        nodes: ``(B, N, F)``, none below 0.
    """
    total = nodes.sum(-1, keepdim=True)
    return nodes * torch.where(total == 0, torch.ones_like(total), total).reciprocal()  # one division per node


def pad_graphs(graphs: list[tuple[Tensor, Tensor]]) -> Graphs:
    """Put graphs into one batch.

    Args:
        graphs: The nodes ``(N, F)`` and the edges ``(E, 2)`` of each.
    """
    most = max(len(nodes) for nodes, _ in graphs), max(len(edges) for _, edges in graphs)
    width = graphs[0][0].shape[1]
    nodes = torch.zeros(len(graphs), most[0], width, dtype=graphs[0][0].dtype)
    edges = torch.full((len(graphs), most[1], 2), -1, dtype=torch.int64)
    for row, (own_nodes, own_edges) in enumerate(graphs):
        nodes[row, : len(own_nodes)] = own_nodes
        edges[row, : len(own_edges)] = own_edges
    return {"nodes": nodes, "edges": edges}
