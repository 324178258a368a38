"""The report of ``netsmith data check``: counts, imbalance, duplicates across splits, unreadable files by name."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from netsmith.core.errors import DataError
from netsmith.data._columns import find_target, read_grids, read_target, split_rows
from netsmith.data._files import open_tree
from netsmith.data._listing import list_pictures
from netsmith.data._pictures import decode_picture
from netsmith.data._sniff import describe, sniff
from netsmith.data.image_folder import ImageFolder
from netsmith.data.table import Table
from netsmith.data.text_file import TextFile
from netsmith.data.text_table import TextTable
from netsmith.engine.source import Source
from netsmith.layers.rows import cell_text

__all__ = ["check"]

_SHOWN = 100
_TEXTS = (".txt", ".text", ".md")  # running text, which says nothing of a target


def check(path: str | Path, *, target: str = "auto") -> dict[str, Any]:
    """Look through data before training on it; files that cannot be read are gathered, not raised.

    Args:
        path: As in :func:`netsmith.data._sniff.sniff`, or a file of running text.
        target: The column to predict, for a table.

    Returns:
        JSON values: ``path``, ``read_as`` (one line, or ``""`` where it cannot be read), ``kind``, ``splits`` (examples
        and classes of each), ``imbalance`` (largest class of train divided by its smallest, or null),
        ``duplicates`` (groups of equal examples that lie in more than one split, at most 100), ``num_duplicates``,
        ``unreadable`` (file and problem of each), ``problems`` (what else stops a training), ``ok``.
    """
    report: dict[str, Any] = {
        "path": Path(path).name, "read_as": "", "kind": "", "splits": {}, "imbalance": None, "duplicates": [],
        "num_duplicates": 0, "unreadable": [], "problems": [], "ok": False,
    }  # fmt: skip
    try:
        text = Path(path).suffix.lower() in _TEXTS and Path(path).is_file() and target == "auto"
        config = TextFile.Config(path=str(path)) if text else sniff(path, target=target)
        report["kind"] = config.kind_name()
        if isinstance(config, ImageFolder.Config):
            _check_pictures(config, report)
        elif isinstance(config, (Table.Config, TextTable.Config)):
            _check_rows(config, report)
        if not report["unreadable"]:
            report["read_as"] = describe(cast("Source", config.build()))
    except DataError as error:
        report["problems"].append(str(error))
    report["ok"] = not report["problems"] and not report["unreadable"] and not report["num_duplicates"]
    return report


def _check_pictures(config: ImageFolder.Config, report: dict[str, Any]) -> None:
    tree = open_tree(Path(config.path))
    listing = list_pictures(tree, dev=config.dev, test=config.test, seed=config.split_seed)
    examples: list[tuple[str, str, str]] = []
    for split, files in listing.files.items():
        _count(report, split, (listing.names[label] for label in listing.labels[split].tolist()))
        for name in files:
            try:
                data = tree.read(name)
                decode_picture(data, channels=3, size=(8, 8), name=name)
            except DataError as error:
                report["unreadable"].append({"file": name, "problem": str(error)})
                continue
            examples.append((split, name, hashlib.sha256(data).hexdigest()))
    _find_duplicates(report, examples)


def _check_rows(config: Table.Config | TextTable.Config, report: dict[str, Any]) -> None:
    grids = read_grids(config.path, kind="check")
    name = find_target(grids["train"], config.target)
    target = read_target(grids, name, problem="classes" if isinstance(config, TextTable.Config) else "auto")
    at, _ = split_rows(grids, target, dev=config.dev, test=config.test, seed=config.split_seed)
    examples: list[tuple[str, str, str]] = []
    for split, (source, where) in at.items():
        grid = grids[source]
        names, values = target.outputs.names, target.values[source][where]
        _count(
            report, split, (names[i] for i in values.tolist()) if target.outputs.kind == "classes" else None, len(where)
        )
        columns = sorted(grid.columns)
        for index in where.tolist():
            text = "\0".join(cell_text(grid.column(column)[index]) for column in columns)
            examples.append((split, f"{grid.name}, row {grid.rows[index]}", hashlib.sha256(text.encode()).hexdigest()))
    _find_duplicates(report, examples)


def _count(report: dict[str, Any], split: str, labels: Iterable[str] | None, size: int = 0) -> None:
    counts = collections.Counter(labels or ())
    report["splits"][split] = {"examples": sum(counts.values()) or size, "classes": dict(sorted(counts.items()))}
    if split == "train" and counts:
        report["imbalance"] = round(max(counts.values()) / min(counts.values()), 3)


def _find_duplicates(report: dict[str, Any], examples: list[tuple[str, str, str]]) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for split, name, digest in examples:
        groups.setdefault(digest, []).append((split, name))
    across = [group for group in groups.values() if len({split for split, _ in group}) > 1]
    report["num_duplicates"] = len(across)
    report["duplicates"] = [
        [{"split": split, "example": name} for split, name in group[:10]] for group in across[:_SHOWN]
    ]
