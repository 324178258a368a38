"""A writer that is killed at any moment leaves a state that can be read, and loses at most one interval."""

import os
import random
import select
import signal
import struct
import sys
import time

import pytest
import torch

import toy
from netsmith.engine import checkpoint
from netsmith.engine.checkpoint import Snapshot

KILLS = 500
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.listdir", "os.scandir")


def snapshot(step):
    value = float(step)
    return Snapshot(
        step=step,
        weights={"w": torch.full((64, 16), value), "b": torch.full((3,), value)},
        optimizer={"model/w/momentum_buffer": torch.full((64, 16), -value)},
        states={"position": step, "method": {"buffers": {"n": torch.tensor(step)}}},
    )


def whole(found):
    wanted = snapshot(found.step)
    assert torch.equal(found.weights["w"], wanted.weights["w"])
    assert torch.equal(found.optimizer["model/w/momentum_buffer"], wanted.optimizer["model/w/momentum_buffer"])
    assert int(found.states["method"]["buffers"]["n"]) == found.states["position"] == found.step
    return True


def write_on(root, step, tell):
    """Save without a pause, as the engine does: the last two are kept; tell each step that is safe."""
    while True:
        step += 1
        checkpoint.save(root, snapshot(step))
        os.write(tell, struct.pack("<q", step))
        checkpoint.keep(root, checkpoint.folders(root)[:2])


def test_five_hundred_kills_while_saving(tmp_path):
    draw = random.Random(0)
    checkpoint.save(tmp_path, snapshot(1))
    begin = time.perf_counter()
    for step in range(2, 12):
        checkpoint.save(tmp_path, snapshot(step))
        checkpoint.keep(tmp_path, checkpoint.folders(tmp_path)[:2])
    duration = (time.perf_counter() - begin) / 10
    safe, unfinished, saved = 11, 0, 0
    for _ in range(KILLS):
        hear, tell = os.pipe()
        child = toy.fork(lambda start=safe, tell=tell: write_on(tmp_path, start, tell))
        os.close(tell)
        told = b""
        for _ in range(draw.randrange(3)):
            told += os.read(hear, 8)
        wait_for_start(tmp_path, safe + 1, hear)
        time.sleep(draw.random() * 3 * duration)
        os.kill(child, signal.SIGKILL)
        assert toy.wait(child) == -signal.SIGKILL
        told = steps(told, hear)
        found, notices = checkpoint.load_latest(tmp_path)
        assert whole(found)
        assert notices == []
        last = told[-1] if told else safe
        assert last <= found.step <= last + 1  # nothing that was said to be safe is lost
        names = {path.name for path in tmp_path.glob("step-*")}
        unfinished += f"step-{found.step + 1:08d}" in names
        saved += len(told)
        safe = found.step
    assert unfinished > KILLS / 5  # the kills did hit in the midst of saving
    assert saved > KILLS / 2
    checkpoint.keep(tmp_path, checkpoint.folders(tmp_path)[:2])
    assert len(list(tmp_path.iterdir())) == 2


def wait_for_start(root, step, hear):
    """Wait until the child has begun to write ``step`` (or has told of it already)."""
    folder = root / f"step-{step:08d}"
    deadline = time.perf_counter() + 30
    while not folder.exists() and not select.select([hear], [], [], 0)[0]:
        assert time.perf_counter() < deadline
        time.sleep(0.0002)


def steps(content, hear):
    while piece := os.read(hear, 65536):
        content += piece
    os.close(hear)
    return [step for (step,) in struct.iter_unpack("<q", content)]


@pytest.mark.parametrize("again", [False, True], ids=["new", "same step again"])
def test_a_kill_before_each_operation_on_the_file_system(tmp_path, again):
    """Systematic, where the test above is random: the writer ends itself at its n-th operation."""
    for number in range(1, 200):
        root = tmp_path / str(number)
        for step in (1, 2, 3) if again else (1, 2):
            checkpoint.save(root, snapshot(step))

        def work(root=root, number=number):
            left = [number]

            def watch(event, arguments):
                if event in EVENTS and str(root) in str(arguments[0]):
                    left[0] -= 1
                    if not left[0]:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            checkpoint.save(root, snapshot(3))
            checkpoint.keep(root, checkpoint.folders(root)[:2])

        code = toy.wait(toy.fork(work))
        found, notices = checkpoint.load_latest(root)
        assert whole(found)
        assert found.step in (2, 3)
        assert notices == [] or again
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert found.step == 3
    assert number > 15  # so many operations were met, one after the other
