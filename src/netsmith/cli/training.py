"""``train`` and ``resume``."""

from __future__ import annotations

import os
from typing import Any

from netsmith.cli.output import Bar, console, notice, print_json, table

__all__ = ["resume", "train"]


def train(
    target: str,
    *,
    sets: list[str],
    data: str,
    teacher: str,
    name: str,
    root: str,
    code: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train, or say what training would take."""
    from netsmith.api import run as api
    from netsmith.api.experiments import parse_sets

    changes = parse_sets(sets)
    if dry_run:
        plan = api.plan(target, sets=changes, data=data, code=code)
        print_json(plan) if as_json else _print_plan(plan)
        return
    quiet = os.environ.get("RANK", "0") != "0"
    bar = Bar(target.rpartition("/")[2])
    try:
        run = api.train(
            target,
            sets=changes,
            data=data,
            teacher=teacher,
            name=name,
            root=root,
            code=code,
            hooks=[bar],
            notice=notice,
        )
    finally:
        bar.close()
    if not quiet:
        _print_result(run, as_json=as_json)


def resume(path: str, *, code: str) -> None:
    """Resume a run."""
    from netsmith.api import run as api

    bar = Bar(path.rstrip("/").rpartition("/")[2])
    try:
        run = api.resume(path, code=code, hooks=[bar], notice=notice)
    finally:
        bar.close()
    if os.environ.get("RANK", "0") == "0":
        _print_result(run, as_json=False)


def _print_result(run: Any, *, as_json: bool) -> None:
    figures = run.figures()
    if as_json:
        print_json({"run": str(run.path), "figures": figures})
        return
    rows = [[name, "-" if value is None else f"{value:.4f}"] for name, value in figures.items()]
    console().print(table(["figure", "value"], rows))
    print(f"\nrun: {run.path}\nnext: netsmith explain {run.path}")


def _print_plan(plan: dict[str, Any]) -> None:
    for line in plan["data"]:
        print(line)
    rows = [
        [r["name"] or "(network)", r["type"], "x".join(map(str, r["output"])), f"{r['parameters']:,}", f"{r['macs']:,}"]
        for r in plan["layers"]
    ]
    console().print(table(["layer", "type", "output", "parameters", "multiply-adds"], rows))
    print(f"parameters  {plan['parameters']:,}")
    print(f"MACs        {plan['macs']:,} per example")
    print(f"memory      {plan['memory_bytes'] / 2**20:.1f} MiB for weights, gradients and optimizer")
    print(f"steps       {plan['steps']:,}")
    print(f"ETA         {plan['eta_seconds']:.0f} s ({plan['step_ms']:.1f} ms per step, measured on 3 steps)")
