"""What benchmarks of training share: ours and a plain loop take turns, a step each, in one process."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from _evidence import write

from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook

LIMIT = 0.97


class Turns(Hook):
    """After each step of the engine's, take one of the plain loop's; keep times and losses of both."""

    def __init__(self, other: Iterator[float]) -> None:
        self.other = other
        self.times: list[tuple[tuple[float, float], tuple[float, float]]] = []
        self.losses: list[tuple[float, float]] = []

    def start(self, engine: Engine) -> None:  # noqa: ARG002
        self.begin = _clocks()

    def after_step(self, engine: Engine, logs: Any) -> None:  # noqa: ARG002
        ours = _since(self.begin)
        torch.use_deterministic_algorithms(False)
        begin = _clocks()
        theirs = next(self.other)
        self.times.append((ours, _since(begin)))
        torch.use_deterministic_algorithms(True)
        self.losses.append((logs["loss"], theirs))
        self.begin = _clocks()


def _clocks() -> tuple[float, float]:
    """Return the time on the wall and that of the processor, in seconds."""
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float]) -> tuple[float, float]:
    wall, processor = _clocks()
    return wall - begin[0], processor - begin[1]


def take_turns(
    experiment: Experiment, other: Iterator[float], *, warm: int, tokens: Sequence[int], steps: int, apart: float
) -> dict[str, Any]:
    """Train, and return the ratio of each round, theirs over ours in time, their median, and both rates.

    Args:
        experiment: Ours.
        other: The plain loop: each next takes a step on the same batch and gives its loss.
        warm: Steps before the first round. Their losses must be the same; later, roundings grow from step to step.
        tokens: Of each round.
        steps: Of each round.
        apart: How far, relatively, the losses may differ.
    """
    hook = Turns(other)
    experiment.source.splits = lambda: ["train"]  # type: ignore[method-assign]  # nothing is evaluated at the end
    Engine(experiment, hooks=[hook]).fit()
    differ = max(abs(a - b) / b for a, b in hook.losses[:warm])
    assert differ < apart, f"the losses differ by {differ:.1e}: this is not the same training"
    cut = [hook.times[warm + number * steps :][:steps] for number in range(len(tokens))]
    ours, theirs = ([[sum(pair[who][clock] for pair in pairs) for pairs in cut] for clock in (0, 1)] for who in (0, 1))
    ratios, busy = ([b / a for a, b in zip(ours[clock], theirs[clock], strict=True)] for clock in (0, 1))
    return {
        "median_ratio": statistics.median(ratios),
        "ratios": ratios,
        "median_ratio_processor_time": statistics.median(busy),
        "ratios_processor_time": busy,
        "tokens_per_second": statistics.median(n / t for n, t in zip(tokens, ours[0], strict=True)),
        "tokens_per_second_plain": statistics.median(n / t for n, t in zip(tokens, theirs[0], strict=True)),
        "steps_per_round": steps,
        "largest_difference_of_losses": differ,
        "limit": LIMIT,
    }


def main(about: str, compare: Callable[..., dict[str, Any]], *, rounds: int, steps: int) -> None:
    """Compare as the command line asks, print and write the figures, and end with an error below the limit.

    Args:
        about: What the help says.
        compare: Given ``rounds`` and ``steps``, returns what :func:`take_turns` does.
        rounds: How many, unless told.
        steps: Of each round, unless told.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = {"training": compare(rounds=given.rounds, steps=given.steps), "threads": given.threads}
    print(json.dumps(found, indent=1))
    write(given.out, found)
    if found["training"]["median_ratio"] < LIMIT:
        raise SystemExit(f"below {LIMIT}")
