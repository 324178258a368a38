"""A teacher brought to a measured budget: how many times as fast and as small it gets, and what it loses.

The teacher is the ResNet-20 of ``resnet20_fashion_mnist`` at a larger width, trained in bf16. ``netsmith compress``
narrows it to a speedup; the recommended network is trained from three seeds. All files, and the teacher in plain
PyTorch, are then timed in turns: batch 1, one thread. Whatever was trained or searched before is used again.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from netsmith.api.raw import as_batches
from netsmith.api.run import Run, load, resume, train
from netsmith.compress.cut_file import operate, read_log
from netsmith.core.files import read_json
from netsmith.engine import checkpoint
from netsmith.measure.latency import paired_latency
from netsmith.measure.session import feeds_for, open_session
from netsmith.workflows.budget_figures import Budget
from netsmith.workflows.front import compress_to_budget
from netsmith.workflows.front_runs import ALPHA, Trainer
from netsmith.workflows.int8 import as_fed, calibration
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import ship
from netsmith.workflows.tuning import classes_of, cut_into

__all__ = ["WANTED", "to_budget"]

WANTED = {
    32: {"over_eager": 10.0, "over_onnx": 6.0, "smaller": 12.0, "points_lost": 0.5},
    64: {"over_eager": 20.0, "over_onnx": 12.0, "smaller": 25.0, "points_lost": 0.5},
}
"""By width of the teacher: at least so many times as fast and as small, and at most so many points lost."""


def to_budget(
    root: Path, seeds: list[int], *, width: int = 32, epochs: int = 0, controls: int | None = None
) -> dict[str, Any]:
    """Compress the teacher to the speedup that is wanted, and measure the recommended network.

    Args:
        root: Where the runs lie.
        seeds: Seeds of the recommended network, from 0 on.
        width: Channels of the teacher's first stage.
        epochs: Of each training after a cut; half of the teacher's by default.
        controls: Seeds of each control beside it; as many as ``seeds`` by default.
    """
    controls = len(seeds) if controls is None else controls
    wanted = WANTED[width]
    run = teacher(root, width)
    budget = Budget("speedup", wanted["over_onnx"])
    made = compress_to_budget(run, budget, max_drop=wanted["points_lost"] / 100, epochs=epochs, controls=controls)
    front = read_json(run.path / "front.json")
    best = next(row for row in made.rows if row.name == front["recommended"])
    saved, _ = checkpoint.load_latest(made.runs[best.role].path / "checkpoints")
    log = read_log(saved.states["surgery"])
    cut = operate(copy.deepcopy(run.network.module), log), log
    trained = Trainer(run, epochs or run.found.config.epochs // 2, None, print)
    prepare = cut_into(run, cut, shared=trained.answers)
    widths = front["widths"][best.role]
    students = {seed: trained.train(f"seed {seed}", prepare, widths=widths, seed=seed, alpha=ALPHA) for seed in seeds}
    original, rows, timing = measured(run, students, int8=best.name != best.role)
    mean = {name: statistics.fmean(row[name] for row in rows) for name in rows[0] if name != "seed"}
    reached = {
        "over_eager": mean["over_eager"],
        "over_onnx": mean["over_onnx"],
        "smaller": original["bytes"] / mean["bytes"],
        "points_lost": 100 * (original["accuracy"] - mean["accuracy"]),
    }
    return {
        "width": width,
        "recommended": best.name,
        "widths": widths,
        "epochs": trained.epochs,
        "teacher": original,
        "students": rows,
        "latency_ms": timing,
        "wanted": wanted,
        "reached": reached,
        "met": {name: (reached[name] <= least) == (name == "points_lost") for name, least in wanted.items()},
        "controls": {row.name: row.proof["seeds"] for row in made.rows if "control_of" in row.proof},
        "notes": front["notes"],
    }


def measured(run: Run, students: Mapping[int, Run], *, int8: bool) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """Export the original and its students, and time them in turns with the original in plain PyTorch.

    Args:
        run: The original; its file is in full precision.
        students: By seed.
        int8: Take the students' files in int8.

    Returns:
        What the original's file is, a row for each student, and the latencies.
    """
    data = classes_of(run)
    judged, batches = judge(run.network, data, "test"), calibration(run.network, data)
    rows = {"original": ship(run.network, run.path / "export", name="original", judged=judged)[0]}
    files = {"original": run.path / rows["original"].file}
    for seed, one in students.items():
        rows[f"{seed}"] = ship(one.network, one.path / "export", name=f"{seed}", batches=batches, judged=judged)[int8]
        files[f"{seed}"] = one.path / rows[f"{seed}"].file
    torch.set_num_threads(1)
    example, network = as_batches(judged.raw, 1)[0], run.network.shipped.eval()

    def eager() -> None:
        with torch.inference_mode():
            network(example)

    calls: dict[str, Callable[[], Any]] = {"eager": eager}
    for name, path in files.items():
        session = open_session(path, threads=1)
        calls[name] = partial(session.run, None, feeds_for(session, as_fed(example)))
    timing = paired_latency(calls, rounds=25, inner=20)
    told = [
        {
            "seed": seed,
            "accuracy": rows[f"{seed}"].accuracy,
            "bytes": rows[f"{seed}"].bytes,
            "over_eager": timing.ratio("eager", f"{seed}"),
            "over_onnx": timing.ratio("original", f"{seed}"),
        }
        for seed in students
    ]
    original = {name: getattr(rows["original"], name) for name in ("accuracy", "bytes", "macs", "parameters")}
    return original, told, timing.to_json()


def teacher(root: Path, width: int) -> Run:
    """Return the finished teacher under a root, or train it to its end."""
    path = root / f"teacher{width}"
    if (path / "evaluation.json").is_file():
        return load(path)
    if path.is_dir():
        return resume(path)
    sets = {"method.model.width": width, "precision": "bf16"}
    return train("resnet20_fashion_mnist", sets=sets, root=root, name=path.name)
