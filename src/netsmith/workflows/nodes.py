"""Which papers, users or atoms spoke for the answer at a node of a graph (or for all of it), and which edges did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.explain.graphs import (
    Neighborhood,
    NodeScores,
    edge_gradients,
    edge_occlusion,
    message_layers,
    neighborhood,
)
from netsmith.layers.graphs import Graphs
from netsmith.report.graph_figure import Dot, Link, graph_chart
from netsmith.report.page import Page
from netsmith.workflows.attributions import Asked, Found, attribute
from netsmith.workflows.checks import check, write_checks
from netsmith.workflows.method_tables import NODES

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["explain_nodes"]

_SHOWN = 10  # nodes, and edges, in a table of the page
_LINE = 4  # in a line of the terminal
_EDGES = 128  # at most so many edges are removed, one after the other: those of the largest gradient
_WHOLE = -1  # the node of an answer that is of no single one
_NUMBERS = 20_000_000  # in one forward pass, about


def explain_nodes(
    network: Network, names: Sequence[str], graph: Graphs, nodes: Sequence[int], wanted: Sequence[str], page: Page
) -> list[str]:
    """Explain the answers at some nodes of one graph, or its one answer, and write them onto a page.

    Args:
        network: Takes graphs, answers with the class of every node, or of the graph.
        names: One per node explained; of a graph with one answer, its own.
        graph: A raw batch of one.
        nodes: Their numbers; not looked at where the graph has one answer.
        wanted: Methods; none for the fast ones.
        page: What is filled.

    Returns:
        Lines for a terminal.

    Raises:
        UnsupportedError: None of the methods wanted fits the network; what does is told.
    """
    prepared: Graphs = network.shipped.preprocess(graph)
    hops = message_layers(network.module, prepared)
    with torch.no_grad():
        logits = network.module(prepared)[0]  # (N, K), or (K,)
    whole = logits.dim() == 1
    if whole:
        logits, names, nodes = logits[None], ["graph 1"] if nodes else names[:1], [_WHOLE]  # -1: the only row
    answers = logits.argmax(1)
    chosen = list(wanted) or [name for name, method in NODES.items() if method.default]
    cases: list[tuple[Asked, dict[str, Found]]] = []
    notes: list[str] = []
    lines: list[str] = []
    if len(nodes) > 1:
        network.notice(f"explaining {len(nodes)} nodes, one after the other")
    for name, node in zip(names, nodes, strict=True):
        near = neighborhood(prepared, node=node, hops=hops) if hops and not whole else _whole(prepared, node)
        asked = _asked(network, near, answers[node], 0 if whole else hops)
        found, more = attribute(NODES, asked, chosen, named=bool(wanted))
        if not found:  # without a gradient
            found, again = attribute(NODES, asked, ["occlusion"], named=True)
            more += again
        notes += [note for note in more if note not in notes]
        cases.append((asked, found))
        best = int(answers[node])
        labels = network.spec.outputs.names
        heading = f"{name}: {labels[best]} ({network.sureness(logits[node])})"
        seen = len(near.nodes)
        page.section(heading, f"It has {seen} nodes." if whole else f"It sees {seen} nodes, itself included.")
        for method, one in found.items():
            ranked = one.scores[0].abs().argsort(descending=True)[:_SHOWN].tolist()
            ranked = [at for at in ranked if float(one.scores[0, at])]
            page.heading(f"Nodes, by {method.replace('_', ' ')}", one.remark)
            page.table(
                ["node", "steps away", "its own answer", "attribution"],
                [
                    [
                        _name(near, at),
                        "" if whole else str(int(near.distance[at])),
                        "" if whole else labels[int(answers[near.nodes[at]])],
                        f"{float(one.scores[0, at]):+.4f}",
                    ]
                    for at in ranked
                ],
                align="lrlr",
            )
            top = ", ".join(f"{_name(near, at)} {float(one.scores[0, at]):+.2f}" for at in ranked[:_LINE])
            lines.append(f"{heading}: {top}" if len(found) == 1 else f"{heading}, by {method}: {top}")
        drops, told = _edges(network, near, asked, page)
        lines.append(f"{heading}, by edges: {told}")
        method, one = next(iter(found.items()))
        about = [_away(int(steps)) if hops and not whole else "" for steps in near.distance]
        page.figure(
            _drawing(near, one.scores[0], drops, about, title=f"What spoke for {labels[best]}"),
            caption=f"Nodes by {method.replace('_', ' ')}{one.remark and f' ({one.remark})'}, edges by removal: orange "
            "spoke for the answer, blue against it; what is large gave much. Point at a node for its number.",
        )
    checks = check(NODES, cases)
    write_checks(page, checks, notes)
    return [*notes, *(one.line() for one in checks), *lines]


def _away(steps: int) -> str:
    return f"{steps} step{'s' * (steps > 1)} away" if steps else ""


def _drawing(near: Neighborhood, scores: Tensor, drops: Tensor, about: Sequence[str], *, title: str) -> str:
    dots = [Dot(_name(near, at), float(scores[at]), about[at]) for at in range(len(near.nodes))]
    pairs = near.graph["edges"][0].tolist()
    links = [Link(a, b, drop) for (a, b), drop in zip(pairs, drops.tolist(), strict=True) if min(a, b) >= 0]
    return graph_chart(dots, links, title=title, middle=_place(near))


def _edges(network: Network, near: Neighborhood, asked: Asked, page: Page) -> tuple[Tensor, str]:
    """Write the edges whose removal moves the score most; return all drops, and the first of them as words."""
    pairs, target = near.graph["edges"][0], int(asked.targets[0])
    by_gradient = torch.zeros(len(pairs))
    there = {(a, b) for a, b in pairs.tolist()}
    once = [at for at, (a, b) in enumerate(pairs.tolist()) if a < b or (b, a) not in there]  # not both directions
    tried = torch.tensor(once, dtype=torch.int64, device=pairs.device)
    if message_layers(network.module, near.graph):
        by_gradient = edge_gradients(network.module, near.graph, target, node=_place(near)).cpu()
        tried = tried[by_gradient[tried].abs().argsort(descending=True, stable=True)]
    tried = tried[:_EDGES]
    rows = max(1, min(16, _NUMBERS // near.graph["nodes"].numel()))
    drops = edge_occlusion(network.module, near.graph, target, node=_place(near), edges=tried, rows=rows)
    ranked = [at for at in drops.abs().argsort(descending=True).tolist()[:_SHOWN] if float(drops[at])]
    names = {at: f"{_name(near, int(pairs[at, 0]))} - {_name(near, int(pairs[at, 1]))}" for at in ranked}
    page.heading("Edges, by removal", "The score lost without the edge; beside it the gradient by what it carries.")
    page.table(
        ["edge", "score lost", "gradient"],
        [[names[at], f"{float(drops[at]):+.4f}", f"{float(by_gradient[at]):+.4f}"] for at in ranked],
    )
    return drops, ", ".join(f"{names[at]} {float(drops[at]):+.2f}" for at in ranked[:_LINE]) or "none matters"


def _asked(network: Network, near: Neighborhood, target: Tensor, hops: int) -> Asked:
    features = near.graph["nodes"].transpose(1, 2)  # (1, F, n)
    players = near.distance <= hops if hops else torch.ones_like(near.distance, dtype=torch.bool)
    segments = torch.where(players, players.long().cumsum(0) - 1, -1)[None, None]
    return Asked(
        NodeScores(network.module, near.graph, _place(near)).eval(),
        features,
        target[None],
        fill=0.0,
        segments=segments,
        name=network.name,
        rows=max(1, min(512, _NUMBERS // features.numel())),
    )


def _whole(graph: Graphs, node: int) -> Neighborhood:
    count, edges = graph["nodes"].shape[1], graph["edges"].shape[1]
    return Neighborhood(graph, node, torch.arange(count), torch.arange(edges), torch.zeros(count, dtype=torch.int64))


def _place(near: Neighborhood) -> int | None:
    return None if near.node == _WHOLE else near.node


def _name(near: Neighborhood, at: int) -> str:
    return "itself" if at == near.node else f"node {int(near.nodes[at])}"
