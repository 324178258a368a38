"""The loop: settings are honoured, figures exact, the best and the last two checkpoints kept."""

import pytest
import torch

import toy
from netsmith.core.errors import ConfigError, RunError, UnsupportedError
from netsmith.engine import checkpoint
from netsmith.engine.hook import Hook


def test_it_learns():
    engine = toy.engine(toy.config(epochs=10))
    engine.fit()
    assert engine.step == 80
    assert engine.history[-1][1]["dev/accuracy"] >= 0.8  # chance is 0.25
    assert [step for step, _ in engine.history] == list(range(8, 81, 8))


def test_too_many_loader_processes_are_refused():
    with pytest.raises(ConfigError, match=r"^workers=5000: expected at most \d+ loader processes on this machine$"):
        toy.engine(toy.config(workers=5000))


def test_the_last_step_is_always_evaluated():
    engine = toy.engine(toy.config(steps=11, epochs=0, evaluate_every=4))
    engine.fit()
    assert [step for step, _ in engine.history] == [4, 8, 11]


def test_same_seed_same_run_another_seed_another():
    runs = [toy.engine(toy.config(seed=seed, epochs=1)) for seed in (0, 0, 1)]
    for run in runs:
        run.fit()
    assert toy.sha(runs[0]) == toy.sha(runs[1]) != toy.sha(runs[2])


def test_figures_do_not_depend_on_the_batch_size():
    found = []
    for size in (1, 7, 25, 60, 999):
        config = toy.config(precision="fp64", data=toy.Table.Config(evaluation_batch=size), epochs=1)
        engine = toy.engine(config)
        engine.fit()
        found.append(engine.evaluate("dev"))
    for other in found[1:]:
        assert other["dev/accuracy"] == found[0]["dev/accuracy"]
        assert other["dev/loss"] == pytest.approx(found[0]["dev/loss"], abs=1e-12)


def test_an_evaluation_changes_nothing():
    norm = toy.Supervised.Config(model=toy.Net.Config(norm=True))
    plain, watched = toy.engine(toy.config(method=norm)), toy.engine(toy.config(method=norm))
    watched.hooks.append(toy.Each(lambda running: running.evaluate("train")))
    plain.fit()
    watched.fit()
    assert toy.sha(plain) == toy.sha(watched)
    assert watched.method.training
    extra = {"mine": watched.method.metrics()["accuracy"]}
    found = watched.evaluate("dev", extra=extra)
    assert set(found) == {"dev/accuracy", "dev/loss"}
    assert extra["mine"].compute() == found["dev/accuracy"]
    with pytest.raises(ConfigError, match=r"the data has no split 'den'; did you mean 'dev'\?$"):
        watched.evaluate("den")


# -- settings ---------------------------------------------------------------------------------------------------------


def watch(config):
    """Run one epoch; return what the first layer saw and gave: (training, input type, output type, layout)."""
    engine = toy.engine(config)
    seen = set()
    layer = engine.method.model.get_submodule("a" if hasattr(engine.method.model, "a") else "conv")

    def look(module, inputs, output):
        last = inputs[0].dim() == 4 and inputs[0].is_contiguous(memory_format=torch.channels_last)
        seen.add((module.training, inputs[0].dtype, output.dtype, last))

    layer.register_forward_hook(look)
    engine.fit()
    return engine, seen


def test_precision_is_honoured():
    full, seen = watch(toy.config(epochs=1))
    assert seen == {(True, torch.float32, torch.float32, False), (False, torch.float32, torch.float32, False)}
    double, seen = watch(toy.config(epochs=1, precision="fp64"))
    assert seen == {(True, torch.float64, torch.float64, False), (False, torch.float64, torch.float64, False)}
    half, seen = watch(toy.config(epochs=1, precision="bf16"))
    assert seen == {(True, torch.float32, torch.bfloat16, False), (False, torch.float32, torch.float32, False)}
    for engine, kind in ((full, torch.float32), (double, torch.float64), (half, torch.float32)):
        assert {p.dtype for p in engine.method.parameters()} == {kind}
    assert 0 < toy.distance(toy.weights(full), toy.weights(half)) < 0.05


def test_the_memory_format_is_honoured_and_changes_no_result():
    pictures = {
        "method": toy.Supervised.Config(model=toy.ConvNet.Config()),
        "data": toy.Pictures.Config(),
        "epochs": 1,
        "precision": "fp64",
    }
    plain, seen = watch(toy.config(**pictures))
    assert {layout for *_, layout in seen} == {False}
    last, seen = watch(toy.config(**pictures, memory_format="channels_last"))
    assert {layout for *_, layout in seen} == {True}
    assert last.method.model.deep.weight.is_contiguous(memory_format=torch.channels_last)
    assert not plain.method.model.deep.weight.is_contiguous(memory_format=torch.channels_last)
    assert toy.distance(toy.weights(plain), toy.weights(last)) < 1e-12


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_refused():
    assert toy.engine(toy.config()).device.type == "cpu"
    with pytest.raises(ConfigError, match="device='cuda', but this torch sees no GPU; use device='auto' or 'cpu'"):
        toy.engine(toy.config(device="cuda"))


def test_deterministic_algorithms_during_the_run_only():
    seen = []
    engine = toy.engine(toy.config(epochs=1))
    engine.hooks.append(toy.Each(lambda running: seen.append(torch.are_deterministic_algorithms_enabled())))
    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    engine.fit()
    assert set(seen) == {True}
    assert (torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory) == before


def test_a_method_that_does_not_act_says_so():
    with pytest.raises(UnsupportedError, match="Supervised does not act; use a source with a fixed set of examples"):
        toy.engine(toy.config()).method.act(torch.zeros(1), torch.zeros(1))


# -- hooks ------------------------------------------------------------------------------------------------------------


class Note(Hook):
    def __init__(self, order, name, calls):
        self.order, self.label, self.calls = order, name, calls

    def start(self, engine):
        self.calls.append(f"{self.label} start")

    def before_step(self, engine):
        self.calls.append(f"{self.label} before {engine.step}")

    def after_step(self, engine, logs):
        assert set(logs) == {"loss"}
        self.calls.append(f"{self.label} after {engine.step}")

    def evaluate(self, engine, run):
        self.calls.append(f"{self.label} evaluate")
        try:
            return run()
        finally:
            self.calls.append(f"{self.label} evaluated")

    def apply(self, engine):
        self.calls.append(f"{self.label} apply")

    def end(self, engine):
        self.calls.append(f"{self.label} end")


def test_hooks_run_in_their_order_at_their_points():
    calls = []
    engine = toy.engine(toy.config(steps=1, epochs=0), hooks=[Note(70, "b", calls), Note(10, "a", calls)])
    engine.fit()
    wanted = "a start|b start|a before 0|b before 0|a after 1|b after 1"
    wanted += "|a evaluate|b evaluate|b evaluated|a evaluated|a apply|b apply|a end|b end"
    assert calls == wanted.split("|")


def test_a_hook_can_stop_the_run():
    engine = toy.engine(toy.config())
    engine.hooks.append(toy.Each(lambda running: running.stop("enough") if running.step == 5 else None))
    engine.fit()
    assert (engine.step, engine.notices) == (5, ["stopped early at step 5: enough"])


# -- checkpoints ------------------------------------------------------------------------------------------------------


def scripted(values, **changes):
    """An engine whose dev figures are ``values``, one per evaluation."""
    engine = toy.engine(toy.config(steps=len(values), epochs=0, evaluate_every=1, select="dev/score", **changes))
    left = iter(values)
    engine.evaluate = lambda split, extra=None: {"dev/score": next(left)}
    return engine


@pytest.mark.parametrize(
    ("values", "mode", "best", "kept"),
    [
        ([0.1, 0.9, 0.3, 0.4, 0.5], "max", 2, [5, 4, 2]),
        ([0.1, 0.9, 0.3, 0.4, 0.5], "min", 1, [5, 4, 1]),
        ([0.5, 0.5, 0.5], "max", 1, [3, 2, 1]),  # a tie keeps the first
        ([0.1, 0.2, 0.3, 0.4], "max", 4, [4, 3]),
        ([0.1, 0.2, 0.3, 0.9, 0.4], "max", 4, [5, 4]),
        ([float("nan"), 0.2, float("nan"), 0.1, 0.1, 0.1], "max", 2, [6, 5, 2]),
        ([float("nan")] * 4, "max", None, [4, 3]),
        ([float("-inf"), 0.1, 0.0], "max", 2, [3, 2]),
    ],
)
def test_the_best_and_the_last_two_are_kept(tmp_path, values, mode, best, kept):
    engine = scripted(values, select_mode=mode, checkpoint_every=1)
    engine.checkpoints = tmp_path
    engine.fit()
    assert (engine.best and engine.best[1]) == best
    assert [int(path.name[5:]) for path in checkpoint.folders(tmp_path)] == kept
    assert len(list(tmp_path.iterdir())) == len(kept)
    snapshot, _ = checkpoint.load_latest(tmp_path)
    again = scripted(values, select_mode=mode, checkpoint_every=1)
    again.restore(snapshot)
    assert (again.best, str(again.history)) == (engine.best, str(engine.history))


def test_a_best_step_between_two_checkpoints_is_saved(tmp_path):
    engine = scripted([0.1, 0.9, 0.3, 0.4, 0.5, 0.4, 0.3], checkpoint_every=5)
    engine.checkpoints = tmp_path
    engine.fit()
    assert [int(path.name[5:]) for path in checkpoint.folders(tmp_path)] == [7, 5, 2]
    assert checkpoint.load(tmp_path / "step-00000002").states["best"] == [0.9, 2]


def test_an_unknown_figure_is_named():
    with pytest.raises(ConfigError, match=r"select: no figure 'dev/acc'; did you mean 'dev/accuracy'\?$"):
        toy.engine(toy.config(select="dev/acc", epochs=1)).fit()


def test_a_checkpoint_holds_parameters_buffers_and_what_nobody_trains(tmp_path):
    method = toy.Supervised.Config(model=toy.Net.Config(norm=True))
    engine = toy.engine(toy.config(method=method, epochs=1), checkpoints=tmp_path)
    engine.fit()
    again = toy.engine(toy.config(method=method, epochs=1, seed=0))
    again.method.model.norm.running_mean.fill_(7)
    again.load_weights(checkpoint.load_latest(tmp_path)[0])
    assert toy.sha(again) == toy.sha(engine)
    frozen = toy.duel(epochs=0, steps=2)
    one = toy.engine(frozen)
    one.method.register_parameter("teacher", torch.nn.Parameter(torch.ones(2)))
    assert torch.equal(one.method.state()["buffers"]["teacher"], torch.ones(2))


def test_a_full_disk_during_the_run_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    config = toy.config(checkpoint_every=3)
    engine = toy.engine(config, checkpoints=tmp_path)

    def fill(running):
        if running.step == 8:
            monkeypatch.setattr("netsmith.core.files.os.replace", full)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    engine.hooks.append(toy.Each(fill))
    with pytest.raises(RunError, match=r"could not write weights.safetensors: No space left on device; what was saved"):
        engine.fit()
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000003", "step-00000006"]
    again, whole = toy.engine(config, checkpoints=tmp_path), toy.engine(config)
    again.restore(checkpoint.load_latest(tmp_path)[0])
    assert again.step == 6
    again.fit()
    whole.fit()
    assert toy.sha(again) == toy.sha(whole)
