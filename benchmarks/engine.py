"""Time per step of netsmith's engine against a bare PyTorch loop that does the same work in the same process.

Both take the same batches from the same source, compute the same loss, check it for NaN, and step the same optimizer;
the order of the two alternates, so that a change of the machine's clock meets both. Run: python benchmarks/engine.py
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time

import torch

from netsmith.api.experiments import find
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment


def engine_of(name: str, steps: int, changes: dict[str, object]) -> Engine:
    fields = {"data.twin": True, "epochs": 0, "steps": steps, "evaluate_every": steps, "checkpoint_every": steps}
    return Engine(Experiment(find(name).config.derive(**fields, **changes)))


def bare(engine: Engine, steps: int) -> float:
    """Run the loop anyone would write, on a fresh method of the same experiment."""
    source, model = engine.source, engine.method.product()
    config = engine.config.optimizers["model"]
    optimizer = config.build(dict(model.named_parameters()))
    loss_of = torch.nn.CrossEntropyLoss()
    channels_last = engine.config.memory_format == "channels_last"
    model.train()
    epoch, done = 0, 0
    begin = time.perf_counter()
    while done < steps:
        for indices in source.order("train", seed=0, epoch=epoch):
            batch = source.load("train", indices, key=epoch)
            inputs = batch.inputs.contiguous(memory_format=torch.channels_last) if channels_last else batch.inputs
            optimizer.zero_grad()
            loss = loss_of(model(inputs), batch.targets)
            assert math.isfinite(loss.item())
            loss.backward()
            optimizer.step()
            done += 1
            if done == steps:
                break
        epoch += 1
    return (time.perf_counter() - begin) / steps


def ours(engine: Engine, steps: int) -> float:
    begin = time.perf_counter()
    engine.fit()
    return (time.perf_counter() - begin) / steps


def compare(name: str, *, steps: int, rounds: int, changes: dict[str, object]) -> dict[str, float]:
    pairs = []
    for number in range(rounds + 1):
        calls = [("ours", ours), ("bare", bare)]
        found = {
            label: call(engine_of(name, steps, changes), steps) for label, call in calls[:: 1 if number % 2 else -1]
        }
        if number:  # the first round warms up
            pairs.append((found["ours"], found["bare"]))
    return {
        "bare_us": 1e6 * statistics.median(b for _, b in pairs),
        "overhead_us": 1e6 * statistics.median(a - b for a, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
        "rounds": rounds,
        "steps": steps,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    plain = {"data.augment": [], "data.dev": 0.0, "hooks": []}  # no dev split: nothing but steps is timed
    found = {
        "mlp_64_64_10_batch_128": compare("mlp_digits", steps=600, rounds=arguments.rounds, changes=plain),
        "resnet20_batch_128": compare("resnet20_fashion_mnist", steps=6, rounds=arguments.rounds, changes=plain),
        "threads": arguments.threads,
        "torch": torch.__version__,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
