"""Two processes, started as torchrun starts them, end where one process with the same global batch ends."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import toy
from netsmith.core.errors import ConfigError, DivergedError
from netsmith.engine import checkpoint
from netsmith.engine.engine import Engine, _device
from netsmith.engine.experiment import Experiment
from netsmith.engine.hooks.ema import Ema
from netsmith.engine.ranks import Ranks

NET = toy.Net.Config(dropout=0.0, spare=True)
TABLE = toy.Table.Config(batch=33, drop_last=False, weights=True, evaluation_batch=7)
COMMON = {"precision": "fp64", "data": TABLE, "epochs": 0, "steps": 11, "checkpoint_every": 4}
CASES = {
    "supervised": toy.config(
        **COMMON,
        method=toy.Supervised.Config(model=NET),
        optimizers={"model": toy.Sgd.Config(weight_decay=0.05, schedule=toy.Decay.Config())},
        clip_norm=0.3,
        hooks=(Ema.Config(),),
    ),
    "pieces": toy.config(**COMMON, method=toy.Supervised.Config(model=NET), micro_batches=3),
    "duel": toy.duel(**COMMON, method=toy.Duel.Config(model=NET, critic=NET)),
    "closure": toy.config(
        **COMMON | {"steps": 3, "data": TABLE.derive(weights=False)},
        method=toy.Supervised.Config(model=NET),
        optimizers={"model": toy.Lbfgs.Config(max_iter=3, lr=0.1)},
    ),
}


class Poisoned(toy.Table):
    """One row is NaN, so that one rank's loss goes bad and the other's does not."""

    class Config(toy.Table.Config):
        pass

    def load(self, split, indices, *, key=None):
        batch = super().load(split, indices, key=key)
        if split == "train":
            batch.inputs[indices == 100] = float("nan")
        return batch


def work(folder):
    """What each of the two processes does."""
    torch.set_num_threads(1)
    ranks = Ranks()
    facts = {}
    for name, config in CASES.items():
        engine = Engine(Experiment(config), ranks=ranks)
        engine.fit()
        save_file(toy.weights(engine), folder / f"{name}-{ranks.rank}.safetensors")
        facts[name] = [toy.sha(engine), engine.history]
    try:
        Engine(Experiment(toy.config(data=Poisoned.Config(noise=0.0))), ranks=ranks).fit()
    except DivergedError as error:
        facts["bad"] = str(error)
    config = CASES["supervised"]
    try:
        Engine(Experiment(config), ranks=ranks, checkpoints=folder / "c", hooks=[toy.Cut(7)]).fit()
    except toy.Cut.Stop:
        ranks.gather(None)  # until rank 0 has written
    engine = Engine(Experiment(config), ranks=ranks, checkpoints=folder / f"again-{ranks.rank}")
    engine.restore(checkpoint.load_latest(folder / "c")[0])
    facts["resumed at"] = engine.step
    engine.fit()
    facts["resumed"] = [toy.sha(engine), engine.notices]
    facts["wrote"] = sorted(path.name for path in folder.glob("again-*"))
    (folder / f"{ranks.rank}.json").write_text(json.dumps(facts))
    ranks.close()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(toy.__file__).parent)])
    program = "import pathlib, sys, test_ranks; test_ranks.work(pathlib.Path(sys.argv[1]))"
    children = []
    for rank in range(2):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        environment = os.environ | place | {"MASTER_PORT": str(port), "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", program, str(folder)]
        children.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        errors = [child.communicate(timeout=180)[1] for child in children]
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0, 0], "\n".join(errors)
    return folder, [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", list(CASES))
def test_two_processes_end_where_one_does(two, name):
    folder, facts = two
    assert facts[0][name] == facts[1][name]  # bit for bit
    one = toy.engine(CASES[name])
    start = toy.weights(one)
    one.fit()
    found = load_file(folder / f"{name}-0.safetensors")
    assert toy.distance(start, found) > 0.01
    assert toy.distance(toy.weights(one), found) < 1e-10
    history = facts[0][name][1]
    assert [step for step, _ in history] == [step for step, _ in one.history]
    for (_, left), (_, right) in zip(history, one.history, strict=True):
        assert left == pytest.approx(right, abs=1e-10)
    assert torch.equal(found["model.spare"], torch.ones(3, dtype=torch.float64))


def test_both_stop_when_the_loss_of_one_goes_bad(two):
    _, facts = two
    assert all("the loss became nan at step" in one["bad"] for one in facts)
    assert any("first in the inputs of the batch" in one["bad"] for one in facts)


def test_a_resume_of_both_is_exact_and_the_first_one_writes(two):
    _, facts = two
    for one in facts:
        assert one["resumed at"] == 4
        assert one["resumed"] == [one["supervised"][0], []]
        assert one["wrote"] == ["again-0"]


def test_each_process_takes_the_gpu_of_its_place(monkeypatch):
    taken, started = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend: started.append((backend, *taken)))
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    ranks = Ranks()
    assert (ranks.rank, ranks.local, ranks.world) == (3, 1, 4)
    assert started == [("nccl", 1)]  # what is gathered before there is an engine must not meet on one GPU
    assert [_device(name, ranks) for name in ("auto", "cuda", "cpu")] == [
        torch.device("cuda", 1), torch.device("cuda", 1), torch.device("cpu"),
    ]  # fmt: skip
    assert taken == [1, 1, 1]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="process 2 of this machine has no GPU of its own: torch sees 2"):
        _device("auto", Ranks())
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert _device("auto", Ranks()) == torch.device("cuda")
