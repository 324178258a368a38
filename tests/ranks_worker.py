"""What the processes of test_ranks.py run: train some recipes in float64 and save what each rank has learned."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from netsmith.engine import checkpoint
from netsmith.verify.subject import Subject

CHANGES = {"precision": "fp64", "steps": 4, "data.batch": 8}


def train(name: str, changes: dict[str, object]) -> dict[str, torch.Tensor]:
    """Train a recipe's twin shortly and return its parameters and buffers."""
    subject = Subject.of(name, steps=4)
    fields = type(subject.config.data).model_fields
    given = {key: value for key, value in {**CHANGES, **changes}.items() if key != "data.batch" or "batch" in fields}
    engine = subject.engine(**given)
    engine.fit()
    snapshot = engine.snapshot()
    tensors = dict(snapshot.weights)
    checkpoint.split_tensors(snapshot.states["method"], "state", tensors)
    return {key: value.clone() for key, value in tensors.items()}


if __name__ == "__main__":
    import json

    torch.set_num_threads(1)
    folder, cases = Path(sys.argv[1]), json.loads(sys.argv[2])
    for label, (name, changes) in cases.items():
        save_file(train(name, changes), folder / f"{label}-{os.environ['RANK']}.safetensors")
