"""The page of a compression to a budget: the front, the machine's staircase, what narrowing costs, the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netsmith.core.files import read_json, write_atomic
from netsmith.report.figures import Curve
from netsmith.report.run_page import Chart, RunReport, run_page
from netsmith.workflows.budget import Budget, Search
from netsmith.workflows.compression import model_rows
from netsmith.workflows.pages import data_text, environment_facts
from netsmith.workflows.shipping import Shipment

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["write_front"]

_CURVES = 4  # names of layers are long


def write_front(
    run: Run,
    search: Search,
    plan: Sequence[Mapping[str, int]],
    rows: Sequence[Shipment],
    best: Shipment,
    notes: Sequence[str],
    budget: Budget,
    command: str,
) -> Path:
    """Write ``compress.html`` into the run's folder.

    Args:
        run: The original.
        search: What was measured.
        plan: The widths of each network of the front.
        rows: The table, the original first.
        best: The recommended row.
        notes: Lines below.
        budget: What was asked for.
        command: What makes it again.
    """
    stairs = search.staircase
    sizes = {family.name: len(family.units) for family in search.graph.families}
    dearest = sorted(search.tables, key=lambda name: -max(row.loss for row in search.tables[name]))[:_CURVES]
    charts = [
        Chart(
            "Latency by channels on this machine",
            [Curve("two 3 x 3 convolutions", stairs.counts, stairs.latencies)],
            x_label="channels",
            y_label="ms",
        ),
        Chart(
            "What a layer alone loses",
            [
                Curve(name, [row.keep / sizes[name] for row in table][::-1], [row.loss for row in table][::-1])
                for name in dearest
                for table in (search.tables[name],)
            ],
            x_label="part of the channels that stays",
            y_label="loss added",
            caption="Cross entropy on dev above the original's, masked and not trained: the layers that lose most.",
        ),
    ]
    number = int(best.name.removesuffix(" int8").removeprefix("front") or 1)
    widths = [f"{name}: {size} to {plan[number - 1].get(name, size)}" for name, size in sizes.items()]
    report = RunReport(
        title=f"{run.path.name}, compressed to {budget.text()}",
        subtitle=f"{data_text(run)}. Latency: ONNX Runtime, batch 1, one thread, all files in turns, this machine.",
        kicker="netsmith compress",
        commands=[command],
        charts_title="What narrowing costs",
        charts=charts,
        models=model_rows(rows),
        chosen=best.name,
        notes=[*notes, f"Channels of {best.name}: {'; '.join(widths)}."],
        environment=environment_facts(read_json(run.path / "environment.json")),
    )
    file = run.path / "compress.html"
    write_atomic(file, run_page(report).encode(), sync=False)
    return file
