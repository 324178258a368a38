"""Runs on one page: the curves of all of them in one chart for each figure, and the figures at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netsmith.core.errors import UserError
from netsmith.core.files import write_atomic
from netsmith.report.figures import Curve, line_chart
from netsmith.report.page import Page
from netsmith.workflows.pages import html_file

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["compare_page"]

_MOST = 5  # curves that colors tell apart


def compare_page(runs: Sequence[Run], file: str | Path) -> Path:
    """Write a page with the learning curves of some runs over each other, and return where it is.

    Args:
        runs: At most as many as there are colors; the names of their folders stand beside the curves.
        file: Ends with ``.html``; its folder is made.

    Raises:
        UserError: More runs than colors, or another ending.
    """
    if len(runs) > _MOST:
        raise UserError(f"{len(runs)} runs on one page; expected at most {_MOST}, as many as colors tell apart")
    target = html_file(file)
    names = [run.path.name for run in runs]
    page = Page("Side by side", subtitle=", ".join(names), kicker="netsmith compare")
    journals = [run.journal() for run in runs]
    keys = list(dict.fromkeys(key for lines in journals for line in lines for key in line))
    charts = []
    for key in (key for key in keys if key not in ("step", "seconds")):
        curves = []
        for name, lines in zip(names, journals, strict=True):
            points = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
            if points:
                curves.append(Curve(name, [x for x, _ in points], [y for _, y in points]))
        share = key.endswith("accuracy")
        positive = not share and all(y > 0 for curve in curves for y in curve.ys)
        charts.append((line_chart(curves, title=key, log_y=positive, percent=share), ""))
    page.section("Learning curves", "Of what each run logged; losses on a logarithmic axis.").figures(charts)
    figures = [run.figures() if (run.path / "evaluation.json").is_file() else {} for run in runs]
    rows = list(dict.fromkeys(name for found in figures for name in found))
    body = [[row, *(_text(found.get(row)) for found in figures)] for row in rows]
    page.section("At the end").table(["figure", *names], body, align="l" + "r" * len(runs))
    write_atomic(target, page.render().encode(), sync=False)
    return target


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
