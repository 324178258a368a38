"""Latency in milliseconds: medians after a warm-up, and fair comparisons within one run."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netsmith.core.errors import UnsupportedError, did_you_mean
from netsmith.measure.session import feeds_for, open_session

__all__ = ["Comparison", "Latency", "latency_ms", "onnx_latency", "paired_latency", "paired_onnx_latency"]


@dataclass(frozen=True)
class Latency:
    """How long one call takes, in milliseconds.

    Attributes:
        median: Half of the calls were faster.
        p10: A tenth of the calls were faster.
        p90: Nine tenths of the calls were faster.
        n: How many calls were timed.
    """

    median: float
    p10: float
    p90: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Comparison:
    """Several functions timed in turns, so that a change of the machine's clock meets all of them.

    Attributes:
        latencies: By name.
        rounds: By name, the median of each round.
    """

    latencies: Mapping[str, Latency]
    rounds: Mapping[str, tuple[float, ...]]

    def ratio(self, slow: str, fast: str) -> float:
        """Return how many times ``fast`` is as fast as ``slow``: the median over rounds of the paired ratios."""
        for name in (slow, fast):
            if name not in self.rounds:
                raise UnsupportedError(f"{name!r} was not timed{did_you_mean(name, self.rounds)}")
        return statistics.median(a / b for a, b in zip(self.rounds[slow], self.rounds[fast], strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {name: latency.to_json() for name, latency in self.latencies.items()}


def latency_ms(function: Callable[[], Any], *, warmup: int = 10, repeats: int = 50) -> Latency:
    """Time a function.

    Args:
        function: Called without arguments.
        warmup: Calls before the first that is timed.
        repeats: Calls that are timed.
    """
    return paired_latency({"it": function}, warmup=warmup, rounds=1, inner=repeats).latencies["it"]


def paired_latency(
    functions: Mapping[str, Callable[[], Any]], *, warmup: int = 10, rounds: int = 20, inner: int = 10
) -> Comparison:
    """Time several functions in turns: each round calls every one ``inner`` times.

    Figures of separate runs differ by whatever else the machine does (by 60 % on a shared virtual machine); the ratio
    within a round does not.

    Args:
        functions: By name; each is called without arguments.
        warmup: Calls of each before the first that is timed.
        rounds: How often each has its turn.
        inner: Calls in a turn.
    """
    if not functions or rounds < 1 or inner < 1 or warmup < 0:
        raise UnsupportedError(
            f"expected at least one function, round and call, got {len(functions)}, {rounds}, {inner}; warm-up {warmup}"
        )
    times: dict[str, list[list[float]]] = {name: [] for name in functions}
    with _quiet_collector():
        for function in functions.values():
            for _ in range(warmup):
                function()
        for _ in range(rounds):
            for name, function in functions.items():
                times[name].append([_time(function) for _ in range(inner)])
    return Comparison(
        {name: _summary([t for turn in turns for t in turn]) for name, turns in times.items()},
        {name: tuple(statistics.median(turn) for turn in turns) for name, turns in times.items()},
    )


def onnx_latency(
    path: str | Path,
    feeds: Sequence[Any] | Mapping[str, Any],
    *,
    threads: int = 1,
    warmup: int = 20,
    repeats: int = 100,
) -> Latency:
    """Time an ONNX file under ONNX Runtime on the CPU.

    Args:
        path: The file.
        feeds: Arrays in the order of its inputs, or by name; give batch 1 for a latency.
        threads: Threads of ONNX Runtime.
        warmup: Runs before the first that is timed.
        repeats: Runs that are timed.
    """
    return latency_ms(_runner(path, feeds, threads), warmup=warmup, repeats=repeats)


def paired_onnx_latency(
    models: Mapping[str, tuple[str | Path, Sequence[Any] | Mapping[str, Any]]],
    *,
    threads: int = 1,
    warmup: int = 20,
    rounds: int = 20,
    inner: int = 10,
) -> Comparison:
    """Time several ONNX files in turns; see :func:`paired_latency`.

    Args:
        models: By name, the file and its feeds.
        threads: Threads of ONNX Runtime.
        warmup: Runs of each before the first that is timed.
        rounds: How often each has its turn.
        inner: Runs in a turn.
    """
    runners = {name: _runner(path, feeds, threads) for name, (path, feeds) in models.items()}
    return paired_latency(runners, warmup=warmup, rounds=rounds, inner=inner)


def _runner(path: str | Path, feeds: Sequence[Any] | Mapping[str, Any], threads: int) -> Callable[[], Any]:
    session = open_session(path, threads=threads)
    named = feeds_for(session, feeds)
    return lambda: session.run(None, named)


def _time(function: Callable[[], Any]) -> float:
    start = time.perf_counter_ns()
    function()
    return (time.perf_counter_ns() - start) / 1e6


def _summary(times: list[float]) -> Latency:
    ordered = sorted(times)

    def at(fraction: float) -> float:
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    return Latency(statistics.median(ordered), at(0.1), at(0.9), len(ordered))


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Keep the garbage collector from running within a timed call."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
