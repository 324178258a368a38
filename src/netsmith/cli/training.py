"""``train``, ``resume`` and ``import``: what makes a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from netsmith.cli.output import LAYER_HEADERS, layer_rows, notice, print_json, say, table
from netsmith.cli.progress import Bars

__all__ = ["import_weights", "resume", "train"]


def train(
    target: str,
    *,
    sets: list[str],
    data: str,
    teacher: str,
    start: str,
    name: str,
    root: str,
    code: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train, or say what training would take."""
    from netsmith.api.experiments import parse_sets

    changes = parse_sets(sets)
    if dry_run:
        from netsmith.api.planning import plan

        found = plan(target, sets=changes, data=data, teacher=teacher, start=start, code=code)
        print_json(found) if as_json else _print_plan(found)
        return
    from netsmith.api.run import train as train_

    with Bars() as bars:
        run = train_(
            target,
            sets=changes,
            data=data,
            teacher=teacher,
            start=start,
            name=name,
            root=root,
            code=code,
            hooks=bars(target.rstrip("/").rpartition("/")[2]),
            notice=_notice(),
        )
    _print_result(run, as_json=as_json)


def import_weights(network: str, weights: str, *, sets: list[str], settings: dict[str, Any]) -> None:
    """Make a run of published weights."""
    from netsmith.api.commands import on_run
    from netsmith.api.experiments import parse_sets
    from netsmith.api.importing import import_weights as make

    run = make(network, weights, sets=parse_sets(sets), notice=_notice(), **settings)
    say(f"run: {run.path}")
    say(f"next: {on_run('predict', run.path)} PICTURE")


def resume(path: str, *, code: str, as_json: bool) -> None:
    """Resume a run."""
    from netsmith.api.run import resume as go_on

    with Bars() as bars:
        run = go_on(path, code=code, hooks=bars(path.rstrip("/").rpartition("/")[2]), notice=_notice())
    _print_result(run, as_json=as_json)


def _first_rank() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _notice() -> Callable[[str], None]:
    return notice if _first_rank() else lambda _: None


def _print_result(run: Any, *, as_json: bool) -> None:
    if not _first_rank():
        return
    from netsmith.api.commands import on_run
    from netsmith.workflows.explanation import unexplained

    figures = run.figures()
    if as_json:
        print_json({"run": str(run.path), "figures": figures})
        return
    print(table(["figure", "value"], [[n, "-" if value is None else f"{value:.4f}"] for n, value in figures.items()]))
    say("")
    say(f"run: {run.path}")
    say(f"next: {on_run('report' if unexplained(run.network) else 'explain', run.path)}")


def _print_plan(plan: dict[str, Any]) -> None:
    for line in plan["data"]:
        say(line)
    print(table(LAYER_HEADERS, layer_rows(plan["layers"])))
    print(f"parameters  {plan['parameters']:,}")
    print(f"MACs        {plan['macs']:,} per example")
    print(f"memory      {plan['memory_bytes'] / 2**20:.1f} MiB for weights, gradients, optimizer and activations")
    print(f"steps       {plan['steps']:,}")
    print(f"ETA         {_duration(plan['eta_seconds'])} ({plan['step_ms']:.1f} ms per step, measured on a few steps)")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
