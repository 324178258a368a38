"""Graphs as a person has them: read, predicted one by one, exported for any size, cut, judged by their labels."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import netsmith
from netsmith.api.encode import encode, read_bytes
from netsmith.api.network import Network
from netsmith.core.errors import DataError, NetsmithError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.engine.task import UNLABELED
from netsmith.measure.session import open_session, run_session
from netsmith.models.graph.gcn import GCN
from netsmith.tasks.tag import Tag
from netsmith.workflows.compression import compress_run
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import accuracy_of

INPUTS = Inputs(kind="graph", shape=(-1, 3), preprocessing=(Step(name="unit_sum"),), max_length=9, edges=12)
SPEC = Spec(dataset="g", inputs=INPUTS, outputs=Outputs(kind="tags", names=("a", "b"), size=2))
SMALL = {"nodes": [[1, 0, 1], [0, 0, 0]], "edges": [[0, 1], [1, 0]]}
LARGE = {"nodes": [[1, 2, 3], [0, 1, 0], [2, 0, 0], [5, 5, 0]], "edges": [[0, 1], [1, 2], [3, 3], [3, 0], [2, 3]]}


@pytest.fixture
def network():
    torch.manual_seed(0)
    module = GCN.Config(in_features=3, num_classes=2, hidden_size=4).build()
    return Network(module, SPEC, task=Tag.Config().build())


def test_graphs_become_one_padded_batch():
    raw = encode([SMALL, LARGE], INPUTS)
    assert raw["nodes"].shape == (2, 4, 3)
    assert raw["nodes"][0].tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert raw["edges"][0].tolist() == [[0, 1], [1, 0], [-1, -1], [-1, -1], [-1, -1]]
    assert encode(raw, INPUTS) is raw
    assert encode({"nodes": [[1, 2, 3]], "edges": []}, INPUTS)["edges"].shape == (1, 0, 2)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"nodes": [[1, 2, 3]]}, r"graph 1: expected the keys 'nodes' and 'edges', got \['nodes'\]"),
        ([[1, 2, 3]], "graph 1: expected the keys"),
        ({"nodes": [[1, 2]], "edges": []}, r"graph 1: expected nodes of 3 numbers each, got the shape \(1, 2\)"),
        ({"nodes": [], "edges": []}, "graph 1: expected nodes of 3 numbers"),
        ({"nodes": [[1, 2, 3]], "edges": [[0, 1]]}, "graph 1: an edge names a node that is not there; expected 0 to 0"),
        ({"nodes": [[1, 2, 3]], "edges": [[0, 0.5]]}, "an edge names a node that is not there"),
        ({"nodes": [[1, 2, 3]], "edges": [[0, -1]]}, "an edge names a node that is not there"),
        ({"nodes": [[1, 2, 3]], "edges": [0, 0, 0]}, r"expected edges as pairs \(from, to\), got the shape \(3,\)"),
        ({"nodes": [[1, 2, "x"]], "edges": []}, "'nodes' holds .* expected rows of numbers"),
        ({"nodes": [[1, 2], [3]], "edges": []}, "'nodes' holds .* expected rows of numbers"),
        ({"nodes": [[1, 2, float("nan")]], "edges": []}, "'nodes' holds NaN"),
    ],
)
def test_what_is_no_graph_is_refused(value, problem):
    with pytest.raises(DataError, match=problem):
        encode([value], INPUTS)


def test_a_graph_comes_from_a_file():
    for text in (json.dumps(SMALL), json.dumps([SMALL, LARGE])):
        _, values = read_bytes(text.encode(), INPUTS, name="g.json")
        assert next(iter(values)) == SMALL
    _, values = read_bytes((json.dumps(SMALL) + "\n" + json.dumps(LARGE)).encode(), INPUTS, name="g.jsonl")
    assert list(values) == [SMALL, LARGE]


def test_each_graph_is_answered_for_its_own_nodes(network):
    both = network.predict([SMALL, LARGE])
    assert [len(found["labels"]) for found in both] == [2, 4]
    assert network.predict(LARGE) == both[1:]
    raw = encode([LARGE], INPUTS)
    assert network.predict(raw) == both[1:]
    sums = raw["nodes"].sum(-1, keepdim=True)
    expected = network.module({"nodes": raw["nodes"] / sums, "edges": raw["edges"]}).softmax(-1).amax(-1)[0]
    assert both[1]["probabilities"] == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_network_that_fails_on_a_graph_says_the_shapes(network):
    network.shipped.network = nn.Identity()
    with pytest.raises(NetsmithError, match=r"fails on inputs of shape \(1, 2, 3\) and \(1, 2, 2\)"):
        network.predict(SMALL)
    with pytest.raises(DataError, match="expected graphs of nodes"):
        network({"nodes": torch.zeros(1, 2, 4), "edges": torch.zeros(1, 0, 2, dtype=torch.int64)})


@pytest.mark.parametrize("exporter", ["auto", "fast"])
def test_the_file_takes_graphs_of_any_size(network, exporter, tmp_path):
    report = network.export(tmp_path / "g.onnx", exporter=exporter)
    assert report.free == {"nodes": (1,), "edges": (1,)}
    assert report.exporter == "dynamo"  # TorchScript's index_add forgets what meets at a node: the proof says so
    session = open_session(tmp_path / "g.onnx")
    for graphs in ([SMALL], [LARGE], [SMALL, LARGE]):
        raw = encode(graphs, INPUTS)
        (got,) = run_session(session, {name: part.numpy() for name, part in raw.items()})
        assert np.abs(got - network(raw).numpy()).max() < 1e-6


def test_a_run_is_judged_by_its_labels_and_cut(tmp_path):
    run = netsmith.train(
        "gcn_cora", sets={"data.twin": True, "epochs": 60}, root=tmp_path, name="g", notice=lambda _: None
    )
    judged = judge(run.network, run.engine.source, "test")
    target = run.engine.source.load("test", torch.tensor([0])).targets
    assert len(judged.targets) == len(judged.logits) == int((target != UNLABELED).sum()) < target.numel()
    accuracy = float(judged.right(run.network(judged.raw)).double().mean())
    assert accuracy == pytest.approx(run.figures()["test/accuracy"])
    run.network.export(tmp_path / "g.onnx")
    assert accuracy_of(tmp_path / "g.onnx", judged) == pytest.approx(accuracy)
    notices = []
    found = compress_run(run, prune=0.5, student="none", notice=notices.append)
    assert any("int8 is left out" in line for line in notices)
    original, pruned = found.rows
    assert (original.name, pruned.name) == ("teacher", "pruned")
    assert pruned.parameters < 0.6 * original.parameters
    assert pruned.accuracy > original.accuracy - 0.1
