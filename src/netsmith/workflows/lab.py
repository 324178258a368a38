"""Run a lab of the catalogue, and write what it found: a page, each figure as a file of its own, the numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsmith.core.cards import LabCard, lab_card_of
from netsmith.core.errors import ConfigError, UserError
from netsmith.core.files import read_json, write_atomic, write_json
from netsmith.core.findings import Findings, Grid, Histograms, Lab, Number, Pictures
from netsmith.core.registry import find_kind, find_lab
from netsmith.core.roles import LabConfig
from netsmith.engine.run_folder import environment
from netsmith.report.figures import standalone
from netsmith.report.lab_figures import draw
from netsmith.report.page import Page

__all__ = ["LabRun", "run_lab"]

FORMAT = 1
_FILE = re.compile(r"[a-z0-9_]+\.svg")


@dataclass(frozen=True)
class LabRun:
    """What a lab found, and where it lies.

    Attributes:
        name: The lab's.
        config: Its settings.
        findings: What it found.
        page: The page.
        files: The numbers, then each figure.
    """

    name: str
    config: LabConfig
    findings: Findings
    page: Path
    files: tuple[Path, ...]


def run_lab(
    name: str, *, sets: Mapping[str, Any] | None = None, quick: bool = False, folder: str | Path = ""
) -> LabRun:
    """Run a lab and write ``lab.html``, ``numbers.json`` and an SVG file for each figure.

    What an earlier run of the same lab left in the folder is replaced.

    Args:
        name: A lab, as ``netsmith lab list`` names it.
        sets: Changes by dotted path.
        quick: Begin with the settings for a quick look that its card names.
        folder: Where it goes; ``runs/lab/NAME`` by default.

    Raises:
        UnknownNameError: No such lab.
        ConfigError: No such field, or a value that does not fit.
        UserError: The folder is a file, or holds the results of another lab.
    """
    entry = find_lab(name)
    name = entry.name
    card = lab_card_of(entry)
    changes = {**(card.quick if quick else {}), **(sets or {})}
    if "kind" in changes:
        raise ConfigError(f"kind={changes['kind']!r}: a lab is chosen by its name: netsmith lab NAME")
    config = find_kind(LabConfig, name)().derive(**changes)
    place = Path(folder) if str(folder) else Path("runs", "lab", name)
    earlier = _earlier(place, name)
    lab: Lab = config.build()
    findings = lab.run()
    drawn = [(one, draw(one)) for one in findings.figures]
    numbers = {
        "format": FORMAT,
        "lab": name,
        "config": config.dump(whole=True),
        "numbers": {key: _plain(value) for key, value in findings.numbers.items()},
        "tables": [
            {"title": one.title, "columns": one.columns, "rows": [_plain(row) for row in one.rows]}
            for one in findings.tables
        ],
        "remarks": findings.remarks,
        "figures": [f"{one.name}.svg" for one, _ in drawn],
        "environment": environment(),
    }
    place.mkdir(parents=True, exist_ok=True)
    for old in earlier - set(numbers["figures"]):
        (place / old).unlink(missing_ok=True)
    files = [place / "numbers.json"]
    write_json(files[0], numbers, sync=False)
    for one, figure in drawn:
        files.append(place / f"{one.name}.svg")
        write_atomic(files[-1], standalone(figure).encode(), sync=False)
    page = place / "lab.html"
    write_atomic(
        page,
        _page(f"{name} --quick" if quick else name, card, config, findings, [figure for _, figure in drawn]).encode(),
        sync=False,
    )
    return LabRun(name, config, findings, page, tuple(files))


def _earlier(place: Path, name: str) -> set[str]:
    """Return the names of the figures that an earlier run of the same lab left in a folder."""
    if place.exists() and not place.is_dir():
        raise UserError(f"{place} is a file; expected a folder, or a name that is free")
    if not (place / "numbers.json").exists():
        return set()
    found = read_json(place / "numbers.json")
    if not isinstance(found, dict) or found.get("lab") != name:
        raise UserError(f"{place} holds a numbers.json that is not of the lab {name}; choose another folder (--out)")
    return {one for one in found.get("figures", []) if isinstance(one, str) and _FILE.fullmatch(one)}


def _plain(value: Number | Sequence[Number]) -> Any:
    """Return JSON values; what is not finite has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(one) for one in value] if isinstance(value, (tuple, list)) else value


def _page(name: str, card: LabCard, config: LabConfig, findings: Findings, drawn: Sequence[str]) -> str:
    page = Page(card.title, subtitle=f"{card.shows[:1].upper()}{card.shows[1:]}.", kicker=f"netsmith lab {name}")
    page.section("What the numbers show").notes(findings.remarks)
    if drawn:
        page.section("Figures")
    row: list[tuple[str, str]] = []
    for one, figure in zip(findings.figures, drawn, strict=True):
        if isinstance(one, (Histograms, Pictures)):  # over the whole width; those before it come first
            page.figures(row)
            row = []
            page.figure(figure, caption=one.caption)
        else:
            row.append((figure, one.caption))
    page.figures(row)
    for grid in findings.tables:
        page.section(grid.title, grid.caption)
        page.table(grid.columns, [[_cell(value) for value in line] for line in grid.rows], align=_sides(grid))
    page.section("Made with", f"After: {card.paper}.")
    settings = [(field, str(getattr(config, field)).replace(".Config", "")) for field in type(config).model_fields]
    versions = environment()["versions"]
    page.pairs([*settings, *((package, versions[package]) for package in ("netsmith", "torch") if package in versions)])
    return page.render()


def _cell(value: Number) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _sides(grid: Grid) -> str:
    """Return ``l`` for the first column and each of texts, ``r`` for one of numbers."""
    columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.columns)
    numbers = [number > 0 and not any(isinstance(value, str) for value in one) for number, one in enumerate(columns)]
    return "".join("r" if number else "l" for number in numbers)
