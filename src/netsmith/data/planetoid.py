"""Cora and Citeseer: papers that cite each other, each a bag of words with a subject; one graph each.

Sen, Namata, Bilgic, Getoor, Galligher & Eliassi-Rad, "Collective Classification in Network Data", AI Magazine 2008, in
the form and the split of Yang, Cohen & Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML
2016 (arXiv:1603.08861).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.data._arrays import BatchFields, FixedSource, Part, digest
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._pickled import read_pickle
from netsmith.engine.task import UNLABELED
from netsmith.layers.graphs import Graphs, unit_sum

__all__ = ["Planetoid"]

_MIRRORS = ("https://github.com/kimiyoung/planetoid/raw/master/data",)
_SHA256 = {
    "ind.citeseer.allx": (595021, "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668"),
    "ind.citeseer.ally": (55623, "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95"),
    "ind.citeseer.graph": (61987, "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7"),
    "ind.citeseer.test.index": (5000, "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4"),
    "ind.citeseer.tx": (260321, "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21"),
    "ind.citeseer.ty": (24135, "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce"),
    "ind.citeseer.y": (3014, "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924"),
    "ind.cora.allx": (257305, "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543"),
    "ind.cora.ally": (47959, "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71"),
    "ind.cora.graph": (59847, "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d"),
    "ind.cora.test.index": (5000, "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875"),
    "ind.cora.tx": (148025, "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a"),
    "ind.cora.ty": (28135, "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad"),
    "ind.cora.y": (4054, "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1"),
}
_NAMES = {
    "cora": (
        "theory", "reinforcement learning", "genetic algorithms", "neural networks", "probabilistic methods",
        "case based", "rule learning",
    ),
    "citeseer": ("AI", "ML", "IR", "DB", "agents", "HCI"),
}  # fmt: skip
_DEV = 500  # papers after the training ones, as in the benchmark
_STEPS = (Step(name="unit_sum"),)


@dataclasses.dataclass(frozen=True)
class _Found:
    """One graph with its labels.

    Attributes:
        nodes: ``(N, F)`` float32, 1 for a word that occurs.
        edges: ``(E, 2)`` int64, both directions of each link.
        labels: ``(N,)`` int64.
        splits: Nodes by split.
    """

    nodes: Tensor
    edges: Tensor
    labels: Tensor
    splits: Mapping[str, Tensor]


class Planetoid(FixedSource):
    """The benchmark of semi-supervised learning on graphs: 20 labeled papers of each class, the graph whole.

    Every split is the one graph, and its targets are the classes of that split's papers alone (140 / 500 / 1000 of
    Cora's 2,708; 120 / 500 / 1000 of Citeseer's 3,327): the others are :data:`~netsmith.engine.task.UNLABELED`. Links
    have no direction; a paper's link to itself is left out. Words are divided by their number (Kipf & Welling 2017).

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(BatchFields):
        """The official files, from ``$NETSMITH_DATA/planetoid``, the cache, or the network.

        Attributes:
            batch: Graphs per training batch; there is one.
            evaluation_batch: Graphs per evaluation batch; there is one.
            graph: Which of the two.
        """

        batch: Annotated[int, Field(gt=0)] = 1
        evaluation_batch: Annotated[int, Field(gt=0)] = 1
        graph: Literal["cora", "citeseer"] = "cora"

    def __init__(self, config: Config) -> None:
        found = _twin(len(_NAMES[config.graph])) if config.twin else _official(config.graph)
        self._graphs: Graphs = {"nodes": found.nodes[None], "edges": found.edges[None]}
        self._made = "synthetic twin" if config.twin else "official"
        inputs = Inputs(
            kind="graph",
            shape=(-1, found.nodes.shape[1]),
            low=0.0,
            high=1.0,
            preprocessing=_STEPS,
            max_length=len(found.nodes),
            edges=len(found.edges),
        )
        names = _NAMES[config.graph]
        spec = Spec(dataset=config.graph, inputs=inputs, outputs=Outputs(kind="tags", names=names, size=len(names)))
        super().__init__(config, spec=spec, parts={split: self._part_of(found, split) for split in found.splits})

    def _part_of(self, found: _Found, split: str) -> Part:
        at = found.splits[split]
        targets = torch.full_like(found.labels, UNLABELED)
        targets[at] = found.labels[at]
        return Part(
            lambda indices: {name: part[indices] for name, part in self._graphs.items()},
            targets[None],
            digest(found.nodes, found.edges, targets),
            made=f"{self._made}, one graph: {len(at):,} of {len(targets):,} nodes have a label",
        )

    def _prepare(self, raw: Any, keys: Tensor | None) -> Any:  # noqa: ARG002
        return {**raw, "nodes": unit_sum(raw["nodes"])}


def _official(graph: str) -> _Found:
    files = [OfficialFile(name, *facts) for name, facts in _SHA256.items() if name.split(".")[1] == graph]
    paths = {name.split(".", 2)[2]: path for name, path in official_files("planetoid", files, mirrors=_MIRRORS).items()}
    x, tx, links = (read_pickle(paths[name]) for name in ("allx", "tx", "graph"))
    y, first, ty = (read_pickle(paths[name]) for name in ("ally", "y", "ty"))
    where = np.array([int(line) for line in paths["test.index"].read_text().split()])
    _check(x, tx, y, ty, where, links, path=paths["graph"])
    known = x.shape[0]
    count = max(known, int(where.max()) + 1)  # Citeseer's last papers include some that no file describes
    nodes, labels = np.zeros((count, x.shape[1]), np.float32), np.zeros(count, np.int64)
    nodes[:known], labels[:known] = x, y.argmax(1)
    nodes[where], labels[where] = tx, ty.argmax(1)
    pairs = {(a, b) for a, others in links.items() for b in others if a != b}
    edges = np.array(sorted(pairs | {(b, a) for a, b in pairs}), np.int64)
    if edges.min() < 0 or edges.max() >= count:
        raise DataError(f"links the paper {int(edges.max())}; expected numbers below {count}", paths["graph"])
    train = torch.arange(len(first))
    splits = {"train": train, "dev": train.numel() + torch.arange(_DEV), "test": torch.from_numpy(np.sort(where))}
    return _Found(torch.from_numpy(nodes), torch.from_numpy(edges), torch.from_numpy(labels), splits)


def _check(x: Any, tx: Any, y: Any, ty: Any, where: np.ndarray, links: Any, *, path: Path) -> None:
    """Refuse files that contradict each other; their checksums are those of one release, so none should."""
    fits = all(isinstance(part, np.ndarray) and part.ndim == 2 for part in (x, tx, y, ty)) and isinstance(links, dict)
    if not fits or (len(y), len(ty), len(where)) != (x.shape[0], tx.shape[0], len(ty)) or x.shape[1] != tx.shape[1]:
        raise DataError("and the files beside it are not of one data set; get the official files again", path)


def _twin(classes: int) -> _Found:
    """Make one graph of 40 nodes per class whose links mostly stay within the class, and whose words tell little.

    Half of a class's nodes hold one word of their class more often; a node alone is often wrong, its neighbors are not.
    """
    generator = torch.Generator().manual_seed(named_key(0, "twin", "planetoid"))
    count, width = 40 * classes, 60
    labels = torch.arange(count) % classes
    nodes = (torch.rand(count, width, generator=generator) < 0.1).float()
    own = torch.rand(count, generator=generator) < 0.5
    nodes[own, labels[own]] = 1.0
    chance = torch.where(labels[:, None] == labels, 0.12, 0.004)
    upper = torch.triu(torch.rand(count, count, generator=generator) < chance, diagonal=1)
    edges = torch.nonzero(upper | upper.T)
    shuffled = torch.randperm(count, generator=generator)
    cuts: Sequence[Tensor] = shuffled.split([5 * classes, 10 * classes, 25 * classes])
    return _Found(nodes, edges, labels, dict(zip(("train", "dev", "test"), cuts, strict=True)))
