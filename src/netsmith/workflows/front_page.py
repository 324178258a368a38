"""The page of a compression to a budget: the front, the widths, the machine's staircase, the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netsmith.api.commands import on_run
from netsmith.core.files import read_json
from netsmith.report.figures import Curve
from netsmith.report.run_page import Chart, RunReport, TableSection
from netsmith.report.tables import Table, percent_text
from netsmith.workflows.budget import Search
from netsmith.workflows.budget_figures import Budget
from netsmith.workflows.compression import model_rows
from netsmith.workflows.front_runs import Control
from netsmith.workflows.pages import environment_facts, measured_text, write_compressed
from netsmith.workflows.shipping import Shipment

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["Front", "write_front"]

_CURVES = 4  # names of layers are long


@dataclass(frozen=True)
class Front:
    """What a compression to a budget found.

    Attributes:
        run: The original.
        search: What was measured.
        plan: The widths of each network of the front, by its role.
        rows: The table, the original first.
        best: The recommended row.
        runs: The runs of the front, by role, the original's among them.
        controls: Other ways to the recommended shape.
        notes: Lines below.
        budget: What was asked for.
        command: What makes all of it again.
    """

    run: Run
    search: Search
    plan: Mapping[str, Mapping[str, int]]
    rows: Sequence[Shipment]
    best: Shipment
    runs: Mapping[str, Run]
    controls: Sequence[Control]
    notes: Sequence[str]
    budget: Budget
    command: str


def write_front(front: Front) -> Path:
    """Write ``front.html`` into the run's folder and return its path."""
    run = front.run
    report = RunReport(
        title=f"{run.path.name}, compressed to {front.budget.text()}",
        subtitle=measured_text(run),
        kicker="netsmith compress",
        commands=[front.command],
        charts_title="What narrowing costs",
        charts=_charts(front.search),
        models=model_rows(front.rows),
        chosen=front.best.name,
        tables=[_widths(front), _rows(front), *_controls(front.controls)],
        notes=front.notes,
        environment=environment_facts(read_json(run.path / "environment.json")),
    )
    return write_compressed(run, report, name="front")


def _charts(search: Search) -> list[Chart]:
    stairs, sizes = search.staircase, search.sizes
    dearest = sorted(search.tables, key=lambda name: -max(row.loss for row in search.tables[name]))[:_CURVES]
    return [
        Chart(
            "Latency by channels on this machine",
            [Curve("two 3 x 3 convolutions", stairs.counts, stairs.latencies)],
            x_label="channels",
            y_label="ms",
            caption="The staircase: between two steps fewer channels save nothing.",
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
            caption="Sensitivity: cross entropy on dev above the original's, masked and not trained; the layers that "
            "lose most.",
        ),
    ]


def _widths(front: Front) -> TableSection:
    sizes = front.search.sizes
    rows = [
        [name, str(size), *(str(widths.get(name, size)) for widths in front.plan.values())]
        for name, size in sizes.items()
    ]
    text = "Channels before and after, by the layer that makes them; what is tied to it goes along."
    return TableSection("Widths", text, Table(["layer", "original", *front.plan], rows))


def _rows(front: Front) -> TableSection:
    """Each row's run, and what makes its file again from it."""
    rows = []
    for row in front.rows:
        if row.file:
            path = front.runs[row.role].path
            rows.append([row.name, on_run("export", path) + (" --int8" if row.name != row.role else "")])
    for control in front.controls:
        rows += [[f"{control.kind}, seed {seed}", on_run("evaluate", run.path)] for seed, run in control.runs.items()]
    text = "Every row is a run of its own; its file or its figure again:"
    return TableSection("Row by row", text, Table(["row", "command"], rows, "ll"))


def _controls(controls: Sequence[Control]) -> list[TableSection]:
    if not controls:
        return []
    seeds = sorted({seed for control in controls for seed in control.accuracies}, key=int)
    rows = [
        [
            control.kind,
            *(
                percent_text(control.accuracies[seed], digits=2) if seed in control.accuracies else "-"
                for seed in seeds
            ),
            percent_text(control.mean, digits=2),
        ]
        for control in controls
    ]
    text = (
        "Accuracy of other ways to a network of the recommended shape. From scratch it trains as the original did, as "
        "long and at its learning rate; what is pruned holds the original's training, and is tuned after it."
    )
    return [TableSection("Controls", text, Table(["way", *(f"seed {seed}" for seed in seeds), "mean"], rows))]
