"""``list`` and ``show``."""

from __future__ import annotations

from typing import Any

from netsmith.cli.output import LAYER_HEADERS, layer_rows, notice, print_json, say, table
from netsmith.report.tables import bytes_text

__all__ = ["list_", "show"]

_SIGNS = {"at_least": ">=", "at_most": "<=", "equal": "="}


def list_(*, as_json: bool, page: str = "") -> None:
    """Print the catalogue: how many recipes are reproduced, short, stale or unverified, then a line each.

    Args:
        as_json: For programs.
        page: A file for the page of the zoo, in place of the list.
    """
    if page:
        from netsmith.workflows.zoo import zoo_page

        notice("counting every measured recipe and every published network: this takes some minutes")
        file = str(zoo_page(page))
        print_json({"page": file}) if as_json else say(f"page: {file}")
        return
    from netsmith.api.catalogue import list_recipes

    rows = list_recipes()
    if as_json:
        print_json(rows)
        return
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    gaps = sum(bool(row["gaps"]) for row in rows)
    order = ("reproduced", "measured", "short", "stale", "unverified")
    print(f"{len(rows)} recipes: {', '.join(f'{counts.get(s, 0)} {s}' for s in order)}; {gaps} with known gaps\n")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        text = _claims(row["claims"]) or row["title"]
        say(f"{row['name']:<{width}}  {row['status']:<11} level {row['level']}  {text}")
    print("\nnetsmith show NAME tells more; netsmith train NAME trains it.")


def _claims(claims: list[dict[str, Any]]) -> str:
    parts = []
    for claim in claims:
        measured = claim["measured"]
        found = f" (measured {measured['mean']:.4g} +- {measured['sd']:.2g}, n={measured['n']})" if measured else ""
        what = claim["metric"]
        if claim["between"] == "gap_closed":
            what = f"share of the gap in {what} closed between {claim['against']} and the teacher"
        elif claim["against"]:
            what += f" {'-' if claim['between'] == 'difference' else '/'} that of {claim['against']}"
        slack = f" within {claim['tolerance']:g}" if claim["tolerance"] else ""
        parts.append(f"{what} {_SIGNS[claim['direction']]} {claim['value']:g}{slack}{found}")
    return "; ".join(parts)


def show(name: str, *, code: str = "", as_json: bool) -> None:
    """Print one recipe, model or run with its layer table."""
    from netsmith.api import facts

    found = facts.show(name, code=code)
    if as_json:
        print_json(found)
        return
    say(f"{found['name']} ({found['kind']}): {found.get('title') or found.get('doc')}")
    if found["kind"] == "recipe":
        say(f"paper: {found['paper']}")
        say(f"evidence: level {found['level']}, {found['status']}")
        for claim in found["claims"]:
            say(f"claim: {_claims([claim])} [{claim['source']}]")
        for line in found["deviations"]:
            say(f"deviation: {line}")
        for check, reason in found["gaps"].items():
            say(f"known gap: {check}: {reason}")
    elif found["kind"] == "run":
        figures = [f"{name} {value:.4f}" for name, value in (found["figures"] or {}).items() if value is not None]
        say(", ".join(figures) or "it is not finished")
    elif found["assumed"]:
        say("assumed: " + ", ".join(f"{key}={value}" for key, value in found["assumed"].items()))
    if "counted_for" in found:
        say(f"counted for: {found['counted_for']}")
    if found["layers"]:
        print(f"\n{table(LAYER_HEADERS, layer_rows(found['layers']))}")
    if found["macs"] is None:
        macs = f"multiply-adds not counted ({found['uncounted']})"
    else:
        macs = f"{found['macs']:,} multiply-adds per example"
    maps = f", {bytes_text(found['memory'])} for images and maps" if found["memory"] else ""
    print(f"\n{found['parameters']:,} parameters, {macs}{maps}")
