"""The page of a run: from plain data to HTML, in the order a reader asks.

What came out, against what, how it was trained, where it errs, why it decides so, what it costs, and under which
conditions all of this was measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from netsmith.core.errors import UserError
from netsmith.report.figures import Bar, Curve, bar_chart, confusion_chart, line_chart
from netsmith.report.page import Page, Picture
from netsmith.report.pareto import ModelPoint, pareto_chart, pareto_front
from netsmith.report.tables import (
    Table,
    bytes_text,
    count_text,
    milliseconds_text,
    percent_text,
    ratio_text,
)

__all__ = ["Chart", "Fact", "ModelRow", "PictureGroup", "RunReport", "TableSection", "model_table", "run_page"]


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """A figure that matters most: its name, its value as shown, and a few words below it."""

    name: str
    value: str
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """Curves that share an axis.

    Attributes:
        title: Stands above.
        curves: The lines.
        log_y: Logarithmic axis.
        percent: The values are proportions 0..1, shown in percent.
        caption: Stands below.
        x_label: The name of the horizontal axis.
        y_label: The name of the vertical axis.
    """

    title: str
    curves: Sequence[Curve]
    log_y: bool = False
    percent: bool = False
    caption: str = ""
    x_label: str = "step"
    y_label: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class PictureGroup:
    """Explanation pictures of one kind.

    Attributes:
        title: A short heading.
        text: What one sees, and how it was made.
        pictures: In reading order.
        columns: Pictures per row where rows belong together (input, saliency, Grad-CAM); 0 fills each row.
    """

    title: str
    text: str
    pictures: Sequence[Picture]
    columns: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of the comparison; None where a figure was not measured.

    Attributes:
        name: Shown in the table.
        accuracy: A proportion 0..1.
        parameters: How many.
        bytes: The size of the exported file.
        macs: Multiply-accumulates for one example.
        latency_ms: Median latency of one example, milliseconds.
    """

    name: str
    accuracy: float | None = None
    parameters: int | None = None
    bytes: int | None = None
    macs: int | None = None
    latency_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class TableSection:
    """A section that is one table, with a line above it."""

    title: str
    text: str
    table: Table


@dataclasses.dataclass(frozen=True, slots=True)
class RunReport:
    """Everything the page shows; parts that are empty are left out.

    Attributes:
        title: The heading.
        subtitle: One or two sentences.
        kicker: A small line above the heading, for example the kind of report and the date.
        facts: The figures that matter most.
        commands: Command lines that make this again.
        charts: Learning curves, or others.
        charts_title: The heading above them.
        confusion: ``(K, K)`` counts, rows the truth; with ``class_names``.
        class_names: K names.
        confused: Most confused pairs: (true name, predicted name, count, share of the true class 0..1).
        pictures: Explanations.
        models: The comparison; the first row is what the ratios refer to.
        chosen: The name of the model in ``models`` that was chosen, or "".
        tables: Sections of one table each.
        notes: Deviations and remarks, honest ones.
        environment: Names and values: machine, threads, versions, seed.
    """

    title: str
    subtitle: str = ""
    kicker: str = "netsmith report"
    facts: Sequence[Fact] = ()
    commands: Sequence[str] = ()
    charts: Sequence[Chart] = ()
    charts_title: str = "Learning"
    confusion: Sequence[Sequence[int]] = ()
    class_names: Sequence[str] = ()
    confused: Sequence[tuple[str, str, int, float]] = ()
    pictures: Sequence[PictureGroup] = ()
    models: Sequence[ModelRow] = ()
    chosen: str = ""
    tables: Sequence[TableSection] = ()
    notes: Sequence[str] = ()
    environment: Sequence[tuple[str, str]] = ()


def model_table(models: Sequence[ModelRow], *, chosen: str = "") -> Table:
    """Return the comparison: figures, and how many times smaller and faster than the first model.

    Args:
        models: The first one is the reference.
        chosen: The name of the row that is set in bold, or "".

    Raises:
        UserError: ``chosen`` is none of the models.
    """
    if chosen and chosen not in [model.name for model in models]:
        raise UserError(f"the chosen model {chosen!r} is none of {[model.name for model in models]}")
    headers = ["model", "accuracy", "change", "parameters", "size", "smaller", "MACs", "latency", "faster"]
    rows = []
    for model in models:
        first = models[0]
        itself = model is first
        rows.append(
            [
                model.name,
                percent_text(model.accuracy, digits=2),
                "" if itself else _points(model.accuracy, first.accuracy),
                count_text(model.parameters),
                bytes_text(model.bytes),
                "" if itself else _times(first.bytes, model.bytes),
                count_text(model.macs),
                milliseconds_text(model.latency_ms),
                "" if itself else _times(first.latency_ms, model.latency_ms),
            ]
        )
    return Table(headers, rows, marked=[index for index, model in enumerate(models) if chosen and model.name == chosen])


def run_page(data: RunReport) -> str:
    """Return the page of a run as self-contained HTML text.

    Args:
        data: What was measured; nothing is computed here except ratios and the Pareto front.

    Raises:
        UserError: A confusion matrix that does not fit its names, a chosen model that is not listed.
    """
    page = Page(data.title, subtitle=data.subtitle, kicker=data.kicker)
    page.facts([(fact.name, fact.value, fact.note) for fact in data.facts])
    if data.models:
        _models(page, data)
    if data.charts:
        page.section(data.charts_title)
        page.figures(
            [
                (
                    line_chart(
                        chart.curves,
                        title=chart.title,
                        x_label=chart.x_label,
                        y_label=chart.y_label,
                        log_y=chart.log_y,
                        percent=chart.percent,
                    ),
                    chart.caption,
                )
                for chart in data.charts
            ]
        )
    if data.confusion or data.class_names:
        _mistakes(page, data)
    if data.pictures:
        page.section("Why it decides so")
        for group in data.pictures:
            page.heading(group.title, group.text)
            page.pictures(group.pictures, columns=group.columns)
    for section in data.tables:
        table = section.table
        page.section(section.title, section.text)
        page.table(table.headers, table.rows, align=table.align, marked=table.marked)
    if data.commands:
        page.section("Make it again").commands(data.commands)
    if data.notes:
        page.section("Notes and deviations").notes(data.notes)
    if data.environment:
        page.section("Measured on").pairs(data.environment)
    return page.render()


def _models(page: Page, data: RunReport) -> None:
    table = model_table(data.models, chosen=data.chosen)
    page.section("Models", f"Ratios refer to {data.models[0].name}." if len(data.models) > 1 else "")
    page.table(table.headers, table.rows, align=table.sides, marked=table.marked)
    points = [
        ModelPoint(model.name, model.latency_ms, model.accuracy)
        for model in data.models
        if model.latency_ms is not None and model.accuracy is not None
    ]
    figures = []
    if len(points) > 1:
        best = len(pareto_front(points))
        caption = f"Up and to the left is better. Filled: {best} of {len(points)} models that no other beats in both."
        figures.append((pareto_chart(points, title="Accuracy against latency"), caption))
    sized = [model for model in data.models if model.bytes is not None]
    timed = [model for model in data.models if model.latency_ms is not None]
    if len(sized) > 1 and len(timed) > 1:
        sizes = [Bar(model.name, float(model.bytes or 0), bytes_text(model.bytes)) for model in sized]
        times = [Bar(model.name, model.latency_ms or 0.0, milliseconds_text(model.latency_ms)) for model in timed]
        figures.append((bar_chart(sizes, title="Size of the file") + bar_chart(times, title="Median latency"), ""))
    page.figures(figures)


def _mistakes(page: Page, data: RunReport) -> None:
    total = sum(sum(row) for row in data.confusion)
    wrong = total - sum(row[index] for index, row in enumerate(data.confusion) if index < len(row))
    page.section("Where it errs", f"{wrong:,} of {total:,} examples are answered wrongly.")
    chart = confusion_chart(data.confusion, data.class_names, title="Confusion matrix")
    caption = "Counts. Blue is right, orange is a mistake; the stronger, the larger its share of the true class."
    if not data.confused:
        page.figure(chart, caption=caption)
        return
    rows = [[truth, given, f"{count:,}", percent_text(rate)] for truth, given, count, rate in data.confused]
    table = Table(["true", "taken for", "count", "of the class"], rows, "llrr")
    if len(data.class_names) <= 12:  # then both fit side by side
        page.figures([(chart, caption), (table, "The pairs most often confused, and their share of the true class.")])
    else:
        page.figure(chart, caption=caption).heading("Most confused").table(table.headers, rows, align="llrr")


def _times(reference: float | None, value: float | None) -> str:
    return ratio_text(reference / value) if reference is not None and value else ""


def _points(value: float | None, reference: float | None) -> str:
    """Return a difference in percentage points, with its sign."""
    if value is None or reference is None or not math.isfinite(value - reference):
        return ""
    return f"{100 * (value - reference):+.2f}".replace("-", "−").replace("+0.00", "±0.00").replace("−0.00", "±0.00")
