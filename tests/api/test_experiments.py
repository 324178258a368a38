"""Experiments from files: the user's own code runs only when asked and unchanged; JSON never runs anything."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

import netsmith
from netsmith.api.experiments import find, load_code, parse_sets, read_experiment, write_form
from netsmith.cli import main
from netsmith.core.errors import ConfigError, RunError

MINE = '''"""A network of my own."""

import torch
from torch import nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

print("EXECUTED")


class MyNet(nn.Module):
    class Config(ModelConfig):
        width: int = 8
        num_classes: int | Auto = AUTO

    def __init__(self, config):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, config.width), nn.ReLU(),
                                    nn.Linear(config.width, config.num_classes))

    def forward(self, x):
        return self.layers(x)


experiment = Experiment.Config(
    method=Supervised.Config(model=MyNet.Config(), task=Classify.Config()),
    data=Digits.Config(twin=True),
    optimizers={"model": SGD.Config(lr=0.1)},
    epochs=1,
)
'''

OWN_RECIPE = """
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

experiment = Experiment.Config(
    method=Supervised.Config(model=MLP.Config(hidden=(16,)), task=Classify.Config()),
    data=Digits.Config(twin=True),
    optimizers={"model": SGD.Config(lr=0.1)},
    epochs=1,
)
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    yield path
    for name in [name for name in sys.modules if name.startswith("netsmith_code_")]:
        del sys.modules[name]


def forget():
    """Forget the user's modules, as a new process would."""
    for name in [name for name in sys.modules if name.startswith("netsmith_code_")]:
        del sys.modules[name]


def quiet(line):
    pass


# -- the user's own recipe file ---------------------------------------------------------------------------------------


def test_a_recipe_file_with_its_own_model(mine):
    run = netsmith.train(mine, sets={"method.model.width": 5}, notice=quiet)
    folder = Path("runs/mine")
    assert (folder / "code.py").read_bytes() == mine.read_bytes()
    saved = json.loads((folder / "experiment.json").read_text())
    assert saved["code"] == {"file": "mine.py", "sha256": hashlib.sha256(mine.read_bytes()).hexdigest()}
    assert saved["experiment"]["method"]["model"] == {"kind": "mynet", "width": 5, "num_classes": 10}
    assert run.network.measure()["parameters"] == 64 * 5 + 5 + 5 * 10 + 10
    assert not list(Path().rglob("*.pyc"))


def test_a_run_of_own_code_is_begun_with_and_teaches(mine, tmp_path):
    start = netsmith.train(mine, notice=quiet)
    sets = {"data.twin": True, "epochs": 1}
    with pytest.raises(RunError, match="needs it: --code FILE"):
        netsmith.train("mlp_digits", start=start.path, sets=sets, notice=quiet)
    said = []
    for target in ("mlp_digits", mine, start.path / "experiment.json"):
        run = netsmith.train(target, start=start.path, code=mine, sets=sets, name="tuned", notice=said.append)
        assert "begins with 2 of 2 layers of mine" in " ".join(said)
        said.clear()
        forget()
        again = netsmith.load(run.path, code=run.path / "code.py", notice=quiet)
        assert again.predict([[[0] * 8] * 8]) == run.predict([[[0] * 8] * 8])
    changed = tmp_path / "changed.py"
    changed.write_text(mine.read_text() + "# another\n")
    with pytest.raises(ConfigError, match=r"files of your own that differ \(mine.py, changed.py\)"):
        netsmith.train(changed, start=start.path, code=mine, notice=quiet)
    common = netsmith.train("mlp_digits", sets=sets, notice=quiet)
    with pytest.raises(ConfigError, match="a recipe needs none"):
        netsmith.train("mlp_digits", start=common.path, code=mine, sets=sets, notice=quiet)
    file = tmp_path / "teacher.py"
    file.write_text(OWN_RECIPE)
    teacher = netsmith.train(file, notice=quiet)
    digits = {"kind": "digits", "twin": True, "batch": 500}
    sets = {"data": digits, "epochs": 0, "steps": 1, "method.model.hidden": [8]}
    sets |= {"method.teacher.hidden": [16], "method.teacher.dropout": 0.0}
    with pytest.raises(RunError, match="needs it: --code FILE"):
        netsmith.train("hinton_mnist", teacher=teacher.path, sets=sets, notice=quiet)
    assert netsmith.train("hinton_mnist", teacher=teacher.path, code=file, sets=sets, notice=quiet).figures()


def test_a_run_of_own_code_needs_that_very_file(mine, capsys):
    netsmith.train(mine, notice=quiet)
    before = netsmith.load("runs/mine", code=mine, notice=quiet).predict([[[0] * 8] * 8])
    forget()
    capsys.readouterr()
    with pytest.raises(RunError, match=r"made from your own file 'mine.py' and needs it: --code FILE"):
        netsmith.load("runs/mine").predict([[[0] * 8] * 8])
    changed = Path("changed.py")
    changed.write_text(MINE + "# changed\n")
    with pytest.raises(RunError, match=r"changed.py has SHA-256 .*, the run was made from .*; nothing was executed"):
        netsmith.load("runs/mine", code=changed).predict([[[0] * 8] * 8])
    assert "EXECUTED" not in capsys.readouterr().out
    for code in (mine, "runs/mine/code.py"):
        forget()
        assert netsmith.load("runs/mine", code=code, notice=quiet).predict([[[0] * 8] * 8]) == before


def test_the_commands_that_are_told_can_be_typed(mine, capsys, monkeypatch):
    from netsmith.engine.engine import Engine

    def interrupt(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "fit", interrupt)
        assert main(["train", "mine.py", "--set", "method.model.width=5"]) == 130
    command = capsys.readouterr().err.strip().partition("go on with: netsmith ")[2]
    assert command == "resume runs/mine --code runs/mine/code.py"
    forget()
    assert main(command.split()) == 0
    command = capsys.readouterr().out.strip().splitlines()[-1]
    assert command == "next: netsmith explain runs/mine --code runs/mine/code.py"
    forget()
    assert main(["report", "runs/mine", "--code", "mine.py"]) == 0
    page = (Path("runs/mine") / "report.html").read_text()
    assert "netsmith train runs/mine/code.py --set method.model.width=5\n" in page
    assert "netsmith report runs/mine --code runs/mine/code.py" in page


def test_a_changed_copy_is_not_executed_for_its_command(mine, capsys):
    netsmith.train(mine, notice=quiet)
    (Path("runs/mine") / "code.py").write_text("raise SystemError('executed')")
    assert main(["report", "runs/mine", "--code", "mine.py"]) == 0
    assert "executed" not in capsys.readouterr().err


def test_the_verbs_take_the_code(mine, capsys):
    assert main(["train", "mine.py"]) == 0
    for verb in ("evaluate", "report", "compare"):
        forget()
        assert main([verb, "runs/mine"]) == 2
        assert "--code FILE" in capsys.readouterr().err
        assert main([verb, "runs/mine", "--code", "mine.py"]) == 0, capsys.readouterr().err
    assert main(["train", "runs/mine", "--code", "mine.py", "--set", "seed=1", "--name", "again"]) == 0
    assert main(["compare", "runs/mine", "runs/again", "--code", "mine.py", "--code", "mine.py"]) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "own.py defines no experiment; expected: experiment = Experiment.Config"),
        ("import nosuchmodule\n", "own.py, line 1: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("x = 1\ny = x +\n", "own.py, line 2: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(3)\n", "own.py, line 2: SystemExit: 3"),
        ("\n\nraise RuntimeError('a\\nb' * 400)\n", "own.py, line 3: RuntimeError: a b"),
        (MINE.replace("epochs=1", "epoch=1"), "Experiment.Config has no field 'epoch'; did you mean 'epochs'?"),
        ("\0", "own.py"),
        (MINE.replace("num_classes: int", "num_classes: inty"), "own.py, line 20: NameError: name 'inty' is not"),
        ("from __future__ import annotations\n" + MINE.replace("epochs=1", "steps=0"), "steps must be at least 1"),
    ],
)  # fmt: skip
def test_a_recipe_file_that_fails_is_one_line(text, message, capsys):
    Path("own.py").write_text(text)
    assert main(["train", "own.py"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1
    assert message in lines[0]
    assert len(lines[0]) < 400
    assert not Path("runs").exists()


def test_exactly_the_hashed_bytes_are_kept(mine):
    code = load_code(mine)
    mine.write_text("# another text\n")
    assert hashlib.sha256(code.source).hexdigest() == code.sha256
    assert code.kinds.keys() == {("model", "mynet")}


# -- experiments in JSON ----------------------------------------------------------------------------------------------


@pytest.fixture
def form():
    found = find("mlp_digits", sets={"data.twin": True, "epochs": 1})
    return write_form(found, found.config)


def test_the_form_is_read_back(form):
    found = read_experiment(json.loads(json.dumps(form)))
    assert (found.name, found.recipe) == ("mlp_digits", "mlp_digits")
    assert write_form(found, found.config) == form


def put(form, path, value):
    inner = form["experiment"]
    *heads, last = path.split(".")
    for head in heads:
        inner = inner[head]
    inner[last] = value


ATTACKS = [
    ("method.model", {"kind": "os.system", "command": "touch owned"}, "no model of kind 'os.system'"),
    ("method.model", "os.system", "no model of kind 'os.system'"),
    ("method.model", {"kind": "netsmith.models.tabular.mlp"}, "no model of kind 'netsmith.models.tabular.mlp'"),
    ("method.model", {"kind": "../../owned"}, "no model of kind '../../owned'"),
    ("method.model", {"kind": "__init__"}, "no model of kind '__init__'"),
    ("method.model", {"kind": "_perceptron"}, "no model of kind '_perceptron'"),
    ("method.model", {"kind": "digits"}, "no model of kind 'digits'"),
    ("method.model", {"kind": ["mlp"]}, "the kind of a model is a name, got ('mlp',)"),
    ("method.model", {"kind": None}, "the kind of a model is a name, got None"),
    ("method.model", {}, "a model config needs its kind, a name"),
    ("method.model", 3, "method.model"),
    ("method.model", {"kind": "mlp", "__class__": "x"}, "has no field '__class__'"),
    ("method", {"kind": "mlp"}, "no method of kind 'mlp'"),
    ("roles", {"kind": "mlp"}, "has no field 'roles'"),
    ("data", {"kind": "nosuch"}, "no data of kind 'nosuch'"),
    ("epochs", 1.5, "epochs"),
    ("epochs", "1", "epochs"),
    ("seed", True, "seed"),
    ("seed", -1, "seed"),
    ("hooks", {"a": 1}, "hooks"),
]


@pytest.mark.parametrize(("path", "value", "message"), ATTACKS)
def test_hostile_json_runs_nothing(form, path, value, message, capsys, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something was executed")

    monkeypatch.setattr(os, "system", refuse)
    put(form, path, value)
    Path("experiment.json").write_text(json.dumps(form))
    before = set(sys.modules)
    assert main(["train", "experiment.json"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err
    assert not Path("runs").exists()
    assert not Path("owned").exists()
    new = {name for name in set(sys.modules) - before if not name.startswith(("netsmith.", "sklearn", "scipy"))}
    assert not {name for name in new if "owned" in name or name in ("os.system", "pickle5")}


def nested(depth):
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("null", "not an experiment file: expected {'format': 1"),
        ("[1]", "got a list of 1"),
        ("{}", "not an experiment file"),
        ('{"format": 2, "name": "x", "experiment": {}}', "not an experiment file"),
        ('{"format": 1, "name": "x", "experiment": []}', "not an experiment file"),
        ('{"format": 1, "name": 3, "experiment": {}}', "got name 3"),
        ('{"format": 1, "name": "x", "experiment": {"seed": NaN}}', "NaN is not a JSON number"),
        ('{"format": 1, "name": "x", "experiment": {"seed": Infinity}}', "Infinity is not a JSON number"),
        ('{"format": 1, "name": "x", "experiment": {"seed": 1e999}}', "Experiment.Config"),
        ('{"format": 1, "name": "x", "experiment": {}}', "Experiment.Config.method is required and was not given"),
        ('{"format": 1, "name": "x", "experiment": ' + nested(400) + "}", "Experiment.Config.method is required"),
        ('{"format": 1, "name": "x", "experiment": {"method": ' + nested(400) + "}}", "config needs its kind"),
        ('{"format": 1, "name": "x", "experiment": {"data": ' + nested(800) + "}}", "nested too deeply"),
        ('{"format": 1, "name": "x", "experiment": ' + nested(100_000) + "}", "is not JSON"),
        ('{"format": 1, "name": "x", "experiment": {}, "code": {"sha256": 1}}', "code must name a sha256"),
        ('{"format": 1, "name": "x", "experiment": {}, "code": {"sha256": "0"}}', "needs it: --code FILE"),
        ('{"format": 1, "name": "x", "experiment": {}, "code": "os.system"}', "code must name a sha256"),
        ("\ufeff{}", "is not JSON"),
        ('"' + "\\ud800" + '"', "not an experiment file"),
    ],
)
def test_malformed_json_is_one_line(text, message, capsys):
    Path("experiment.json").write_text(text, encoding="utf-8")
    assert main(["train", "experiment.json"]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err
    assert len(err) < 400
    assert not Path("runs").exists()


def test_a_name_in_json_cannot_lead_elsewhere(form, capsys):
    form["name"] = "../../elsewhere"
    Path("experiment.json").write_text(json.dumps(form))
    assert main(["train", "experiment.json"]) == 2
    assert "a run cannot be named '../../elsewhere'" in capsys.readouterr().err


def test_a_recipe_that_is_gone_does_not_matter(form):
    form["recipe"] = "no_longer_there"
    found = read_experiment(form)
    assert (found.recipe, found.card) == ("no_longer_there", None)


# -- settings ---------------------------------------------------------------------------------------------------------


def test_sets_are_json_or_text():
    found = parse_sets(["a=1", "b.c=[1, 2]", "d=dev/x", "e=true", 'f="1"', "g=", "h=a=b", "i={bad"])
    expected = {"a": 1, "b.c": [1, 2], "d": "dev/x", "e": True, "f": "1", "g": "", "h": "a=b", "i": "{bad"}
    assert found == expected
    for text in ("x=NaN", "x=[1, Infinity]", "x", "=1"):
        with pytest.raises(ConfigError):
            parse_sets([text])
    assert parse_sets(["x=" + "[" * 5000])["x"] == "[" * 5000


def test_auto_left_open_is_named():
    from netsmith.models.tabular.mlp import MLP

    with pytest.raises(ConfigError, match=r"MLP.Config.in_features is left to the data \('auto'\); set it, or build"):
        MLP.Config().build()
