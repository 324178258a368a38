"""What SAM and Lookahead cost beside SGD, and how long a loss landscape takes.

A step of LeNet-5 on a batch of Fashion-MNIST through the engine's updater: each round times some steps of SGD with
momentum and as many with the same SGD inside SAM or Lookahead, right after each other, in an order that alternates; the
ratio is theirs over SGD's. Theory says 2 for SAM (two gradients) and 1 for Lookahead (an interpolation every five
steps; a round holds whole fives). Then the loss of a LeNet-5 trained for some hundred steps over a plane of two
filter-normalized directions, 51 x 51 points on 2,048 fixed training images.

Run: python benchmarks/training_science.py [--rounds 9] [--threads 2] [--out benchmarks/training_science.evidence.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from _evidence import write
from torch.nn import functional as F

from netsmith.core.roles import OptimizerConfig, SourceConfig
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.explain.landscape import loss_surface, random_directions
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.optim.lookahead import Lookahead
from netsmith.optim.sam import SAM
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

SECONDS = 300.0  # the landscape's limit
PLAIN = SGD.Config(lr=0.01, momentum=0.9)
OTHERS: dict[str, OptimizerConfig] = {"sam": SAM.Config(inner=PLAIN), "lookahead": Lookahead.Config(inner=PLAIN)}
THEORY = {"sam": 2.0, "lookahead": 1.0}


def engine_of(data: SourceConfig, source: Source, optimizer: OptimizerConfig, *, steps: int) -> Engine:
    """Return an engine that trains LeNet-5, from the same first weights for each optimizer."""
    method = Supervised.Config(model=LeNet5.Config(), task=Classify.Config())
    fields = {"steps": steps, "evaluate_every": steps + 1, "device": "cpu"}
    config = Experiment.Config(method=method, data=data, optimizers={"model": optimizer}, **fields)
    return Engine(Experiment(config, source=source))


def stepper(engine: Engine, *, count: int) -> Callable[[], None]:
    """Return what is timed: so many steps on one batch that is loaded before."""
    batch = next(engine.feed)
    feed = iter(lambda: batch, None)
    at = iter(range(1 << 40))
    engine.method.train()

    def run() -> None:
        for _ in range(count):
            engine.updater.begin(next(at))
            engine.method.step(feed, engine.updater)

    return run


def costs(data: SourceConfig, source: Source, *, rounds: int, count: int) -> dict[str, Any]:
    """Return for each optimizer the median, least and largest ratio to SGD's time."""
    length = 10 * (rounds + 2) * count
    plain = stepper(engine_of(data, source, PLAIN, steps=length), count=count)
    found: dict[str, Any] = {}
    for name, optimizer in OTHERS.items():
        other = stepper(engine_of(data, source, optimizer, steps=length), count=count)
        for warm in (plain, other):
            warm()
        ratios, seconds = [], []
        for number in range(rounds):
            spent: dict[Callable[[], None], float] = {}
            for which in (plain, other) if number % 2 else (other, plain):
                begin = time.perf_counter()
                which()
                spent[which] = time.perf_counter() - begin
            ratios.append(spent[other] / spent[plain])
            seconds.append(spent[plain] / count)
        found[name] = {
            "median": statistics.median(ratios),
            "least": min(ratios),
            "largest": max(ratios),
            "rounds": rounds,
            "theory": THEORY[name],
            "sgd_step_ms": 1e3 * statistics.median(seconds),
        }
        print(f"{name}: {found[name]['median']:.3f} ({min(ratios):.3f} to {max(ratios):.3f}), theory {THEORY[name]:g}")
    return found


def landscape(data: SourceConfig, source: Source, *, steps: int, images: int, grid: int, batch: int) -> dict[str, Any]:
    """Train, then time the loss over the plane."""
    engine = engine_of(data, source, PLAIN, steps=steps)
    engine.fit()
    module = engine.method.product()
    size = next(split.size for split in source.spec.splits if split.name == "train")
    assert size >= images, f"the training split has {size} images; expected at least {images}"
    chosen = torch.randperm(size, generator=torch.Generator().manual_seed(0))[:images]
    batches = [source.load("train", part) for part in chosen.split(batch)]
    directions = random_directions(module, generator=torch.Generator().manual_seed(1), count=2)
    begin = time.perf_counter()
    surface = loss_surface(module, F.cross_entropy, batches, directions, steps=grid)
    seconds = time.perf_counter() - begin
    print(f"{grid} x {grid} on {images} images: {seconds:.1f} s")
    return {
        "seconds": seconds,
        "limit": SECONDS,
        "grid": grid,
        "images": images,
        "batch": batch,
        "trained_steps": steps,
        "loss_at_the_center": float(surface.losses[grid // 2, grid // 2]),
        "lowest": float(surface.losses.min()),
        "highest": float(surface.losses.max()),
        "non_finite": surface.non_finite,
    }


def main() -> None:
    """Run both, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="pairs, at least 7")
    parser.add_argument("--count", type=int, default=50, help="steps of a round; a multiple of 5")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=500, help="of the training before the landscape")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--grid", type=int, default=51, help="odd: the trained weights are among the points")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--twin", action="store_true", help="synthetic images: to try the benchmark, not to measure")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.rounds < 7 or asked.count % 5 or not asked.grid % 2:
        parser.error("expected at least 7 rounds, a count that is a multiple of 5, and an odd grid")
    torch.set_num_threads(asked.threads)
    data = FashionMnist.Config(batch=asked.batch, twin=asked.twin)
    source: Source = data.build()
    cost = costs(data, source, rounds=asked.rounds, count=asked.count)
    plane = landscape(data, source, steps=asked.steps, images=asked.images, grid=asked.grid, batch=256)
    value = {
        "ratio": "time of a step over that of SGD with momentum",
        "threads": asked.threads,
        "data": source.spec.dataset + (" (twin)" if asked.twin else ""),
        "costs": cost,
        "landscape": plane,
    }
    write(asked.out, value)
    print(json.dumps(value, indent=2))
    met = plane["seconds"] <= SECONDS and asked.grid >= 51 and asked.images >= 2048
    print(f"landscape: {plane['seconds']:.1f} s, limit {SECONDS:g} for 51 x 51: {'met' if met else 'not shown'}")


if __name__ == "__main__":
    main()
