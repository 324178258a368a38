"""Attributions of nodes and edges against a dense network written out, and against brute force."""

import pytest
import torch
from torch import nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain.graphs import (
    NodeScores,
    edge_gradients,
    edge_occlusion,
    message_layers,
    neighborhood,
    node_attributions,
)
from netsmith.explain.integrated_gradients import integrated_gradients
from netsmith.explain.shapley import exact_shapley_values
from netsmith.models.graph.gcn import GCN
from netsmith.workflows.attributions import Asked
from netsmith.workflows.method_tables import NODES

NODE, TARGET = 3, 1


@pytest.fixture
def gcn():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = GCN.Config(hidden_size=6, in_features=4, num_classes=3).build().double().eval()
        for layer in module.layers:
            nn.init.normal_(layer.bias)
    return module


@pytest.fixture
def graph():
    """A ring of 9 nodes with two chords, each edge in both directions, and padding at the end."""
    pairs = [(i, (i + 1) % 9) for i in range(9)] + [(3, 7), (4, 6)]
    edges = [*pairs, *((b, a) for a, b in pairs), (-1, -1)]
    nodes = torch.randn(1, 9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return {"nodes": nodes, "edges": torch.tensor([edges])}


def dense(gcn, nodes, pairs, factor=None):
    """Kipf & Welling by matrices; ``factor`` ``(N, N)`` multiplies the messages after normalization."""
    adjacency = torch.eye(len(nodes), dtype=nodes.dtype)
    for a, b in pairs:
        if a >= 0:
            adjacency[b, a] += 1
    degree = adjacency.sum(1)
    adjacency = adjacency / degree.sqrt()[:, None] / degree.sqrt()
    if factor is not None:
        adjacency = adjacency * factor
    hidden = (adjacency @ nodes @ gcn.layers[0].linear.weight.T + gcn.layers[0].bias).relu()
    return adjacency @ hidden @ gcn.layers[1].linear.weight.T + gcn.layers[1].bias


def test_nodes_against_a_dense_network(gcn, graph):
    nodes, pairs = graph["nodes"][0].clone().requires_grad_(True), graph["edges"][0].tolist()
    score = dense(gcn, nodes, pairs)[NODE, TARGET]
    assert (gcn(graph)[0, NODE, TARGET] - score).abs() < 1e-14
    wanted = nodes * torch.autograd.grad(score, nodes)[0]
    found = node_attributions(gcn, graph, TARGET, node=NODE)
    assert (found - wanted).abs().max() < 1e-14
    step = 1e-6  # and the differences of scores
    for j, f in ((3, 0), (7, 2), (2, 1)):
        up, down = (nodes.detach().clone() for _ in range(2))
        up[j, f] += step
        down[j, f] -= step
        rise = (dense(gcn, up, pairs) - dense(gcn, down, pairs))[NODE, TARGET] / (2 * step)
        assert abs(rise * nodes[j, f] - found[j, f]) < 1e-8
    assert (found.abs().amax(1) > 0).tolist() == [False, *[True] * 8]  # two layers do not see three steps


def test_saliency_and_smooth_grad_of_nodes_against_a_dense_network(gcn, graph):
    nodes, pairs = graph["nodes"][0], graph["edges"][0].tolist()

    def slope(at):
        at = at.clone().requires_grad_(True)
        return torch.autograd.grad(dense(gcn, at, pairs)[NODE, TARGET], at)[0]

    asked = Asked(NodeScores(gcn, graph, NODE), graph["nodes"].mT, torch.tensor([TARGET]), fill=0.0)
    found = NODES["saliency"].run(asked)
    assert (found.scores[0] - slope(nodes).norm(dim=1)).abs().max() < 1e-14
    assert found.remark == "how much it matters, for or against"
    generator, total = torch.Generator().manual_seed(0), torch.zeros_like(nodes)
    for _ in range(32):
        draw = torch.randn(1, 4, 9, generator=generator)[0].T.double()
        total += slope(nodes + 0.15 * (nodes.max() - nodes.min()) * draw)
    assert (NODES["smooth_grad"].run(asked).scores[0] - (total / 32).norm(dim=1)).abs().max() < 1e-14


def test_edges_against_factors_on_a_dense_network(gcn, graph):
    nodes, pairs = graph["nodes"][0], graph["edges"][0].tolist()
    factor = torch.ones(9, 9, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(dense(gcn, nodes, pairs, factor)[NODE, TARGET], factor)[0]
    found = edge_gradients(gcn, graph, TARGET, node=NODE)
    assert found.shape == (23,)
    assert found[-1] == 0  # padding
    for value, (a, b) in zip(found[:-1], pairs[:-1], strict=True):
        assert abs(value - slope[b, a]) < 1e-14
    assert (found != 0).sum() > 8


@pytest.mark.parametrize("both", [True, False])
def test_removed_edges_against_the_graph_without_them(gcn, graph, both):
    nodes, pairs = graph["nodes"][0], graph["edges"][0].tolist()
    found = edge_occlusion(gcn, graph, TARGET, node=NODE, both=both, rows=5)
    whole = dense(gcn, nodes, pairs)[NODE, TARGET]
    for at, (a, b) in enumerate(pairs[:-1]):
        left = [pair for pair in pairs if pair != [a, b] and not (both and pair == [b, a])]
        assert abs(found[at] - (whole - dense(gcn, nodes, left)[NODE, TARGET])) < 1e-14
    assert found[-1] == 0
    some = edge_occlusion(gcn, graph, TARGET, node=NODE, both=both, edges=torch.tensor([2, 22, 10]))
    assert torch.nonzero(some)[:, 0].tolist() == [2, 10]
    assert torch.equal(some[[2, 10]], found[[2, 10]])


def test_a_neighborhood_has_the_scores_of_the_whole(gcn, graph):
    assert message_layers(gcn, graph) == 2
    far = {"nodes": torch.cat([graph["nodes"]] * 3, 1), "edges": torch.cat([graph["edges"], graph["edges"] + 9], 1)}
    far["edges"][:, -1] = -1
    far["edges"] = torch.cat([far["edges"], torch.tensor([[[10, 20], [20, 10]]])], 1)
    for node in range(27):
        part = neighborhood(far, node=node, hops=2)
        assert (gcn(part.graph)[0, part.node] - gcn(far)[0, node]).abs().max() < 1e-14
        assert part.nodes[part.node] == node
        assert part.distance[part.node] == 0
        assert part.distance.max() <= 3
        assert torch.equal(part.nodes[part.graph["edges"][0]], far["edges"][0, part.edges])
    assert neighborhood(far, node=25, hops=2).nodes.tolist() == [25]
    assert neighborhood(far, node=NODE, hops=1).nodes.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_every_other_method_applies_to_nodes(gcn, graph):
    scores, features = NodeScores(gcn, graph, NODE), graph["nodes"].transpose(1, 2)
    found = integrated_gradients(scores, features, TARGET, nodes=200)
    assert found.completeness_error.abs() < 1e-3
    segments = torch.arange(9)[None, None]
    exact = exact_shapley_values(scores, features, TARGET, segments=segments)
    assert exact.efficiency_error.abs() < 1e-13
    assert exact.values[0, 0].abs() < 1e-14
    assert exact.values[0, 1:].abs().min() > 1e-5


def test_scores_of_whole_graphs(gcn, graph):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.gcn = gcn

        def forward(self, graphs):
            return self.gcn(graphs).mean(1)

    nodes = graph["nodes"][0].clone().requires_grad_(True)
    score = dense(gcn, nodes, graph["edges"][0].tolist()).mean(0)[TARGET]
    wanted = nodes * torch.autograd.grad(score, nodes)[0]
    assert (node_attributions(Pooled(), graph, TARGET, node=None) - wanted).abs().max() < 1e-14
    assert edge_gradients(Pooled(), graph, TARGET, node=None).abs().max() > 0


def test_what_does_not_fit_is_refused(gcn, graph):
    with pytest.raises(UserError, match=r"node 9 is not there; the graph has nodes 0\.\.8"):
        node_attributions(gcn, graph, 0, node=9)
    with pytest.raises(UnsupportedError, match=r"returned \(1, 9, 3\); expected \(B, K\) scores of graphs"):
        node_attributions(gcn, graph, 0, node=None)
    two = {name: torch.cat([part, part]) for name, part in graph.items()}
    with pytest.raises(UserError, match="expected one graph"):
        edge_occlusion(gcn, two, 0, node=0)

    class Plain(nn.Module):
        def forward(self, graphs):
            return graphs["nodes"]

    with pytest.raises(UnsupportedError, match="hands no Links to a layer"):
        edge_gradients(Plain(), graph, 0, node=0)
    assert message_layers(Plain(), graph) == 0
