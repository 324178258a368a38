"""The verbs that take a run folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.cli.output import colored, notice, print_json, say, table, waiting

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["compare", "compress", "data_check", "evaluate", "explain", "export", "predict", "report", "serve"]

_RANKED = 5  # texts of a ranking on one line


def evaluate(path: str, *, split: str, code: str, as_json: bool) -> None:
    """Print the figures of a split."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).evaluate(split)
    if as_json:
        print_json(found)
        return
    print(table(["figure", "value"], [[name, f"{value:.4f}"] for name, value in found.items()]))


def predict(
    path: str,
    source: str,
    *,
    column: str = "",
    encoding: str = "utf-8",
    seed: int | None,
    count: int | None,
    code: str,
    as_json: bool,
) -> None:
    """Print one prediction per example."""
    from netsmith.api.run import load
    from netsmith.core.errors import UnsupportedError

    run = load(path, code=code, notice=notice)
    kind = run.network.spec.inputs.kind
    given = "--column" if column else "--encoding" if encoding != "utf-8" else ""
    if given and kind != "text":
        raise UnsupportedError(f"{given} is for texts; {run.path.name} takes {kind} inputs")
    if kind == "none":
        if source:
            raise UnsupportedError(f"{run.path.name} makes samples and takes no input; leave {source!r} out")
        number, amount = seed or 0, count or 1
        names = [f"seed {number}, {n}" for n in range(1, amount + 1)]
        predictions = run.network.sample(amount, seed=number)
    else:
        given = "--seed" if seed is not None else "--count" if count is not None else ""
        if given:
            raise UnsupportedError(f"{given} is for generators; {run.path.name} takes {kind} inputs")
        names, values = _read(run, source, column=column, encoding=encoding if kind == "text" else "")
        predictions = run.predict(values)
    rows = [{"input": name, **prediction} for name, prediction in zip(names, predictions, strict=True)]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print("\t".join(_cells(row)))


def _read(run: Run, source: str, *, column: str, encoding: str) -> tuple[list[str], list[Any]]:
    from netsmith.api.encode import Rows, read_bytes, read_file, text_column
    from netsmith.api.texts import is_text, read_texts
    from netsmith.core.errors import DataError

    inputs, known = run.network.spec.inputs, text_column(run.found.config.data)
    if column or (inputs.kind == "text" and is_text(source)):
        found = read_texts(source, column=column, encoding=encoding)
        texts, at = [text for _, text in found], [int(name.rpartition(" ")[2]) for name, _ in found if column]
        return [name for name, _ in found], Rows(texts, path=source, at=at) if column else texts
    if source not in ("", "-"):
        return read_file(Path(source), inputs, text=known, encoding=encoding)
    if sys.stdin is None:
        raise DataError("stdin is closed; give a file")
    waiting()
    return read_bytes(sys.stdin.buffer.read(), inputs, text=known, encoding=encoding)


def _cells(row: dict[str, Any]) -> list[str]:
    from netsmith.cli.output import plain

    name, label = plain(row["input"]), row.get("label", row.get("action"))
    values = row.get("values")
    if "text" in row and "tokens" in row:
        return [name, plain(row["text"])]
    intent = [plain(row["intent"])] if "intent" in row else []
    if "words" in row:
        return [name, *intent, plain(" ".join(row["words"]))]
    if "spans" in row:
        spans = ", ".join(f"{span['kind']}: {span.get('text', '')}" for span in row["spans"]) or "no name"
        return [name, *intent, plain(spans)]
    if "labels" in row and "tokens" in row:
        return [
            name,
            plain(" ".join(f"{token}/{tag}" for token, tag in zip(row["tokens"], row["labels"], strict=True))),
        ]
    likely = next((what for what in ("next", "near") if isinstance(row.get(what), dict)), "")
    if likely:
        known = [f"perplexity {row['perplexity']:.5g}"] if row.get("perplexity") is not None else []
        best = ", ".join(f"{token} {share:.4f}" for token, share in row[likely].items())
        return [name, *known, plain(f"{likely}: {best}")]
    if "ranking" in row:
        best = [f"text {at + 1}: {score:.6g}" for at, score in zip(row["ranking"], row["scores"], strict=True)]
        return [name, ", ".join(best[:_RANKED]) + ", ..." * (len(best) > _RANKED)]
    if label is None and isinstance(values, dict):
        return [name, *(f"{plain(key)}={value:.6g}" for key, value in values.items())]
    if label is None:
        return [name, json.dumps({key: value for key, value in row.items() if key != "input"})]
    best = [f"{max(row['probabilities'].values()):.4f}"] if row.get("probabilities") else []
    if row.get("scores"):
        best = [f"{row['scores_are']} {max(row['scores'].values()):.6g}"]
    return [name, plain(str(label)), *best]


def explain(path: str, *, source: str, method: str, count: int, segments: str, generator: str, code: str) -> None:
    """Write pictures and a page that explain decisions."""
    from netsmith.api.run import load, with_code

    own, painter = load(path, code=code, notice=notice), None
    if generator:  # the code is that of either run, or of both
        own = with_code(path, [code], notice)
        painter = with_code(generator, [code], notice) if own.code else load(generator, code=code, notice=notice)
    found = own.explain(source or None, method=method, count=count, segments=segments, generator=painter)
    for line in found.notes:
        say(line)
    for text in found.texts:
        colored(f"{text.heading}, by {text.method}:", text.words)
    say("")
    say(f"page: {found.page}")


def compress(path: str, *, ways: Mapping[str, Any], epochs: int, sets: list[str], code: str, as_json: bool) -> None:
    """Make a run smaller in some ways (``prune``, ``low_rank``, ``student``) and print the table of what came out."""
    from netsmith.api.experiments import parse_sets
    from netsmith.api.run import load
    from netsmith.cli.journey import print_compressed
    from netsmith.cli.progress import Bars

    run = load(path, code=code, notice=notice)
    with Bars() as bars:
        found = run.compress(**ways, epochs=epochs, sets=parse_sets(sets), hooks=bars, notice=notice)
    print_compressed(found, as_json=as_json)


def export(path: str, *, output: str, choices: Mapping[str, Any], code: str, as_json: bool) -> None:
    """Export (``choices`` are those of int8) and print the proof."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).export(output or None, **choices)
    if as_json:
        print_json(found)
        return
    proof = found["export"]
    worst = max(parity["error"] for parity in proof["parity"])
    batches = ", ".join(str(size) for size in dict.fromkeys(parity["batch"] for parity in proof["parity"]))
    lengths = dict.fromkeys(tuple(parity["lengths"]) for parity in proof["parity"] if parity["lengths"])
    batches += f" and lengths of {', '.join(' and '.join(map(str, one)) for one in lengths)}" if lengths else ""
    free = " and length" if lengths else ""
    say(f"file: {found['path']} ({proof['bytes']:,} bytes, ONNX opset {proof['opset']}, any batch size{free})")
    allowed = f"{proof['tolerance']:g} allowed"
    say(f"proof: answers differ by at most {worst:.1e} relative at batches of {batches} ({allowed})")
    if "note" in found:
        say(f"note: {found['note']}")
    if "int8" in found:
        size = Path(found["int8_path"]).stat().st_size
        say(f"int8: {found['int8_path']} ({size:,} bytes){_int8_words(found['int8'])}")


def _int8_words(found: Mapping[str, Any]) -> str:
    """Return what was chosen and kept, where there was a choice."""
    plain = found.get("quantization", found)
    words = [f"{plain['method']} calibration"] if "tries" in found else []
    if "drop" in found:
        kept = found["kept_nodes"]
        words.append(
            f"loses {100 * found['drop']:.2f} points on dev; in full precision: {', '.join(kept) or 'nothing'}"
        )
    return f"; {'; '.join(words)}" if words else ""


def serve(path: str, *, host: str, port: int, allowed_hosts: list[str], code: str) -> None:
    """Serve until interrupted."""
    from netsmith.api.run import load

    load(path, code=code, notice=notice).serve(host=host, port=port, allowed_hosts=allowed_hosts)


def compare(paths: list[str], *, codes: list[str], page: str, paired: str, as_json: bool) -> None:
    """Print runs side by side: a column each; with ``page``, also draw their curves; ``paired``, test a figure."""
    from netsmith.api.run import compare as compare_runs
    from netsmith.api.run import with_code

    runs = [with_code(path, codes, notice) for path in paths]
    if page:
        from netsmith.workflows.side_by_side import compare_page

        compare_page(runs, page)
    found = compare_runs(runs, paired=paired)
    if page:
        found["page"] = page
    if as_json:
        print_json(found)
        return
    runs = found["runs"]
    names = list(dict.fromkeys(name for row in runs for name in row["figures"]))
    rows = [[name, *(_number(row["figures"].get(name)) for row in runs)] for name in names]
    rows.append(["parameters", *(f"{row['parameters']:,}" for row in runs)])
    rows.append(["multiply-adds", *("-" if row["macs"] is None else f"{row['macs']:,}" for row in runs)])
    rows.append(["bytes", *(f"{row['bytes']:,}" for row in runs)])
    print(table(["", *(row["run"] for row in runs)], rows))
    if found["differs"]:
        print("\ndiffering settings")
        rows = [[path, *(_setting(value) for value in values)] for path, values in found["differs"].items()]
        print(table(["", *(row["run"] for row in runs)], rows))
    if paired:
        _print_paired(found["paired"])
    if page:
        say("")
        say(f"page: {page}")


def _print_paired(found: dict[str, Any]) -> None:
    first = found["first"]
    rows = [[_side(first), f"{first['mean']:.4f}", "", "", ""]]
    for one in found["contrasts"]:
        interval = f"{one['low']:+.4f} to {one['high']:+.4f}"
        rows.append([_side(one["other"]), f"{one['other']['mean']:.4f}", f"{one['difference']:+.4f}", interval])
        rows[-1].append(f"{one['p']:.5f}")
    print(f"\n{found['figure']} over the same {found['examples']:,} examples")
    print(table(["", "mean", "difference", "95 % interval", "p"], rows))
    say("difference: the first row's mean minus the row's; interval: paired bootstrap of the examples;")
    count = len(found["contrasts"])
    corrected = f", not corrected for {count} tests" if count > 1 else ""
    say(f"p: Fisher's randomization test of the examples, two-sided{corrected}")


def _side(side: dict[str, Any]) -> str:
    name, *more = side["runs"]
    return f"{name} and {len(more)} more" if more else name


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}"


def _setting(value: Any) -> str:
    from netsmith.core.errors import shorten

    return "-" if value is None else shorten(value if isinstance(value, str) else json.dumps(value), 40)


def report(path: str, *, code: str) -> None:
    """Write the page of a run."""
    from netsmith.api.run import load

    say(f"page: {load(path, code=code, notice=notice).report()}")


def data_check(path: str, *, target: str, as_json: bool) -> int:
    """Print what is in a data set and what is wrong with it; the exit code is 2 where something is."""
    from netsmith.data import _check

    found = _check.check(Path(path), target=target or "auto")
    if as_json:
        print_json(found)
    else:
        _print_check(found)
    return 0 if found["ok"] else 2


def _print_check(found: dict[str, Any]) -> None:
    if found["read_as"]:
        say(found["read_as"])
    counts = list(dict.fromkeys(name for split in found["splits"].values() for name in split["classes"]))
    if found["splits"]:
        headers = ["", *found["splits"]]
        rows = [["examples", *(f"{split['examples']:,}" for split in found["splits"].values())]]
        for name in counts[:40]:
            shown = [f"{split['classes'].get(name, 0):,}" for split in found["splits"].values()]
            rows.append([f"  {name}" if len(name) <= 40 else f"  {name[:37]}...", *shown])
        print(table(headers, rows))
        if len(counts) > 40:
            say(f"  ... and {len(counts) - 40} more classes")
    if found["imbalance"] is not None:
        say(f"imbalance: the largest class has {found['imbalance']:g} times the examples of the smallest")
    for item in found["unreadable"][:20]:
        say(f"unreadable: {item['problem']}")
    if len(found["unreadable"]) > 20:
        say(f"unreadable: {len(found['unreadable']) - 20} more; --json names all")
    for group in found["duplicates"][:20]:
        say("in more than one split: " + "; ".join(f"{item['split']} {item['example']}" for item in group))
    if found["num_duplicates"] > 20:
        say(f"in more than one split: {found['num_duplicates'] - 20} more examples")
    for problem in found["problems"]:
        say(f"problem: {problem}")
    say("ok" if found["ok"] else "not ok")
