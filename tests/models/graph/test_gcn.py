import warnings

import numpy as np
import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.core.errors import ProofError
from netsmith.layers.graphs import normalized_links, pad_graphs
from netsmith.models.graph.gcn import GCN


def build(**fields):
    torch.manual_seed(0)
    return GCN.Config(**{"in_features": 6, "num_classes": 3, "hidden_size": 5, **fields}).build().double().eval()


def graph(count, links, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.randint(0, count, (links, 2), generator=generator)
    pairs = torch.unique(pairs[pairs[:, 0] != pairs[:, 1]], dim=0)
    return torch.rand(count, 6, generator=generator, dtype=torch.float64), torch.cat([pairs, pairs.flip(1)]).unique(
        dim=0
    )


def by_matrices(model, nodes, edges):
    """Eq. 9 of the paper with the whole matrix."""
    count = len(nodes)
    adjacency = np.eye(count)
    for a, b in edges.tolist():
        adjacency[b, a] += 1
    root = np.diag(1 / np.sqrt(adjacency.sum(1)))
    hat = root @ adjacency @ root
    states = nodes.numpy()
    for place, layer in enumerate(model.layers):
        states = np.maximum(states, 0) if place else states
        states = hat @ states @ layer.linear.weight.detach().numpy().T + layer.bias.detach().numpy()
    return states


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_is_the_papers_equation(layers):
    model = build(num_layers=layers)
    with torch.no_grad():
        for layer in model.layers:
            layer.bias.normal_()
    nodes, edges = graph(12, 20)
    got = model({"nodes": nodes[None], "edges": edges[None]})[0].detach().numpy()
    assert np.abs(got - by_matrices(model, nodes, edges)).max() < 1e-12


@pytest.fixture(scope="module")
def gcn_conv():
    """PyTorch Geometric's layer; its import scripts modules, which torch warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric.nn import GCNConv
    return GCNConv


def test_it_is_the_layer_of_the_reference_library(gcn_conv):
    model, (nodes, edges) = build(), graph(30, 60)
    layers = [gcn_conv(6, 5).double(), gcn_conv(5, 3).double()]
    for own, theirs in zip(model.layers, layers, strict=True):
        own.bias.data.normal_()
        theirs.lin.weight.data.copy_(own.linear.weight)
        theirs.bias.data.copy_(own.bias)
    expected = layers[1](layers[0](nodes, edges.T).relu(), edges.T)
    assert (model({"nodes": nodes[None], "edges": edges[None]})[0] - expected).abs().max() < 1e-12


def test_on_cora_it_has_the_parameters_of_the_reference_library():
    model = GCN.Config(in_features=1433, num_classes=7).build()
    assert sum(p.numel() for p in model.parameters()) == 23063


def test_a_graph_is_answered_alike_alone_and_padded_beside_others():
    model = build(num_layers=3)
    graphs = [
        graph(4, 3, seed=1),
        graph(9, 20, seed=2),
        (torch.rand(2, 6).double(), torch.zeros(0, 2, dtype=torch.int64)),
    ]
    together = model(pad_graphs(graphs))
    for row, (nodes, edges) in enumerate(graphs):
        alone = model({"nodes": nodes[None], "edges": edges[None]})[0]
        assert (together[row, : len(nodes)] - alone).abs().max() < 1e-14


def test_it_does_not_depend_on_the_order_of_nodes_and_edges():
    model, (nodes, edges) = build(), graph(15, 30)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(3))
    place = order.argsort()
    moved = {"nodes": nodes[order][None], "edges": place[edges].flip(0)[None]}
    assert (model(moved)[0] - model({"nodes": nodes[None], "edges": edges[None]})[0][order]).abs().max() < 1e-14


def test_the_normalization_has_the_row_sums_of_its_definition():
    nodes, edges = graph(8, 10)
    links = normalized_links(nodes[None], edges[None])
    degree = torch.bincount(edges[:, 1], minlength=8) + 1
    roots = links.sums(degree.double().sqrt()[None, :, None])[0, :, 0]  # an eigenvector, of eigenvalue 1
    assert (roots - degree.double().sqrt()).abs().max() < 1e-14


def test_half_of_its_hidden_units_go_with_proof():
    model = build(hidden_size=8)
    nodes, edges = graph(12, 20)
    small, log = prune(model, {"nodes": nodes[None], "edges": edges[None]}, ratio=0.5)
    assert [layer.linear.weight.shape for layer in small.layers] == [(4, 6), (3, 4)]
    assert small.layers[0].bias.shape == (4,)
    assert log.proof[0]["error"] < 1e-12


class Halved(nn.Module):
    """A network whose graph part forgets half of the edges once its own layers are narrower."""

    def __init__(self):
        super().__init__()
        self.inner = GCN.Config(in_features=6, num_classes=3, hidden_size=8, dropout=0.0).build()

    def forward(self, graphs):
        wide = self.inner.layers[0].linear.out_features == 8
        edges = graphs["edges"] if wide else graphs["edges"][:, ::2]
        return self.inner({"nodes": graphs["nodes"], "edges": edges})


def test_a_cut_that_changes_what_travels_is_refused():
    nodes, edges = graph(12, 20)
    with pytest.raises(ProofError, match="differ"):
        prune(Halved().double().eval(), {"nodes": nodes[None], "edges": edges[None]}, ratio=0.5)
