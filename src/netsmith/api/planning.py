"""What a training would take, before it is begun."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from netsmith.api.catalogue import described, row_json
from netsmith.api.network import Network
from netsmith.api.own_data import check
from netsmith.api.run import prepared, teaching
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.measure.parameters import layer_table

__all__ = ["plan"]


def plan(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None = None,
    data: str | Path = "",
    teacher: str | Path = "",
    code: str | Path = "",
) -> dict[str, Any]:
    """Return what training would take: layers, parameters, MACs, memory, time; a few steps are measured, none kept."""
    lines: list[str] = []
    found, source = prepared(target, sets=sets, data=data, code=code, notice=lines.append)
    experiment = Experiment(found.config, source=source)
    check(experiment)
    prepare = teaching(teacher, notice=lines.append)
    if prepare:
        prepare(experiment.method)
    engine = Engine(experiment)
    method, spec = experiment.method, experiment.spec
    network = Network(method.product(), method.product_spec(spec), task=method.task)
    rows = layer_table(network.module, network.shipped.preprocess(network.example(1)))
    step_seconds = _time_steps(engine)
    owned = [p for parameters in method.players().values() for p in parameters.values()]
    state = sum(t.numel() * t.element_size() for t in engine.updater.state().values())
    split = spec.split("train")
    size = f"{split.size:,} training examples" if split and split.size else "a live source"
    lines.append(f"{spec.dataset}: {size}; {described(network.spec)}")
    return {
        "data": lines,
        "layers": [row_json(row) for row in rows],
        "parameters": sum(p.numel() for p in network.module.parameters()),
        "macs": sum(r.macs for r in rows),
        "memory_bytes": sum(2 * p.numel() * p.element_size() for p in owned) + state,
        "steps": int(experiment.config.steps),
        "step_ms": 1000 * step_seconds,
        "eta_seconds": step_seconds * int(experiment.config.steps),
        "threads": torch.get_num_threads(),
    }


def _time_steps(engine: Engine) -> float:
    """Return the median seconds of three steps after a warm-up."""
    engine.method.train()
    times = []
    for step in range(min(4, int(engine.config.steps))):
        begin = time.perf_counter()
        engine.updater.begin(step)
        engine.method.step(engine.feed, engine.updater)
        times.append(time.perf_counter() - begin)
    engine.feed.close()
    return statistics.median(times[1:] or times)
