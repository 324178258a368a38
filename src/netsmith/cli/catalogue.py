"""``list`` and ``show``."""

from __future__ import annotations

from typing import Any

__all__ = ["list_", "show"]


def list_(*, as_json: bool) -> None:
    """Print the catalogue: how many recipes are reproduced, short, stale or unverified, then a line each."""
    from netsmith.api.catalogue import list_recipes

    rows = list_recipes()
    if as_json:
        _print_json(rows)
        return
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["status"]] = counts.get(row["status"], 0) + 1
    gaps = sum(bool(row["gaps"]) for row in rows)
    order = ("reproduced", "short", "stale", "unverified")
    print(f"{len(rows)} recipes: {', '.join(f'{counts.get(s, 0)} {s}' for s in order)}; {gaps} with known gaps\n")
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['status']:<11} level {row['level']}  {_claims(row)}")
    print("\nnetsmith show NAME tells more; netsmith train NAME trains it.")


def _claims(row: dict[str, Any]) -> str:
    parts = []
    for claim in row["claims"]:
        sign = {"at_least": ">=", "at_most": "<=", "equal": "="}[claim["direction"]]
        measured = claim["measured"]
        found = f" (measured {measured['mean']:.4g} +- {measured['sd']:.2g}, n={measured['n']})" if measured else ""
        parts.append(f"{claim['metric']} {sign} {claim['value']:g}{found}")
    return "; ".join(parts) or row["title"]


def show(name: str, *, as_json: bool) -> None:
    """Print one recipe or model with its layer table."""
    from netsmith.api import catalogue

    found = catalogue.show(name)
    if as_json:
        _print_json(found)
        return
    print(f"{found['name']} ({found['kind']}): {found.get('title') or found.get('doc')}")
    if found["kind"] == "recipe":
        print(f"paper: {found['paper']}\nevidence: level {found['level']}, {found['status']}")
        for claim in found["claims"]:
            print(f"claim: {_claims({'claims': [claim], 'title': ''})} [{claim['source']}]")
        for line in found["deviations"]:
            print(f"deviation: {line}")
        for check, reason in found["gaps"].items():
            print(f"known gap: {check}: {reason}")
    elif found["assumed"]:
        print("assumed: " + ", ".join(f"{key}={value}" for key, value in found["assumed"].items()))
    print()
    from netsmith.cli.output import console, table

    rows = [
        [r["name"] or "(network)", r["type"], "x".join(map(str, r["output"])), f"{r['parameters']:,}", f"{r['macs']:,}"]
        for r in found.get("layers", [])
    ]
    if rows:
        console().print(table(["layer", "type", "output", "parameters", "multiply-adds"], rows))
    macs = f"{found['macs']:,}" if found["macs"] is not None else "not counted"
    print(f"\n{found['parameters']:,} parameters, {macs} multiply-adds per example")


def _print_json(value: Any) -> None:
    import json
    import sys

    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")
