"""The zoo on one page: accuracy against multiply-adds and parameters of what was measured, and what each network costs.

The chart is that of Canziani, Paszke & Culurciello 2016 (arXiv:1605.07678, Fig. 2), of figures from the committed
evidence alone: the mean test accuracy over all seeds, by data set. Costs are counted, not quoted.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netsmith.api.catalogue import evidence_of, list_recipes
from netsmith.api.facts import show
from netsmith.core.files import write_atomic
from netsmith.core.registry import config_in, find_recipe, sizes
from netsmith.core.roles import ModelConfig
from netsmith.report.page import Page
from netsmith.report.pareto import ModelPoint, pareto_chart
from netsmith.report.tables import count_text, percent_text
from netsmith.workflows.pages import html_file

__all__ = ["measured_recipes", "zoo_page"]

_METRIC = "test/accuracy"
_FEWEST = 2  # recipes of one data set that make a chart


def zoo_page(file: str | Path) -> Path:
    """Write the page and return where it is.

    Args:
        file: Ends with ``.html``; its folder is made.

    Raises:
        UserError: Another ending.
    """
    target = html_file(file)
    found = measured_recipes()
    page = Page(
        "The zoo", subtitle="What was measured here, by data set, and what each network costs.", kicker="netsmith list"
    )
    for data, rows in sorted(found.items()):
        if len(rows) < _FEWEST:
            continue
        page.section(data, f"Mean test accuracy of {len(rows)} recipes over their seeds, on the test split.")
        page.figures(
            [
                (
                    pareto_chart(
                        [ModelPoint(row["name"], row[cost], row["accuracy"]) for row in rows],
                        title=f"Accuracy against {title}",
                        axis=f"{title} of an example" if cost == "macs" else title,
                        text=count_text,
                    ),
                    "",
                )
                for cost, title in (("macs", "multiply-adds"), ("parameters", "parameters"))
            ]
        )
        body = [
            [
                row["name"],
                percent_text(row["accuracy"]),
                str(row["seeds"]),
                count_text(row["macs"]),
                count_text(row["parameters"]),
                row["status"],
            ]
            for row in sorted(rows, key=lambda row: -row["accuracy"])
        ]
        page.table(["recipe", "accuracy", "seeds", "multiply-adds", "parameters", "evidence"], body, align="lrrrrl")
    networks = _published()
    page.section("Networks of ImageNet", "Counted for the image size and the 1,000 classes each was published for.")
    page.table(
        ["network", "parameters", "multiply-adds", "image"],
        [[name, f"{row['parameters']:,}", f"{row['macs']:,}", str(row["size"])] for name, row in networks.items()],
        align="lrrr",
    )
    write_atomic(target, page.render().encode(), sync=False)
    return target


def measured_recipes() -> dict[str, list[dict[str, Any]]]:
    """Return, by data set, every recipe whose test accuracy was measured, with its costs.

    Returns:
        Rows of ``name``, ``accuracy`` (mean over ``seeds``), ``macs``, ``parameters`` and ``status``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for listed in list_recipes():
        entry, variant = find_recipe(listed["name"])
        seeds = evidence_of(entry, variant).get("measured", {}).get(_METRIC, {}).get("seeds", {})
        if not seeds or listed["status"] == "stale":
            continue
        facts = show(listed["name"])
        if not facts["macs"] or not facts["parameters"]:  # counts and closed forms: no place on a logarithmic axis
            continue
        row = {"name": listed["name"], "accuracy": statistics.fmean(seeds.values()), "seeds": len(seeds)}
        row |= {"macs": facts["macs"], "parameters": facts["parameters"], "status": listed["status"]}
        data = facts["experiment"]["data"]
        asked = [value for name, value in data.items() if name in ("target", "distortion")]  # other tasks of one kind
        found.setdefault(", ".join([data["kind"], *map(str, asked)]), []).append(row)
    return found


def _published() -> Mapping[str, dict[str, Any]]:
    """Return parameters, multiply-adds and image size of every named network that was published for 1,000 classes."""
    found = {}
    for name, (entry, fields) in sorted(sizes().items()):
        kind = config_in(entry.module, ModelConfig)
        if kind is None or kind.published.get("num_classes") != 1000:
            continue
        facts = show(name)
        size = facts["config"].get("image_size", kind(**fields).published.get("image_size"))
        found[name] = {"parameters": facts["parameters"], "macs": facts["macs"], "size": size}
    return dict(sorted(found.items(), key=lambda item: item[1]["macs"]))
