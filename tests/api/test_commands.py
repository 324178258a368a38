"""The commands that are shown can be typed: they go on with a run, or make its experiment again."""

import json
import shlex
from pathlib import Path

import pytest

import netsmith
from netsmith.api.commands import on_run, train_again
from netsmith.api.experiments import find, parse_sets
from netsmith.engine.experiment import Experiment
from netsmith.engine.run_folder import RunFolder

TWIN = {"data.twin": True}


def quiet(line):
    pass


def shown(run):
    return train_again(run.path, run.found, RunFolder(run.path).spec())


def again(command):
    """The resolved config of a command: what a person would train who typed it."""
    words = shlex.split(command)
    assert words[:2] == ["netsmith", "train"]
    rest = words[3:]
    sets = parse_sets([value for name, value in zip(rest[::2], rest[1::2], strict=True) if name == "--set"])
    code = next((value for name, value in zip(rest[::2], rest[1::2], strict=True) if name == "--code"), None)
    return Experiment(find(words[2], sets=sets, code=code).config).config


@pytest.mark.parametrize(
    ("target", "sets", "command"),
    [
        ("mlp_digits", {"epochs": 1}, "mlp_digits --set data.twin=true --set epochs=1"),
        ("mlp_digits", {"epochs": 0, "steps": 2}, "mlp_digits --set data.twin=true --set epochs=0 --set steps=2"),
        (
            "mlp_digits",
            {"epochs": 1, "evaluate_every": 3, "select": "dev/loss", "select_mode": "min", "seed": 7},
            "mlp_digits --set data.twin=true --set epochs=1 --set seed=7 --set select=dev/loss "
            "--set select_mode=min --set evaluate_every=3",
        ),
        (
            "mlp_digits",
            {"epochs": 1, "method.model.hidden": [7, 5]},
            "mlp_digits --set 'method.model.hidden=[7, 5]' --set data.twin=true --set epochs=1",
        ),
        (
            "distilled_mnist:alone",
            {"epochs": 0, "steps": 1},
            "distilled_mnist:alone --set data.twin=true --set epochs=0 --set steps=1",
        ),
        ("gan_gaussians", {"steps": 2}, "gan_gaussians --set data.twin=true --set steps=2"),
        ("a2c_cartpole", {"steps": 2}, "a2c_cartpole --set data.twin=true --set steps=2"),
    ],
)
def test_a_recipe_with_what_was_set(target, sets, command):
    run = netsmith.train(target, sets=TWIN | sets, name="x", notice=quiet)
    assert shown(run) == f"netsmith train {command}"
    assert again(shown(run)) == run.found.config


def test_what_is_long_names_the_experiment():
    optimizer = {"kind": "adamw", "lr": 0.001, "weight_decay": 0.01}
    sets = TWIN | {"epochs": 1, "optimizers.model": optimizer, "method.model.hidden": [3] * 60}
    run = netsmith.train("mlp_digits", sets=sets, name="my x", notice=quiet)
    assert shown(run) == "netsmith train 'runs/my x/experiment.json'"
    assert again(shown(run)) == run.found.config


def test_a_recipe_that_is_gone_names_the_experiment():
    run = netsmith.train("mlp_digits", sets=TWIN | {"epochs": 1}, notice=quiet)
    file = run.path / "experiment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"recipe": "no_longer_there"}))
    assert shown(netsmith.load(run.path)) == "netsmith train runs/mlp_digits/experiment.json"


def test_a_student_names_its_teacher():
    sets = TWIN | {"epochs": 0, "steps": 1, "data.batch": 8}
    teacher = netsmith.train("resnet20_fashion_mnist", sets=sets, notice=quiet)
    run = netsmith.train("student_fashion_mnist", sets=sets, teacher=teacher.path, notice=quiet)
    assert shown(run).endswith(" --teacher RUN")


def test_a_run_of_own_code_names_the_copy_in_its_folder():
    path = Path("runs/my own")
    path.mkdir(parents=True)
    assert on_run("resume", path) == "netsmith resume 'runs/my own'"
    (path / "code.py").write_text("")
    assert on_run("resume", path) == "netsmith resume 'runs/my own' --code 'runs/my own/code.py'"
