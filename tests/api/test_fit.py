"""Data, method and settings that do not fit are refused in one line, and leave no run folder behind."""

import random
from pathlib import Path

import pytest

import netsmith
from netsmith.api import planning
from netsmith.api.planning import plan
from netsmith.core.errors import ConfigError, UserError
from netsmith.engine.hook import Hook
from own import write_table


def quiet(line):
    pass


@pytest.fixture
def files(tmp_path):
    draw = random.Random(0)
    texts = [
        [" ".join(draw.choice(["sun", "snow", "rain", "wind"]) for _ in range(12)), "ab"[n % 2]] for n in range(60)
    ]
    write_table(tmp_path / "txt.csv", ["text", "label"], texts)
    numbers = [[draw.gauss(0, 1), draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(60)]
    write_table(tmp_path / "reg.csv", ["u", "v", "target"], numbers)
    write_table(
        tmp_path / "classes.csv", ["u", "v", "w", "label"], [[*row, "ab"[n % 2]] for n, row in enumerate(numbers)]
    )
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "data", "sets", "message"),
    [
        ("a2c_cartpole", "classes.csv", {}, "actor_critic learns from rollouts, and classes.csv gives examples"),
        ("maml_sine", "reg.csv", {}, "maml learns from tasks, and reg.csv gives examples"),
        ("mlp_digits", "txt.csv", {}, "the model mlp takes image, table, series, audio or state, and the inputs of "),
        ("mlp_digits", "", {"data": "gaussian_ring", "epochs": 0, "steps": 3}, "classify answers with classes, and "),
        ("mlp_digits", "", {"data": "cartpole", "epochs": 0, "steps": 3}, "supervised learns from examples"),
        ("mlp_digits", "", {"method.task": "regress"}, "regress answers with values, and the targets of digits are"),
        ("cnn_digits", "classes.csv", {}, "the model small_cnn takes image, and the inputs of classes.csv are 'table'"),
        ("gan_gaussians", "txt.csv", {}, "the method adversarial takes image, table"),
        ("gan_gaussians", "classes.csv", {}, "the centers of the task generate have 2 coordinates"),
        ("mlp_digits", "reg.csv", {}, "give --set method.task=regress"),
        ("naive_bayes_digits", "", {"clip_norm": 1.0}, "clip_norm=1: a closed-form learner has no gradient to clip"),
        ("naive_bayes_digits", "", {"micro_batches": 3}, "micro_batches=3: a closed-form learner takes batches whole"),
        ("naive_bayes_digits", "", {"precision": "bf16"}, "precision='bf16': a closed-form learner counts in float64"),
        ("naive_bayes_digits", "", {"epochs": 3}, "epochs=3: one pass is all a closed-form learner counts"),
        ("a2c_cartpole", "", {"workers": 2}, "workers=2: cartpole is a live source, played by this process"),
        ("table_classifier", "classes.csv", {"data.twin": True}, "data.twin=true takes made-up data in place of"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_and_leaves_nothing(files, recipe, data, sets, message):
    path = files / data if data else ""
    for call in (netsmith.train, plan):
        named = {"notice": quiet} if call is netsmith.train else {}
        with pytest.raises(ConfigError) as caught:
            call(recipe, data=path, sets=sets, **named)
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert not Path("runs").exists()


class Break(Hook):
    def __init__(self, error, *, at):
        self.error, self.at = error, at

    def before_step(self, engine):
        if engine.step == self.at:
            raise self.error


@pytest.mark.parametrize("error", [AttributeError("x"), UserError("y")])
def test_an_error_before_the_first_step_leaves_no_folder(error):
    sets = {"data.twin": True, "epochs": 1}
    with pytest.raises(type(error)):
        netsmith.train("mlp_digits", sets=sets, hooks=[Break(error, at=0)], notice=quiet)
    assert not list(Path("runs").iterdir())


def test_an_error_of_ours_after_it_keeps_the_journal():
    with pytest.raises(AttributeError):
        netsmith.train(
            "mlp_digits", sets={"data.twin": True, "epochs": 1}, hooks=[Break(AttributeError(), at=2)], notice=quiet
        )
    assert (Path("runs") / "mlp_digits" / "metrics.jsonl").is_file()


# -- what a plan counts -----------------------------------------------------------------------------------------------


def test_a_plan_counts_what_is_kept_for_the_backward_pass():
    batch, hidden, classes = 64, 16, 10
    sets = {"data.twin": True, "data.batch": batch, "method.model.hidden": [hidden], "epochs": 1}
    found = plan("mlp_digits", sets=sets)
    # The batch, the hidden layer after its ReLU, the log of the softmax, the labels, and cross entropy's scalar.
    assert found["activation_bytes"] == pytest.approx(4 * batch * (64 + hidden + classes) + 8 * batch, abs=64)
    weights = 4 * (64 * hidden + hidden + hidden * classes + classes)
    assert found["memory_bytes"] >= 4 * weights + found["activation_bytes"]
    whole = plan("mlp_digits", sets=sets | {"data.batch": 2 * batch})
    assert whole["activation_bytes"] == pytest.approx(2 * found["activation_bytes"], rel=0.01)
    pieces = plan("mlp_digits", sets=sets | {"micro_batches": 4})
    apart = found["activation_bytes"] - 4 * batch * 64  # pieces are views of the batch, which stays; the rest goes
    assert pieces["activation_bytes"] - 4 * batch * 64 < 0.4 * apart


def test_activations_dominate_a_convolution():
    found = plan("cnn_digits", sets={"data.twin": True, "epochs": 1, "method.model.channels": [8]})
    assert found["activation_bytes"] > 0.9 * found["memory_bytes"]


def test_a_plan_counts_evaluations(monkeypatch):
    sets = {"data.twin": True, "epochs": 0, "steps": 100}
    assert plan("mlp_digits", sets=sets)["evaluation_seconds"] > 0
    monkeypatch.setattr(planning, "_batch_seconds", lambda engine, split: {"dev": 0.25, "test": 8.0}[split])
    rare = plan("mlp_digits", sets=sets | {"evaluate_every": 100})
    often = plan("mlp_digits", sets=sets | {"evaluate_every": 1})
    assert rare["evaluation_seconds"] == 2 * 0.25 + 8  # the twin's splits are a batch each; dev once more at the end
    assert often["evaluation_seconds"] == 101 * 0.25 + 8
    for found in (rare, often):
        steps = found["steps"] * found["step_ms"] / 1000
        assert found["eta_seconds"] == pytest.approx(steps + found["evaluation_seconds"])
