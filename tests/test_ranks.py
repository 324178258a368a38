"""torchrun: two processes give the result of one with the same global batch, for one recipe of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from netsmith.engine.engine import Engine
from netsmith.engine.ranks import Ranks
from netsmith.verify.subject import Subject
from ranks_worker import train

MLP = {"kind": "mlp", "hidden": [16]}
CASES = {
    "supervised": ("mlp_digits", {}),
    "distillation": ("distilled_mnist", {"method.teacher": MLP, "method.teacher_steps": 2}),
    "adversarial": ("gan_gaussians", {}),
    "meta": ("maml_sine", {}),
    "reinforcement": ("a2c_cartpole", {}),
    "closed_form": ("naive_bayes_digits", {}),
}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    here = Path(__file__).parent
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(here / "ranks_worker.py"), str(folder), json.dumps(CASES)]
    environment = os.environ | {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("kind", CASES)
def test_two_processes_learn_what_one_learns(kind: str, two_ranks: Path) -> None:
    alone = train(*CASES[kind])
    first, second = (load_file(two_ranks / f"{kind}-{rank}.safetensors") for rank in (0, 1))
    assert set(alone) == set(first)
    for name, wanted in alone.items():
        assert torch.equal(first[name], second[name]), f"{name} differs between the ranks"
        error = float((first[name] - wanted).abs().max()) if wanted.numel() else 0.0
        assert error <= 1e-10, f"{name} differs by {error:.1e} from the one process"


def test_batch_statistics_per_rank_are_told() -> None:
    ranks = Ranks()
    ranks.world = 2  # the engine is only built, nothing is sent
    engine = Engine(Subject.of("cnn_digits").experiment(), ranks=ranks)
    assert [line for line in engine.notices if "batch normalization" in line and "2 processes" in line]
    assert not Engine(Subject.of("mlp_digits").experiment(), ranks=ranks).notices
