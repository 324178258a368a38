"""What a training would take, before it is begun."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netsmith.api.facts import described, row_json
from netsmith.api.network import Network
from netsmith.api.own_data import check
from netsmith.api.run import brought, prepared
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.feed import evaluation_batches
from netsmith.engine.source import LiveSource
from netsmith.measure.parameters import layer_table

__all__ = ["plan"]


def plan(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None = None,
    data: str | Path = "",
    teacher: str | Path = "",
    start: str | Path = "",
    code: str | Path = "",
) -> dict[str, Any]:
    """Return what training would take: layers, parameters, MACs, memory, time; a few steps are measured, none kept.

    ``memory_bytes`` counts every player's weights, their gradients, the optimizers' state, and ``activation_bytes``:
    the most that autograd held for a backward pass at one time of a real step, each storage once, weights left out. Not
    counted: data, work space of single operations, and what torch itself takes.

    ``eta_seconds`` is the median of three steps times the steps, plus ``evaluation_seconds``: one measured batch of
    each split times its batches, for dev as often as the run evaluates and once more at the end, for test once. A live
    source has no batches to count: one whole evaluation of the untrained policy is measured. Not counted: reading the
    data, writing checkpoints, hooks.
    """
    lines: list[str] = []
    begun, prepare = brought(teacher=teacher, start=start, code=code, notice=lines.append)
    found, source = prepared(
        target, sets=sets, data=data, code=code, begun=begun, brings=start or teacher, notice=lines.append
    )
    experiment = Experiment(found.config, source=source)
    check(experiment)
    if prepare:
        prepare(experiment)
    engine = Engine(experiment)
    method, spec = experiment.method, experiment.spec
    network = Network(method.product(), method.product_spec(spec), task=method.task)
    rows = layer_table(network.module, network.module_example(1))
    step_seconds, kept = _time_steps(engine)
    evaluation_seconds = _evaluation_seconds(engine)
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
        "memory_bytes": sum(2 * p.numel() * p.element_size() for p in owned) + state + kept,
        "activation_bytes": kept,
        "steps": int(experiment.config.steps),
        "step_ms": 1000 * step_seconds,
        "evaluation_seconds": evaluation_seconds,
        "eta_seconds": step_seconds * int(experiment.config.steps) + evaluation_seconds,
        "threads": torch.get_num_threads(),
    }


class _Saved:
    """A tensor that autograd keeps for a backward pass, counted for as long as it is kept."""

    def __init__(self, tensor: Tensor, kept: _Kept) -> None:
        self.tensor = tensor
        self.kept = kept
        kept.add(tensor, 1)

    def __del__(self) -> None:
        self.kept.add(self.tensor, -1)


class _Kept:
    """The bytes of all storages that autograd keeps, and the most there were.

    Args:
        weights: Storages that are counted elsewhere.
    """

    def __init__(self, weights: set[int]) -> None:
        self.weights = weights
        self.holders: dict[int, int] = {}
        self.now = self.most = 0

    def add(self, tensor: Tensor, holders: int) -> None:
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        if place in self.weights:
            return
        before = self.holders.get(place, 0)
        self.holders[place] = before + holders
        if (before == 0) != (before + holders == 0):
            self.now += storage.nbytes() * holders
            self.most = max(self.most, self.now)

    def pack(self, tensor: Tensor) -> _Saved:
        return _Saved(tensor.detach(), self)  # the graph's own tensor would hold the graph that holds it


def _time_steps(engine: Engine) -> tuple[float, int]:
    """Return the median seconds of three steps, and the bytes autograd kept in the warm-up before them."""
    engine.method.train()
    kept = _Kept({p.untyped_storage().data_ptr() for p in engine.method.parameters()})
    times = []
    for step in range(min(4, int(engine.config.steps))):
        begin = time.perf_counter()
        engine.updater.begin(step)
        if step:
            engine.method.step(engine.feed, engine.updater)
        else:
            with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda saved: saved.tensor):
                engine.method.step(engine.feed, engine.updater)
        times.append(time.perf_counter() - begin)
    engine.feed.close()
    return statistics.median(times[1:] or times), kept.most


def _evaluation_seconds(engine: Engine) -> float:
    """Return the seconds of all evaluations of a run, from one batch of each split."""
    often = math.ceil(int(engine.config.steps) / int(engine.config.evaluate_every))
    source, seconds = engine.source, 0.0
    for split, times in (("dev", often + 1), ("test", 1)):
        if split not in source.splits():
            continue
        if isinstance(source, LiveSource):
            begin = time.perf_counter()
            engine.evaluate(split)
            seconds += times * (time.perf_counter() - begin)
        else:
            count = len(source.order(split, seed=engine.config.seed, epoch=0))
            seconds += times * count * _batch_seconds(engine, split)
    return seconds


def _batch_seconds(engine: Engine, split: str) -> float:
    """Return the seconds of one evaluation batch, loading included, after a warm-up."""
    metrics, seconds = engine.method.metrics(), 0.0
    engine.method.eval()
    for _ in range(2):
        begin = time.perf_counter()
        batches = evaluation_batches(
            engine.source, engine.method.act, split=split, seed=engine.config.seed, ranks=engine.ranks, move=engine.move
        )
        with torch.no_grad():
            for batch in itertools.islice(batches, 1):
                engine.method.evaluate(batch, metrics)
        seconds = time.perf_counter() - begin
    engine.method.train()
    return seconds
