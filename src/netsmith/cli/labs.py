"""The verb that runs small experiments."""

from __future__ import annotations

import itertools

from netsmith.cli.output import print_json, say
from netsmith.core.cards import lab_card_of
from netsmith.core.errors import UserError
from netsmith.core.registry import labs

__all__ = ["lab"]


def lab(name: str, *, sets: list[str], quick: bool, out: str, as_json: bool) -> None:
    """List the labs, or run one and say what its numbers show."""
    if name == "list":
        if sets or quick or out:
            option = "--set" if sets else "--quick" if quick else "--out"
            raise UserError(f"{option} is for one lab: netsmith lab NAME; list takes --json alone")
        _list(as_json=as_json)
        return
    from netsmith.api.experiments import parse_sets
    from netsmith.core.files import read_json
    from netsmith.workflows.lab import run_lab

    found = run_lab(name, sets=parse_sets(sets), quick=quick, folder=out)
    if as_json:
        print_json({**read_json(found.files[0]), "page": str(found.page)})
        return
    for remark in found.findings.remarks:
        say(remark)
    say("")
    say(f"figures: {', '.join(str(file) for file in found.files[1:])}")
    say(f"numbers: {found.files[0]}")
    say(f"page: {found.page}")


def _list(*, as_json: bool) -> None:
    rows = [
        {"name": entry.name, "family": entry.path.parent.name, **lab_card_of(entry).dump()} for entry in labs().values()
    ]
    if as_json:
        print_json(rows)
        return
    width = max((len(row["name"]) for row in rows), default=0)
    rows.sort(key=lambda row: (row["family"], row["name"]))
    for family, of_family in itertools.groupby(rows, key=lambda row: row["family"]):
        say(family)
        for row in of_family:
            say(f"  {row['name']:<{width}}  {row['shows']}")
        say("")
    print(f"{len(rows)} labs; netsmith lab NAME runs one and writes runs/lab/NAME/lab.html.")
