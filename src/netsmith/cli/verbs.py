"""The verbs that take a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from netsmith.cli.output import console, notice, print_json, table

__all__ = ["compare", "compress", "data_check", "evaluate", "explain", "export", "predict", "report", "serve"]


def evaluate(path: str, *, split: str, code: str, as_json: bool) -> None:
    """Print the figures of a split."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).evaluate(split)
    if as_json:
        print_json(found)
        return
    console().print(table(["figure", "value"], [[name, f"{value:.4f}"] for name, value in found.items()]))


def predict(path: str, source: str, *, seed: int, count: int, code: str, as_json: bool) -> None:
    """Print one prediction per example."""
    from netsmith.api import encode
    from netsmith.api.run import load

    network = load(path, code=code, notice=notice).network
    inputs = network.spec.inputs
    if inputs.kind == "none":
        names, predictions = [f"seed {seed}, {n}" for n in range(count)], network.sample(count, seed=seed)
    else:
        if source == "-":
            names, values = encode.read_lines(sys.stdin.read(), inputs)
        else:
            names, values = encode.read_file(Path(source), inputs)
        predictions = network.predict(values)
    rows = [{"input": name, **prediction} for name, prediction in zip(names, predictions, strict=True)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['input']}\t{_answer(row)}")


def _answer(row: dict[str, Any]) -> str:
    label = row.get("label", row.get("action"))
    if label is None:
        return json.dumps({name: value for name, value in row.items() if name != "input"}, ensure_ascii=False)
    return f"{label}\t{max(row['probabilities'].values()):.4f}" if "probabilities" in row else str(label)


def explain(path: str, *, source: str, method: str, count: int, code: str) -> None:
    """Write pictures and a page that explain decisions."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).explain(source or None, method=method, count=count)
    for line in found.notes:
        print(line)
    print(f"\npage: {found.page}")


def compress(path: str, *, prune: float, student: str, epochs: int, sets: list[str], code: str, as_json: bool) -> None:
    """Make a run smaller and print the table of what came out."""
    from netsmith.api.experiments import parse_sets
    from netsmith.api.run import load
    from netsmith.cli.journey import print_models

    run = load(path, code=code, notice=notice)
    found = run.compress(prune=prune, student=student, epochs=epochs, sets=parse_sets(sets), notice=notice)
    if as_json:
        print_json([row.to_json() for row in found.rows])
        return
    print_models(found.rows)
    print(f"\npage: {found.page}")


def export(path: str, *, output: str, int8: bool, code: str, as_json: bool) -> None:
    """Export and print the proof."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).export(output or None, int8=int8)
    if as_json:
        print_json(found)
        return
    rows = [
        [name, json.dumps(value) if isinstance(value, (dict, list)) else str(value)] for name, value in found.items()
    ]
    console().print(table(["export", ""], rows))


def serve(path: str, *, host: str, port: int, code: str) -> None:
    """Serve until interrupted."""
    from netsmith.api.run import load
    from netsmith.serve.server import serve as start

    start(load(path, code=code, notice=notice).network, host=host, port=port)


def compare(paths: list[str], *, as_json: bool) -> None:
    """Print runs side by side."""
    from netsmith.api.run import compare as compare_runs

    found = compare_runs(paths)
    if as_json:
        print_json(found)
        return
    names = list(dict.fromkeys(name for row in found["runs"] for name in row["figures"]))
    headers = ["run", *names, "parameters", "MACs", "kB"]
    rows = []
    for row in found["runs"]:
        figures = [_number(row["figures"].get(name)) for name in names]
        macs = "-" if row["macs"] is None else f"{row['macs']:,}"
        rows.append([row["run"], *figures, f"{row['parameters']:,}", macs, f"{row['bytes'] / 1000:,.0f}"])
    console().print(table(headers, rows))
    for path, values in found["differs"].items():
        print(f"{path}: {' | '.join(map(str, values))}")


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"


def report(path: str, *, code: str) -> None:
    """Write the page of a run."""
    from netsmith.api.run import load

    print(f"page: {load(path, code=code, notice=notice).report()}")


def data_check(path: str, *, as_json: bool) -> None:
    """Print what is in a data set and what is wrong with it."""
    from netsmith.data import _check

    found = _check.check(Path(path))
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if isinstance(value, (list, dict)):
            print(f"{name}: {len(value)}")
            lines = value.items() if isinstance(value, dict) else enumerate(value, start=1)
            for key, item in list(lines)[:20]:
                print(f"  {key}: {item}")
        else:
            print(f"{name}: {value}")
