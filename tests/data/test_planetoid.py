"""Cora and Citeseer: the official figures of both graphs, the safe reading of their pickles, what is refused."""

import collections
import os
import pickle  # noqa: TID251 - to write what must be refused
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from netsmith.core.errors import ConfigError, DataError
from netsmith.data import planetoid
from netsmith.data._pickled import read_pickle
from netsmith.data.planetoid import Planetoid
from netsmith.engine.task import UNLABELED

HERE = Path(os.environ.get("NETSMITH_DATA", "/nowhere")) / "planetoid"
REAL = pytest.mark.skipif(not HERE.is_dir(), reason="the official files are not at hand")


@REAL
@pytest.mark.parametrize(
    ("graph", "nodes", "width", "edges", "classes", "train", "words"),
    [("cora", 2708, 1433, 10556, 7, 140, 49216), ("citeseer", 3327, 3703, 9104, 6, 120, 105165)],
)
def test_the_official_graphs(graph, nodes, width, edges, classes, train, words):
    source = Planetoid.Config(graph=graph).build()
    raw = source.raw("train", torch.tensor([0]))
    assert raw["nodes"].shape == (1, nodes, width)
    assert raw["edges"].shape == (1, edges, 2)
    assert float(raw["nodes"].sum()) == words
    pairs = {tuple(pair) for pair in raw["edges"][0].tolist()}
    assert len(pairs) == edges
    assert all((b, a) in pairs and a != b for a, b in pairs)
    assert len(source.spec.outputs.names) == classes
    labeled = {}
    for split in ("train", "dev", "test"):
        target = source.load(split, torch.tensor([0])).targets[0]
        labeled[split] = set(torch.nonzero(target != UNLABELED).flatten().tolist())
    assert {split: len(at) for split, at in labeled.items()} == {"train": train, "dev": 500, "test": 1000}
    assert not labeled["train"] & labeled["dev"] | labeled["dev"] & labeled["test"] | labeled["train"] & labeled["test"]
    target = source.load("train", torch.tensor([0])).targets[0]
    assert torch.bincount(target[target != UNLABELED]).tolist() == [20] * classes


SIZES = {
    "cora": {
        "theory": 351, "reinforcement learning": 217, "genetic algorithms": 418, "neural networks": 818,
        "probabilistic methods": 426, "case based": 298, "rule learning": 180,
    },
    "citeseer": {"AI": 249, "ML": 590, "IR": 668, "DB": 701, "agents": 596, "HCI": 508},
}  # fmt: skip
"""Papers of each class, as the data set's publishers count them."""


@REAL
@pytest.mark.parametrize("graph", list(SIZES))
def test_the_names_of_the_classes_are_those_of_their_sizes(graph):
    found = planetoid._official(graph)
    described = found.nodes.any(1)  # the papers that no file describes have no class either
    sizes = torch.bincount(found.labels[described]).tolist()
    assert dict(zip(planetoid._NAMES[graph], sizes, strict=True)) == SIZES[graph]


def test_its_splits_are_given():
    with pytest.raises(ConfigError, match="dev"):
        Planetoid.Config.load({"kind": "planetoid", "dev": 0.3})
    assert Planetoid.Config(twin=True).build().spec.splits[0].made.startswith("synthetic twin, one graph: 35 of 280")


def test_what_the_network_sees_sums_to_one():
    source = Planetoid.Config(twin=True).build()
    nodes = source.load("train", torch.tensor([0])).inputs["nodes"]
    sums = nodes.sum(-1)
    assert bool(((sums - 1).abs() < 1e-6).logical_or(sums == 0).all())


def test_the_twin_needs_its_graph():
    """Words alone are not enough to reach what a network that sees the neighbors reaches."""
    source = Planetoid.Config(twin=True).build()
    train, dev = (source.load(split, torch.tensor([0])) for split in ("train", "dev"))
    nodes = train.inputs["nodes"][0].numpy()
    a, b = (part.targets[0] != UNLABELED for part in (train, dev))
    model = LogisticRegression(C=100, max_iter=1000).fit(nodes[a.numpy()], train.targets[0][a].numpy())
    assert model.score(nodes[b.numpy()], dev.targets[0][b].numpy()) < 0.7


class Harmful:
    def __reduce__(self):
        return (os.system, ("echo harm > harm.txt",))


def test_a_pickle_executes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "x"
    file.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(DataError, match=r"asks for (posix|nt)\.system; nothing of it was run"):
        read_pickle(file)
    assert not (tmp_path / "harm.txt").exists()
    for damaged in (b"\x80\x02]q\x00(", b"\x80\x02(.", b"\x80\x02}cos\nsystem\nK\x01s.", b""):
        file.write_bytes(damaged)
        with pytest.raises(DataError, match="not a pickle of plain arrays"):
            read_pickle(file)


def test_a_small_file_costs_little(tmp_path):
    """What it names again and again is made once, marks are not searched for, and no matrix is larger than it says."""
    file = tmp_path / "x"
    shared = []
    for _ in range(60):
        shared = [shared, shared]
    file.write_bytes(pickle.dumps(shared))
    begin = time.perf_counter()
    assert len(read_pickle(file)) == 2
    file.write_bytes(b"\x80\x02" + b"K\x01" * 200_000 + b"(t" * 20_000 + b".")
    assert read_pickle(file) == ()
    assert time.perf_counter() - begin < 20
    sparse = pytest.importorskip("scipy.sparse")
    file.write_bytes(pickle.dumps(sparse.csr_matrix((3, 2**28), dtype=np.float32), protocol=4))
    with pytest.raises(DataError, match=r"a matrix of 3 x 268,435,456"):
        read_pickle(file)
    wrong = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    wrong.indices[0] = -1
    file.write_bytes(pickle.dumps(wrong, protocol=4))
    with pytest.raises(DataError, match="do not add up"):
        read_pickle(file)


def test_plain_arrays_come_back(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0, 2.0, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    file = tmp_path / "x"
    graph = collections.defaultdict(list, {0: [1, 2], 1: [0], 300: [70_000]})
    for protocol in (3, 4):
        for given in (dense, dense.astype(">i4"), graph, [1, "a", (True, None, 0.5)]):
            file.write_bytes(pickle.dumps(given, protocol=protocol))
            got = read_pickle(file)
            assert np.array_equal(got, given) if isinstance(given, np.ndarray) else got == given
    file.write_bytes(pickle.dumps(sparse.csr_matrix(dense), protocol=4))
    assert np.array_equal(read_pickle(file), dense)


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    (tmp_path / "planetoid").mkdir()
    for name in planetoid._SHA256:
        (tmp_path / "planetoid" / name).write_bytes(b"x")
    with pytest.raises(DataError, match="has 1 bytes; expected"):
        Planetoid.Config().build()
    with pytest.raises(DataError, match="not of one data set"):
        planetoid._check([], [], np.zeros(1), np.zeros(1), np.zeros(1), {}, path=tmp_path)
