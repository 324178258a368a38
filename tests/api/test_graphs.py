"""Graphs as a person has them: read, predicted one by one, exported for any size, cut, judged by their labels."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import netsmith
from netsmith.api.encode import encode, read_bytes
from netsmith.api.network import Network
from netsmith.compress.fake_quantize import fake_quantized, observe
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
    assert all(torch.equal(part, raw[name]) for name, part in encode(raw, INPUTS).items())
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
        ({"nodes": [[1, 2, float("nan")]], "edges": []}, "graph 1: a number is not finite"),
        ({"nodes": [[1, 2, 1e300]], "edges": []}, "does not fit into 32 bits"),
        ({"nodes": [[1, -2, 3]], "edges": []}, "graph 1: a number of a node is negative"),
        ({0: 1, "nodes": 2}, r"graph 1: expected the keys 'nodes' and 'edges', got \['0', 'nodes'\]"),
    ],
)
def test_what_is_no_graph_is_refused(value, problem):
    with pytest.raises(DataError, match=problem):
        encode([value], INPUTS)


def test_the_place_of_a_wrong_graph_is_named(network):
    wrong = {"nodes": [[1, 2]], "edges": []}
    with pytest.raises(DataError, match="graph 3: expected nodes of 3 numbers"):
        network.predict([SMALL, LARGE, wrong])
    _, values = read_bytes("\n".join(map(json.dumps, (SMALL, wrong))).encode(), INPUTS, name="g.jsonl")
    with pytest.raises(DataError, match=r"g\.jsonl:2: expected nodes of 3 numbers"):
        network.predict(values)
    with pytest.raises(DataError, match="the list of inputs is empty"):
        network.predict([])


def test_a_raw_batch_is_held_to_its_form():
    raw = encode([SMALL, LARGE], INPUTS)
    leak = {**raw, "edges": raw["edges"].clone()}
    leak["edges"][0, 0] = torch.tensor([0, 5])  # node 1 of the next graph, where all lie one behind the other
    half = {**raw, "edges": raw["edges"].clone()}
    half["edges"][0, 0] = torch.tensor([1, -1])
    for wrong in (leak, half):
        with pytest.raises(DataError, match="an edge names a node that is not there"):
            encode(wrong, INPUTS)
    for wrong in ({"nodes": raw["nodes"]}, {**raw, "edges": raw["edges"].float()}, {**raw, "edges": raw["edges"][:1]}):
        with pytest.raises(DataError, match="expected a raw batch of graphs"):
            encode(wrong, INPUTS)


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
    assert network.predict((SMALL, LARGE)) == both
    raw = encode([LARGE], INPUTS)
    assert network.predict(raw) == both[1:]
    sums = raw["nodes"].sum(-1, keepdim=True)
    expected = network.module({"nodes": raw["nodes"] / sums, "edges": raw["edges"]}).softmax(-1).amax(-1)[0]
    assert both[1]["probabilities"] == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_network_that_fails_on_a_graph_says_the_shapes(network):
    network.shipped.network = nn.Identity()
    with pytest.raises(NetsmithError, match=r"fails on inputs of shape \(1, 2, 3\) and \(1, 2, 2\)"):
        network.predict(SMALL)
    with pytest.raises(DataError, match="expected graphs as a dict of 'nodes' and 'edges'"):
        network({"nodes": torch.zeros(1, 2, 3)})
    with pytest.raises(DataError, match="expected graphs of nodes"):
        network({"nodes": torch.zeros(1, 2, 4), "edges": torch.zeros(1, 0, 2, dtype=torch.int64)})


@pytest.mark.parametrize("exporter", ["auto", "fast"])
def test_the_file_takes_graphs_of_any_size(network, exporter, tmp_path):
    report = network.export(tmp_path / "g.onnx", exporter=exporter)
    assert report.free == {"nodes": (1,), "edges": (1,)}
    assert {parity.lengths for parity in report.parity} == {(9, 12), (10, 13), (10, 12), (9, 13)}
    assert report.exporter == {"auto": "dynamo", "fast": "torchscript"}[exporter]
    session = open_session(tmp_path / "g.onnx")
    alone = {"nodes": [[1, 2, 3]], "edges": []}
    for graphs in ([SMALL], [LARGE], [SMALL, LARGE], [alone]):
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
    found = compress_run(run, prune=0.5, train_int8=True, student="none", notice=notices.append)
    assert any("int8 is left out" in line for line in notices)
    original, pruned, eight = found.rows
    assert (original.name, pruned.name, eight.name) == ("teacher", "pruned", "trained int8")
    assert pruned.parameters < 0.6 * original.parameters
    assert pruned.accuracy > original.accuracy - 0.1
    assert eight.accuracy > original.accuracy - 0.03
    assert eight.proof["int8"]["quantized"] == {"MatMul": 2}
    assert eight.bytes < 0.5 * original.bytes


def test_any_module_on_graphs_is_a_network(tmp_path):
    module = GCN.Config(in_features=3, num_classes=2).build()
    raw = encode([SMALL, LARGE], Inputs(kind="graph", shape=(-1, 3)))
    network = netsmith.from_module(module, raw, classes=("a", "b"))
    assert (network.spec.inputs.kind, network.spec.inputs.shape) == ("graph", (-1, 3))
    assert network.spec.outputs.kind == "tags"
    assert [len(found["labels"]) for found in network.predict([SMALL, LARGE])] == [2, 4]
    assert network.compress(prune=0.5).measure()["parameters"] < network.measure()["parameters"]
    with pytest.raises(DataError, match="expected a dict of nodes"):
        netsmith.from_module(nn.Linear(3, 2), torch.zeros(1, 4, 3), kind="graph")
    with pytest.raises(DataError, match="expected a raw batch of graphs"):
        netsmith.from_module(module, {"nodes": raw["nodes"]})


def test_bfloat16_trains_it_too(tmp_path):
    sets = {"data.twin": True, "epochs": 100, "precision": "bf16"}
    run = netsmith.train("gcn_cora", sets=sets, root=tmp_path, name="g", notice=lambda _: None)
    assert run.figures()["dev/accuracy"] > 0.7


def test_a_free_length_is_free_in_the_file_of_a_fake_quantized_network_too(tmp_path):
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.last(self.first(x).relu().mean(1))

    torch.manual_seed(0)
    fake = fake_quantized(Mean())
    observe(fake, [torch.randn(4, 8, 3) for _ in range(3)])
    spec = Spec(dataset="s", inputs=Inputs(kind="series", shape=(-1, 3)), outputs=Outputs(kind="values", size=2))
    report = Network(fake, spec).export(tmp_path / "s.onnx")
    assert report.free == {"inputs": (1,)}
    (got,) = run_session(open_session(tmp_path / "s.onnx"), np.zeros((1, 20, 3), np.float32))
    assert got.shape == (1, 2)
