"""Time per step of netsmith's engine against a bare PyTorch loop that does the same work in the same process.

Both take the same batches from the same source, compute the same loss, check it for NaN, and step the same optimizer;
the two take turns, a step each, so that a change of the machine's clock meets both. Run: python benchmarks/engine.py
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch

from netsmith.api.experiments import find
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook


def bare(engine: Engine) -> Iterator[None]:
    """Take a step at a time in the loop anyone would write, on a fresh method of the same experiment."""
    source, model = engine.source, engine.method.product()
    optimizer = engine.config.optimizers["model"].build(dict(model.named_parameters()))
    loss_of = torch.nn.CrossEntropyLoss()
    channels_last = engine.config.memory_format == "channels_last"
    model.train()
    for epoch in itertools.count():
        for indices in source.order("train", seed=0, epoch=epoch):
            batch = source.load("train", indices, key=epoch)
            inputs = batch.inputs.contiguous(memory_format=torch.channels_last) if channels_last else batch.inputs
            optimizer.zero_grad()
            loss = loss_of(model(inputs), batch.targets)
            assert math.isfinite(loss.item())
            loss.backward()
            optimizer.step()
            yield


class Alternate(Hook):
    """After each step of the engine's, take one of the bare loop; keep both times."""

    def __init__(self, other: Iterator[None]) -> None:
        self.other = other
        self.pairs: list[tuple[float, float]] = []

    def start(self, engine: Engine) -> None:  # noqa: ARG002
        self.begin = time.perf_counter()

    def after_step(self, engine: Engine, logs: dict[str, float]) -> None:  # noqa: ARG002
        middle = time.perf_counter()
        next(self.other)
        end = time.perf_counter()
        self.pairs.append((middle - self.begin, end - middle))
        self.begin = time.perf_counter()


def compare(name: str, *, steps: int) -> dict[str, float]:
    """Return the medians over pairs of neighbouring steps, so that a change of the machine's clock meets both."""
    fields: dict[str, Any] = {"data.twin": True, "data.augment": [], "data.dev": 0.0, "hooks": [], "epochs": 0}
    fields |= {"steps": steps, "evaluate_every": steps, "checkpoint_every": steps}
    config = find(name).config.derive(**fields)
    hook = Alternate(bare(Engine(Experiment(config))))
    Engine(Experiment(config), hooks=[hook]).fit()
    pairs = hook.pairs[max(steps // 10, 2) :]  # the first steps warm up
    return {
        "bare_us": 1e6 * statistics.median(b for _, b in pairs),
        "overhead_us": 1e6 * statistics.median(a - b for a, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "steps": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--steps", type=int, default=40, help="steps of ResNet-20; the MLP takes 100 times as many")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = {
        "mlp_64_64_10_batch_128": compare("mlp_digits", steps=100 * arguments.steps),
        "resnet20_batch_128": compare("resnet20_fashion_mnist", steps=arguments.steps),
        "threads": arguments.threads,
        "torch": torch.__version__,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
