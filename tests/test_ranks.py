"""torchrun: two processes give the result of one with the same global batch, for one recipe of every kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from netsmith.core.files import sha256_of
from netsmith.engine.engine import Engine
from netsmith.engine.ranks import Ranks
from netsmith.verify.subject import Subject
from ranks_worker import train

MLP = {"kind": "mlp", "hidden": [16]}
CASES = {
    "supervised": ("mlp_digits", {}),
    "sharpness": ("mlp_digits", {"optimizers.model": {"kind": "sam", "inner": {"kind": "sgd", "lr": 0.1}}}),
    "distillation": (
        "distilled_mnist",
        {"method.teacher": MLP, "method.teacher_steps": 2, "optimizers.teacher": {"kind": "adam"}},
    ),
    "contrast": (  # each rank moves the memory of its own examples
        "distilled_mnist",
        {
            "method": {
                "kind": "crd",
                "model": MLP,
                "teacher": MLP,
                "task": {"kind": "classify"},
                "teacher_layer": "hidden",
                "student_layer": "hidden",
                "size": 8,
                "negatives": 16,
                "teacher_steps": 1,
            },
            "optimizers.teacher": {"kind": "adam"},
        },
    ),
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


def torchrun(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "netsmith"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, *arguments], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def rank_process(parent: int, rank: int) -> int:
    """Return the process of a rank among the children of torchrun."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent
            if ours and f"RANK={rank}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:
            continue  # it has ended meanwhile
    raise AssertionError(f"torchrun has no rank {rank}")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the rank's process in /proc")
def test_an_interrupted_run_and_a_killed_rank_end_with_the_same_weights(tmp_path: Path) -> None:
    steps = 200
    sets = {"data.twin": "true", "epochs": "0", "steps": str(steps), "evaluate_every": str(steps)}
    sets |= {"checkpoint_every": "20", "data.batch": "16"}
    arguments = [
        "train",
        "mlp_digits",
        *(part for name, value in sets.items() for part in ("--set", f"{name}={value}")),
    ]

    def saved(name: str) -> list[int]:
        found = (tmp_path / "runs" / name / "checkpoints").glob("step-*/manifest.json")
        return sorted((int(file.parent.name[5:]) for file in found), reverse=True) or [0]

    def stop(run: subprocess.Popen[str], *, after: int, how: Callable[[], None]) -> str:
        until = time.monotonic() + 90
        while saved("cut")[0] < after and time.monotonic() < until:
            time.sleep(0.002)
        how()
        output, _ = run.communicate(timeout=120)
        assert run.returncode != 0
        assert after <= saved("cut")[0] < steps, output[-3000:]
        return output

    whole = torchrun(*arguments, "--name", "whole", cwd=tmp_path)
    output, _ = whole.communicate(timeout=120)
    assert whole.returncode == 0, output[-3000:]

    run = torchrun(*arguments, "--name", "cut", cwd=tmp_path)
    output = stop(run, after=20, how=lambda: run.send_signal(signal.SIGINT))
    assert "the state is saved" in output
    assert "netsmith resume runs/cut" in output

    run = torchrun("resume", "runs/cut", cwd=tmp_path)
    stop(run, after=80, how=lambda: os.kill(rank_process(run.pid, 1), signal.SIGKILL))

    run = torchrun("resume", "runs/cut", cwd=tmp_path)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output[-3000:]
    files = [tmp_path / f"runs/{name}/checkpoints/step-{steps:08d}/weights.safetensors" for name in ("whole", "cut")]
    assert sha256_of(files[0]) == sha256_of(files[1])
