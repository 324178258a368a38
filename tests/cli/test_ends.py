"""How a run ends: exit codes, interrupts, owners, damaged checkpoints; and that resume ends with the same weights."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netsmith.cli import main
from netsmith.engine.run_folder import RunFolder
from toy import fork, wait

TRAIN = "train mlp_digits --set data.twin=true --set epochs=0 --set evaluate_every=20"


def weights_of(folder: Path) -> str:
    """The SHA-256 of the weights of the last checkpoint, as its manifest tells it."""
    last = sorted((folder / "checkpoints").glob("step-*"))[-1]
    return json.loads((last / "manifest.json").read_text())["files"]["weights.safetensors"]["sha256"]


def start(command: str) -> int:
    """Start a command in a forked child (it need not import torch again); its stderr goes to a file."""

    def work() -> int:
        with Path(f"{os.getpid()}.err").open("w", buffering=1) as file:
            sys.stdout = sys.stderr = file
            return main(command.split())

    return fork(work)


def told(child: int) -> str:
    return Path(f"{child}.err").read_text()


def wait_for(child: int, *names: str) -> None:
    """Wait until one of some files is there."""
    for _ in range(30_000):
        if any(Path(name).exists() for name in names):
            return
        assert os.waitpid(child, os.WNOHANG) == (0, 0), told(child)
        time.sleep(0.002)
    raise AssertionError(f"none of {names} appeared in a minute")


# -- interrupted ------------------------------------------------------------------------------------------------------


def test_ctrl_c_and_sigkill_then_resume_end_with_the_weights_of_a_run_that_was_not_cut(netsmith):
    """One run of 600 steps is interrupted, resumed, killed, resumed; another goes through."""
    command = f"{TRAIN} --set steps=600 --name"
    child = start(f"{command} cut")
    wait_for(child, "runs/cut/checkpoints/step-00000020/manifest.json")
    os.kill(child, signal.SIGINT)
    assert wait(child) == 130, told(child)
    line = told(child).strip().splitlines()[-1]
    assert line.startswith("netsmith: stopped at step ")
    assert line.endswith("of 600; the state is saved; go on with: netsmith resume runs/cut")
    assert "Traceback" not in told(child)

    step = max(int(path.name[5:]) for path in Path("runs/cut/checkpoints").glob("step-*"))
    ahead = [f"runs/cut/checkpoints/step-{(step // 20 + n) * 20:08d}/manifest.json" for n in (1, 2, 3)]
    child = start("resume runs/cut")
    wait_for(child, *ahead)
    os.kill(child, signal.SIGKILL)
    assert wait(child) == -signal.SIGKILL
    assert not Path("runs/cut/evaluation.json").exists()

    assert netsmith("resume runs/cut").code == 0
    assert netsmith(f"{command} whole").code == 0
    assert weights_of(Path("runs/cut")) == weights_of(Path("runs/whole"))
    cut, whole = (json.loads(Path(f"runs/{name}/evaluation.json").read_text()) for name in ("cut", "whole"))
    assert cut == whole


def test_an_interrupt_before_the_first_step_is_one_line(netsmith, monkeypatch):
    from netsmith.engine import engine

    def interrupt(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine.Engine, "fit", interrupt)
        found = netsmith(f"{TRAIN} --set steps=20")
    assert (found.code, found.line) == (130, "interrupted; go on with: netsmith resume runs/mlp_digits")
    found = netsmith(f"resume {Path('runs/mlp_digits').resolve()}")
    assert found.code == 0
    assert "mlp_digits has no checkpoint yet; starting from the beginning" in found.err


def test_an_interrupt_elsewhere(monkeypatch, capsys):
    from netsmith.cli import catalogue

    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(catalogue, "list_", interrupt)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "netsmith: interrupted\n"


# -- owners -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def unfinished(netsmith):
    """A run with checkpoints at 20, 40 and 60 steps of 60, as a kill before its evaluation leaves it."""
    assert netsmith(f"{TRAIN} --set steps=60 --name half").code == 0
    Path("runs/half/evaluation.json").rename("evaluation.json")
    return Path("runs/half")


def test_one_owner(netsmith, unfinished):
    other = RunFolder.open(unfinished)
    other.own()
    found = netsmith("resume runs/half")
    assert (found.code, found.line) == (2, "half is owned by another running process; wait for it or stop it")
    other.release()
    assert netsmith("resume runs/half --json").code == 0
    assert (unfinished / "evaluation.json").read_bytes() == Path("evaluation.json").read_bytes()


def test_an_error_gives_the_folder_back(netsmith, unfinished):
    for _ in range(2):  # a lock that was kept would be told the second time
        found = netsmith("resume runs/half --code nope.py")
        assert "--code belongs to a run" in found.line
    assert netsmith("resume runs/half").code == 0


def test_two_starts_at_once_are_numbered():
    children = [start(f"{TRAIN} --set steps=20 --name same") for _ in range(2)]
    assert [wait(child) for child in children] == [0, 0], [told(child) for child in children]
    assert sorted(path.name for path in Path("runs").iterdir()) == ["same", "same-2"]
    assert weights_of(Path("runs/same")) == weights_of(Path("runs/same-2"))


# -- damaged, moved, changed ------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_passed_over(netsmith, unfinished):
    flip(unfinished / "checkpoints/step-00000060/weights.safetensors")
    found = netsmith("resume runs/half")
    assert found.code == 0
    assert (
        "step-00000060 is damaged: weights.safetensors does not match its SHA-256; using the previous one" in found.err
    )
    assert (unfinished / "evaluation.json").read_bytes() == Path("evaluation.json").read_bytes()


def test_no_whole_checkpoint_is_one_line(netsmith, unfinished):
    for file in unfinished.glob("checkpoints/*/state.json"):
        file.write_text("{}")
    for command in ("resume runs/half", "predict runs/half", "evaluate runs/half", "report runs/half"):
        found = netsmith(command, stdin=b"[]")
        assert found.code == 2
        assert "no whole checkpoint in half/checkpoints (checkpoint step-" in found.line


def test_a_moved_run_works_elsewhere(netsmith, unfinished):
    shutil.move("runs/half", "moved")
    assert netsmith("resume moved").code == 0
    assert netsmith("evaluate moved").code == 0


def test_changed_data_is_refused(netsmith, tmp_path):
    from own import write_own_data

    data = write_own_data(tmp_path / "d")
    assert netsmith("train table_classifier --data d/table.csv --set epochs=1 --name t").code == 0
    Path("runs/t/evaluation.json").unlink()
    text = (data / "table.csv").read_text()
    (data / "table.csv").write_text(text.replace("red", "pink"))
    for command in ("resume runs/t", "evaluate runs/t"):
        assert netsmith(command).line == "the data is no longer what the run was trained on: its schema changed"
    (data / "table.csv").write_text("\n".join(text.splitlines()[:-5]))
    line = netsmith("resume runs/t").line
    assert line.startswith("the data is no longer what the run was trained on: the split train had 48 examples and has")


# -- exit codes -------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_a_number_keeps_the_last_checkpoint(netsmith):
    sets = '--set steps=60 --set optimizers.model={"kind":"sgd","lr":1e18} --set evaluate_every=1'
    found = netsmith(f"{TRAIN.replace('--set evaluate_every=20', '')} --name bad", *sets.split())
    assert found.code == 4
    assert "the loss became " in found.line
    assert "first in " in found.line
    assert found.line.endswith("(run folder: runs/bad)")
    kept = sorted(Path("runs/bad/checkpoints").glob("step-*/manifest.json"))
    assert kept
    assert not Path("runs/bad/evaluation.json").exists()
    found = netsmith("predict runs/bad", stdin=json.dumps([[[0] * 8] * 8]).encode())
    assert "bad is not finished" in found.err


def test_a_missing_extra_tells_the_line_that_mends_it(netsmith, runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    found = netsmith(f"export {runs}/table -o x.onnx")
    assert (found.code, found.line) == (3, "onnx is not installed; mend it with: pip install 'netsmith[export]'")
    assert not Path("x.onnx").exists()


def test_a_proof_that_fails(netsmith, runs, monkeypatch):
    from netsmith.core.errors import ProofError
    from netsmith.workflows import shipping

    def fail(*_, **__):
        raise ProofError("the file differs")

    monkeypatch.setattr(shipping, "export_run", fail)
    assert netsmith(f"export {runs}/table")[::2] == (5, "netsmith: the file differs\n")


def test_a_bug_is_told_as_one(netsmith, monkeypatch):
    from netsmith.api import catalogue

    monkeypatch.setattr(catalogue, "list_recipes", lambda: 1 / 0)
    code, _, err = netsmith("list")
    assert code == 1
    assert "ZeroDivisionError" in err
    assert err.endswith("this is a bug of netsmith (ZeroDivisionError); please report it with the lines above\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "runs"), "runs: Permission denied"),
        (MemoryError(), "not enough memory; take a smaller network or fewer examples at once"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
    ],
)
def test_what_the_machine_refuses_is_no_bug(netsmith, monkeypatch, error, line):
    from netsmith.api import catalogue

    def refuse():
        raise error

    monkeypatch.setattr(catalogue, "list_recipes", refuse)
    found = netsmith("list")
    assert found.code == 2
    assert found.line.startswith(line)


def test_a_root_that_cannot_be_made(netsmith):
    Path("runs").write_text("a file")
    found = netsmith(f"{TRAIN} --set steps=1")
    assert found.code == 2
    assert "cannot make the run folder runs/mlp_digits" in found.line


def test_a_reader_that_goes_away(tmp_path):
    command = f"{sys.executable} -m netsmith list --json | head -c 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert (result.stdout, result.stderr) == ("[", "")


def test_verify_names_what_it_does_not_know(netsmith):
    assert "no recipe named 'lenet5_mnis'; did you mean 'lenet5_mnist'" in netsmith("verify lenet5_mnis").line
    assert netsmith("verify").line == "verify: give recipe names, or --all for every recipe"
    assert "--seeds: expected numbers such as 0,1,2" in netsmith("verify mlp_digits --level 3 --seeds x").line
