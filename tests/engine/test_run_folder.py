"""A run's folder has one owner and is never overwritten; its journal forgets what a resume takes back; Ctrl-C saves."""

import json
import os
import signal
import threading

import pytest

import toy
from netsmith.core.errors import InterruptedRun, RunError
from netsmith.engine import checkpoint
from netsmith.engine.hooks.journal import Journal, read_journal
from netsmith.engine.run_folder import RunFolder, environment

# -- the folder -------------------------------------------------------------------------------------------------------


def test_names_are_numbered_and_nothing_is_overwritten(tmp_path):
    first = RunFolder.create(tmp_path / "runs", "toy")
    first.write("experiment.json", {"a": 1})
    (tmp_path / "runs" / "toy-3").write_text("a file in the way")
    names = [RunFolder.create(tmp_path / "runs", "toy").name for _ in range(3)]
    assert names == ["toy-2", "toy-4", "toy-5"]
    assert RunFolder.open(first.path).read("experiment.json") == {"a": 1}
    assert first.checkpoints == tmp_path / "runs" / "toy" / "checkpoints"


def test_what_is_not_a_run_folder_is_told(tmp_path):
    RunFolder.create(tmp_path, "mine")
    with pytest.raises(RunError, match=r"min is not a run folder: it does not exist$"):  # mine is none either
        RunFolder.open(tmp_path / "min")
    with pytest.raises(RunError, match=r"mine is not a run folder: it has no experiment\.json$"):
        RunFolder.open(tmp_path / "mine")
    (tmp_path / "plain").write_text("")
    with pytest.raises(RunError, match=r"cannot make the run folder .*: Not a directory"):
        RunFolder.create(tmp_path / "plain", "x")


def test_only_runs_are_offered_the_nearest_first(tmp_path):
    for name in ("zebra", "lenet5_mnist", "lenet5_mnist-2", "a", "b", "c", "d"):
        RunFolder.create(tmp_path, name).write("experiment.json", {})
    (tmp_path / "lenet5_mnis").mkdir()
    with pytest.raises(RunError) as caught:
        RunFolder.open(tmp_path / "lenet5_mnit")
    names = str(caught.value).partition("there are the runs: ")[2].split(", ")
    assert names[:2] == ["lenet5_mnist", "lenet5_mnist-2"]
    assert len(names) == 5
    assert "lenet5_mnis" not in names


def test_a_file_of_a_run_is_not_its_folder(tmp_path):
    run = RunFolder.create(tmp_path, "x")
    run.write("experiment.json", {})
    with pytest.raises(RunError) as caught:
        RunFolder.open(run.path / "experiment.json")
    assert str(caught.value) == (
        f"{run.path}/experiment.json is not a run folder: it is a file; give the folder: {run.path}"
    )
    (tmp_path / "plain").write_text("")
    with pytest.raises(RunError, match=r"plain is not a run folder: it is a file; expected the folder that training"):
        RunFolder.open(tmp_path / "plain")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected 'step' (int), got nothing"),
        ("[]", "expected an object, got []"),
        ("null", "expected an object, got None"),
        ('{"step": "1", "figures": {}}', "expected 'step' (int), got '1'"),
        ('{"step": true, "figures": {}}', "expected 'step' (int), got True"),
        ('{"step": 1}', "expected 'figures' (dict), got nothing"),
        ('{"step": -1, "figures": {}}', "it has a step that is negative"),
        ('{"step": 1, "figures": {"a": null, "b": "x"}}', "it has a figure 'b' that is no number"),
        ("{", "is not JSON"),
    ],
)
def test_a_damaged_evaluation_is_named(tmp_path, text, message):
    run = RunFolder.create(tmp_path, "x")
    assert run.evaluation() is None
    (run.path / "evaluation.json").write_text(text)
    with pytest.raises(RunError) as caught:
        run.evaluation()
    assert str(caught.value).startswith("x/evaluation.json is ")
    assert message in str(caught.value)
    assert str(caught.value).endswith("; remove the file and resume the run to have it written anew")


def test_one_owner_at_a_time(tmp_path):
    run = RunFolder.create(tmp_path, "toy")

    def other():
        try:
            RunFolder(run.path).own()
        except RunError as error:
            wanted = "toy is owned by another running process; wait for it or stop it"
            return 7 if str(error) == wanted else 8
        return 0

    assert toy.wait(toy.fork(other)) == 7
    run.release()
    assert toy.wait(toy.fork(other)) == 0
    run.own()  # the child has ended, and its lock with it
    run.release()


def test_a_killed_owner_leaves_no_lock(tmp_path):
    path = tmp_path / "toy"
    path.mkdir()
    ready, tell = os.pipe()

    def hold():
        RunFolder(path).own()
        os.write(tell, b"x")
        threading.Event().wait(60)

    child = toy.fork(hold)
    assert os.read(ready, 1) == b"x"
    with pytest.raises(RunError, match="owned by another running process"):
        RunFolder(path).own()
    os.kill(child, signal.SIGKILL)
    assert toy.wait(child) == -signal.SIGKILL
    RunFolder(path).own()


def test_many_starts_at_once_get_a_folder_each(tmp_path):
    gate, open_gate = os.pipe()

    def start():
        os.close(open_gate)
        os.read(gate, 1)  # returns for all of them when the parent closes its end
        run = RunFolder.create(tmp_path, "toy")
        run.write("experiment.json", {"owner": os.getpid()})

    children = [toy.fork(start) for _ in range(8)]
    os.close(open_gate)
    assert [toy.wait(child) for child in children] == [0] * 8
    os.close(gate)
    owners = {RunFolder.open(path).read("experiment.json")["owner"] for path in tmp_path.iterdir()}
    assert owners == set(children)


def test_the_environment_names_no_place():
    found = environment({"seed": 3})
    text = json.dumps(found)
    assert found["seed"] == 3
    assert found["versions"]["torch"].startswith("2.")
    assert os.uname().nodename not in text
    assert os.getcwd() not in text  # noqa: PTH109


# -- the journal ------------------------------------------------------------------------------------------------------


def run(folder, *, hooks=(), restore=False):
    journal = Journal(folder / "metrics.jsonl", every=4)
    engine = toy.engine(toy.config(checkpoint_every=6), checkpoints=folder / "c", hooks=[journal, *hooks])
    if restore:
        engine.restore(checkpoint.load_latest(folder / "c")[0])
    engine.fit()
    return engine


def lines(folder):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in read_journal(folder / "metrics.jsonl")]


def test_the_journal_holds_means_and_evaluations(tmp_path):
    losses = []

    class Keep(toy.Each):
        def after_step(self, engine, logs):
            losses.append(logs["loss"])

    engine = run(tmp_path, hooks=[Keep(None)])
    found = lines(tmp_path)
    training = [line for line in found if "loss" in line]
    assert [line["step"] for line in training] == list(range(4, 41, 4))
    for number, line in enumerate(training):
        assert line["loss"] == pytest.approx(sum(losses[4 * number : 4 * number + 4]) / 4, abs=1e-12)
    assert [(line.pop("step"), line) for line in found if "dev/loss" in line] == engine.history
    seconds = [line["seconds"] for line in read_journal(tmp_path / "metrics.jsonl")]
    assert seconds == sorted(seconds)


def test_a_resume_takes_back_what_was_not_saved(tmp_path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    run(tmp_path / "whole")
    with pytest.raises(toy.Cut.Stop):
        run(tmp_path / "cut", hooks=[toy.Cut(17)])  # saved at 12; the lines of 16 are not in the checkpoint
    assert lines(tmp_path / "cut")[-1]["step"] == 16
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 17, "loss": 0.')  # the process died while it wrote
    run(tmp_path / "cut", restore=True)
    assert lines(tmp_path / "cut") == lines(tmp_path / "whole")


def test_a_damaged_journal_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_journal(path) == []
    path.write_bytes(b'{"step": 1}\n\xff\xfe\n[1]\n{"step": "2"}\n\n{"step": 3, "loss": null}\n{"step": 4')
    assert read_journal(path) == [{"step": 1}, {"step": 3, "loss": None}]


# -- Ctrl-C -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 0), (signal.SIGINT, 2), (signal.SIGTERM, 2)])
def test_an_interrupt_saves_and_the_resume_is_exact(tmp_path, number, workers):
    config = toy.config(steps=160, epochs=0, evaluate_every=40, workers=workers)
    ready, tell = os.pipe()

    def train():
        engine = toy.engine(config, checkpoints=tmp_path)
        engine.hooks.append(toy.Each(lambda running: os.write(tell, b"x") if running.step == 3 else None))
        engine.hooks.append(toy.Each(lambda running: threading.Event().wait(0.01)))
        try:
            engine.fit()
        except InterruptedRun as error:
            wanted = f"stopped at step {engine.step} of 160; the state is saved"
            return error.exit_code if str(error) == wanted else 1
        return 0

    child = toy.fork(train)
    assert os.read(ready, 1) == b"x"
    os.kill(child, number)
    assert toy.wait(child) == 130
    snapshot, notices = checkpoint.load_latest(tmp_path)
    assert notices == []
    assert 3 <= snapshot.step < 160
    again, whole = toy.engine(config.derive(workers=0)), toy.engine(config.derive(workers=0))
    again.restore(snapshot)
    again.fit()
    whole.fit()
    assert (toy.sha(again), again.history) == (toy.sha(whole), whole.history)


def test_a_second_interrupt_stops_at_once_and_the_handlers_come_back(tmp_path):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    engine = toy.engine(toy.config(), checkpoints=tmp_path)

    def twice(running):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    engine.hooks.append(toy.Each(twice))
    with pytest.raises(KeyboardInterrupt):
        engine.fit()
    assert engine.step == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_training_in_a_thread_leaves_signals_alone():
    engine = toy.engine(toy.config(epochs=1))
    thread = threading.Thread(target=engine.fit)
    thread.start()
    thread.join(60)
    assert engine.step == 8
