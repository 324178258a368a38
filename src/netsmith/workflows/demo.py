"""The main job: the whole journey on real handwritten digits, offline, in under two minutes."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from netsmith.api.commands import on_run
from netsmith.api.run import train
from netsmith.core.files import read_json, write_atomic, write_json
from netsmith.engine.hook import Hook
from netsmith.report.run_page import Fact, RunReport, run_page
from netsmith.report.tables import bytes_text, milliseconds_text, percent_text, ratio_text
from netsmith.workflows.compression import Compressed, compress_run, model_rows
from netsmith.workflows.pages import charts_of, environment_facts
from netsmith.workflows.pictures import mistakes_group, picture_groups

__all__ = ["Demo", "command", "run_demo"]


@dataclass(frozen=True)
class Demo:
    """What the journey left.

    Attributes:
        page: The self-contained ``report.html``.
        compressed: The table's rows and the runs.
        notes: What the explanations say of themselves.
        seconds: How long it took.
    """

    page: Path
    compressed: Compressed
    notes: tuple[str, ...]
    seconds: float


def run_demo(
    *,
    root: str | Path = "runs",
    seed: int = 0,
    hooks: Callable[[str], Sequence[Hook]] | None = None,
    stage: Callable[[str], None] = print,
    notice: Callable[[str], None] = print,
) -> Demo:
    """Train, explain, prune, distil, quantize, export, measure and report on scikit-learn's digits.

    Args:
        root: Where the run folders are made.
        seed: The seed of everything.
        hooks: Hooks for each training (a progress bar).
        stage: Told what comes next.
        notice: Where one-line notices go.
    """
    begin = time.perf_counter()
    with _one_thread():
        page, compressed, notes = _journey(root, seed, hooks, stage, notice)
    seconds = time.perf_counter() - begin
    write_json(page.with_name("demo.json"), {"seconds": seconds, "ratios": dict(compressed.ratios)}, sync=False)
    return Demo(page, compressed, tuple(notes), seconds)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: at 8 x 8 pixels the threads would wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _journey(
    root: str | Path,
    seed: int,
    hooks: Callable[[str], Sequence[Hook]] | None,
    stage: Callable[[str], None],
    notice: Callable[[str], None],
) -> tuple[Path, Compressed, list[str]]:
    stage("1/4 train a teacher on 1,797 scans of handwritten digits")
    bars = hooks("teacher") if hooks else ()
    teacher = train("cnn_digits", sets={"seed": seed}, root=root, name="demo", hooks=bars, notice=notice)
    stage("2/4 compress: prune and fine-tune, distil into a student, quantize, export, measure")
    found = compress_run(teacher, prune=0.5, sets={"epochs": 35}, epochs=8, hooks=hooks, notice=notice)
    stage("3/4 explain: why does the teacher decide as it does?")
    judged, network = found.judged, teacher.network
    chosen = _shown(found)
    groups, notes, _ = picture_groups(network, [f"test {i}" for i in chosen], judged.raw[chosen], judged=judged)
    mistakes = mistakes_group(network, judged)
    groups += [mistakes] if mistakes else []
    stage("4/4 report")
    names = network.spec.outputs.names
    charts = [chart for role, one in found.runs.items() for chart in charts_of(one.journal(), name=role)]
    best = min(found.rows, key=lambda row: row.latency_ms or 0.0)
    first = found.rows[0]
    facts = [
        Fact("teacher", percent_text(first.accuracy), "test accuracy"),
        Fact("fastest", percent_text(best.accuracy), best.name),
        Fact("faster", ratio_text(found.ratios[best.name]), milliseconds_text(best.latency_ms)),
        Fact("smaller", ratio_text(first.bytes / best.bytes), bytes_text(best.bytes)),
    ]
    report = RunReport(
        title="From a teacher to a model you can ship",
        subtitle="Handwritten digits: trained, explained, pruned, distilled, quantized, exported, measured.",
        kicker="netsmith demo",
        facts=facts,
        commands=[command(root, seed), f"{on_run('predict', found.runs['student'].path)} picture.png"],
        charts=charts,
        confusion=judged.matrix().tolist(),
        class_names=names,
        confused=[(names[p.truth], names[p.prediction], p.count, p.rate) for p in judged.pairs()],
        pictures=groups,
        models=model_rows(found.rows),
        chosen=best.name,
        notes=[*notes, f"The test split has {len(judged.targets)} images: one image is {1 / len(judged.targets):.2%}."],
        environment=environment_facts(read_json(teacher.path / "environment.json")),
    )
    page = teacher.path / "report.html"
    write_atomic(page, run_page(report).encode(), sync=False)
    return page, found, notes


def command(root: str | Path, seed: int) -> str:
    """Return the command that makes the same journey."""
    where = ["--root", shlex.quote(str(root))] if str(root) != "runs" else []
    return " ".join(["netsmith demo", *where, *(["--seed", str(seed)] if seed else [])])


def _shown(found: Compressed) -> list[int]:
    """Return examples worth a look: two mistakes, and right answers of different classes."""
    judged = found.judged
    wrong = (judged.predictions != judged.targets).nonzero().flatten().tolist()[:2]
    right = []
    for label in range(judged.logits.shape[1]):
        fits = ((judged.targets == label) & (judged.predictions == label)).nonzero().flatten().tolist()
        right += fits[:1]
    return [*wrong, *right][:6]
