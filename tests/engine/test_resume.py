"""A run that was cut anywhere and resumed ends bit-identical to one that never was."""

import pytest
import torch

import toy
from netsmith.core.errors import CheckpointError
from netsmith.engine import checkpoint
from netsmith.engine.hooks.early_stop import EarlyStop
from netsmith.engine.hooks.ema import Ema
from netsmith.layers.initializers.lsuv import Lsuv

EXPERIMENTS = {
    "supervised": toy.config(checkpoint_every=3, select="dev/accuracy"),
    "adam": toy.config(checkpoint_every=3, optimizers={"model": toy.Adam.Config()}, clip_norm=1.0, precision="bf16"),
    "duel": toy.duel(checkpoint_every=3),
    "norm": toy.config(checkpoint_every=3, method=toy.Supervised.Config(model=toy.Net.Config(norm=True))),
    "ema": toy.config(
        checkpoint_every=3,
        select="dev/loss",
        select_mode="min",
        hooks=(Ema.Config(decay=0.8), EarlyStop.Config(patience=3, metric="dev/loss")),
    ),
    "pictures": toy.config(
        checkpoint_every=3,
        method=toy.Supervised.Config(model=toy.ConvNet.Config()),
        data=toy.Pictures.Config(),
        optimizers={"model": toy.Adam.Config()},
        hooks=(Ema.Config(),),
        memory_format="channels_last",
        micro_batches=1,
        epochs=2,
    ),
    "lsuv": toy.config(
        checkpoint_every=3,
        method=toy.Supervised.Config(model=toy.ConvNet.Config()),
        data=toy.Pictures.Config(),
        initialize=Lsuv.Config(),
        epochs=2,
    ),
    "live": toy.config(
        checkpoint_every=3, method=toy.Reach.Config(), data=toy.Track.Config(), epochs=0, steps=20, select=""
    ),
}


@pytest.fixture(scope="module")
def whole():
    """Runs that were never cut, one per experiment: (SHA-256, history, best, step, notices)."""
    found = {}

    def run(name):
        if name not in found:
            engine = toy.engine(EXPERIMENTS[name])
            engine.fit()
            found[name] = outcome(engine)
        return found[name]

    return run


def outcome(engine):
    return toy.sha(engine), engine.history, engine.best, engine.step, engine.feed.position


def cut_and_resume(config, folder, step, *, workers=(0, 0)):
    engine = toy.engine(config.derive(workers=workers[0]), checkpoints=folder, hooks=[toy.Cut(step)])
    with pytest.raises(toy.Cut.Stop):
        engine.fit()
    torch.manual_seed(step)  # a new process has another random state
    engine = toy.engine(config.derive(workers=workers[1]), checkpoints=folder)
    snapshot, notices = checkpoint.load_latest(folder)
    assert notices == []
    assert step - 3 <= snapshot.step < step
    engine.restore(snapshot)
    engine.fit()
    assert engine.notices == [] or engine.notices[0].startswith("stopped early")
    return outcome(engine)


@pytest.mark.parametrize("step", [4, 8, 9, 13, 14])
@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_a_cut_leaves_no_trace(whole, tmp_path, name, step):
    assert cut_and_resume(EXPERIMENTS[name], tmp_path, step) == whole(name)


@pytest.mark.parametrize("workers", [(0, 2), (2, 0), (2, 2)])
@pytest.mark.parametrize("name", ["supervised", "duel"])
def test_the_number_of_loader_processes_leaves_no_trace(whole, tmp_path, name, workers):
    assert cut_and_resume(EXPERIMENTS[name], tmp_path, 12, workers=workers) == whole(name)


def test_twenty_cuts_leave_no_trace(whole, tmp_path):
    config = EXPERIMENTS["supervised"]
    for step in range(4, 40, 2):
        engine = toy.engine(config, checkpoints=tmp_path, hooks=[toy.Cut(step)])
        if checkpoint.folders(tmp_path):
            engine.restore(checkpoint.load_latest(tmp_path)[0])
        with pytest.raises(toy.Cut.Stop):
            engine.fit()
    engine = toy.engine(config, checkpoints=tmp_path)
    engine.restore(checkpoint.load_latest(tmp_path)[0])
    engine.fit()
    assert outcome(engine) == whole("supervised")


def test_the_hooks_of_the_test_do_something(whole):
    """Otherwise the exact resumes above would prove little."""
    plain = toy.engine(EXPERIMENTS["ema"].derive(hooks=()))
    plain.fit()
    assert whole("ema")[0] != toy.sha(plain)
    assert len({whole(name)[0] for name in EXPERIMENTS}) == len(EXPERIMENTS)


# -- the hooks themselves ---------------------------------------------------------------------------------------------


def test_ema_is_the_recursion_of_the_paper():
    engine = toy.engine(toy.config(hooks=(Ema.Config(decay=0.7),), precision="fp64", epochs=1))
    wanted = {name: p.detach().clone() for name, p in engine.method.model.named_parameters()}
    count = 0

    def follow(running):
        nonlocal count
        count += 1
        decay = min(0.7, (1 + count) / (10 + count))
        for name, p in running.method.model.named_parameters():
            wanted[name] = decay * wanted[name] + (1 - decay) * p.detach()

    engine.hooks.append(toy.Each(follow))
    engine.fit()
    found = {name: p.detach() for name, p in engine.method.model.named_parameters()}
    assert count == 8
    assert toy.distance(found, wanted) < 1e-14


def test_ema_evaluates_the_average_and_trains_the_weights():
    plain, averaged = toy.config(), toy.config(hooks=(Ema.Config(decay=0.99),))
    one, other = toy.engine(plain), toy.engine(averaged)
    trained = {}
    one.hooks.append(toy.Each(lambda running: trained.setdefault("one", []).append(toy.sha(running))))
    other.hooks.append(toy.Each(lambda running: trained.setdefault("other", []).append(toy.sha(running))))
    one.fit()
    other.fit()
    assert trained["one"] == trained["other"]
    assert one.history != other.history
    assert other.evaluate("dev") == other.history[-1][1]


STOPS = toy.config(hooks=(EarlyStop.Config(metric="dev/accuracy", mode="max", patience=2, min_delta=1.0),))


def test_early_stop_ends_after_its_patience():
    engine = toy.engine(STOPS)
    engine.fit()
    assert engine.step == 24  # the first evaluation is the best, two more are borne
    assert engine.notices == ["stopped early at step 24: dev/accuracy has not improved for 2 evaluations"]


@pytest.mark.parametrize("with_average", [False, True])
def test_a_run_that_stopped_early_stays_stopped(tmp_path, with_average):
    config = STOPS.derive(hooks=(*STOPS.hooks, Ema.Config())) if with_average else STOPS
    engine = toy.engine(config, checkpoints=tmp_path)
    engine.fit()
    again = toy.engine(config, checkpoints=tmp_path)
    again.restore(checkpoint.load_latest(tmp_path)[0])
    assert again.step == 24
    again.fit()
    assert (again.step, toy.sha(again)) == (24, toy.sha(engine))


def test_early_stop_names_a_wrong_metric():
    with pytest.raises(ValueError) as caught:
        toy.engine(toy.config(hooks=(EarlyStop.Config(metric="dev/acuracy"),))).fit()
    assert str(caught.value) == "EarlyStop.Config.metric: no figure 'dev/acuracy'; did you mean 'dev/accuracy'?"


# -- what a resume refuses or tells -----------------------------------------------------------------------------------


def saved(tmp_path, config):
    engine = toy.engine(config, checkpoints=tmp_path)
    engine.fit()
    return checkpoint.load_latest(tmp_path)[0]


def test_another_experiment_is_refused(tmp_path):
    snapshot = saved(tmp_path, toy.config(epochs=1))
    for change in ({"seed": 1}, {"data.noise": 0.2}, {"optimizers.model.lr": 0.2}, {"micro_batches": 2}):
        with pytest.raises(CheckpointError, match="belongs to another experiment"):
            toy.engine(toy.config(epochs=1).derive(**change)).restore(snapshot)
    for change in ({"workers": 2}, {"checkpoint_every": 2}, {"device": "cpu"}):
        engine = toy.engine(toy.config(epochs=1).derive(**change))
        engine.restore(snapshot)
        assert engine.step == 8


def test_another_machine_is_told_in_one_line(tmp_path):
    snapshot = saved(tmp_path, toy.config(epochs=1))
    snapshot.facts["machine"] |= {"threads": 64, "torch": "1.0"}
    engine = toy.engine(toy.config(epochs=1))
    engine.restore(snapshot)
    threads, version = torch.get_num_threads(), torch.__version__
    assert engine.notices == [
        f"resumed, but not bit for bit: torch was 1.0, is {version}; threads was 64, is {threads}"
    ]


def test_other_shapes_and_names_are_refused(tmp_path):
    snapshot = saved(tmp_path, toy.config(epochs=1))
    engine = toy.engine(toy.config(epochs=1))
    snapshot.weights["model.a.weight"] = torch.zeros(3, 3)
    with pytest.raises(CheckpointError) as caught:
        engine.load_weights(snapshot)
    assert str(caught.value) == (
        "checkpoint step-00000008: model.a.weight has shape (3, 3), the network expects (12, 8)"
    )
    snapshot.weights = {"model.z": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"the network has no parameter 'model\.z'; another experiment wrote"):
        engine.load_weights(snapshot)
