"""The verbs from Python."""

import json
from pathlib import Path

import pytest

import netsmith
from netsmith.api.run import compare
from netsmith.core.errors import ConfigError, RunError, UnknownNameError
from netsmith.engine.hook import Hook


def quiet(line):
    pass


def train(**named):
    named["sets"] = {"data.twin": True, "epochs": 1} | named.get("sets", {})
    return netsmith.train("mlp_digits", notice=quiet, **named)


def test_the_top_level_holds_five_names():
    public = [name for name in dir(netsmith) if not name.startswith("_")]
    assert public == ["from_module", "import_weights", "load", "systems", "train"]
    for name in public:
        assert getattr(netsmith, name).__doc__
        assert f":func:`{name}`" in netsmith.__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = netsmith.nothing


def test_systems_are_the_catalogue():
    found = {row["name"]: row for row in netsmith.systems()}
    assert found["mlp_digits"]["claims"][0]["metric"] == "test/accuracy"


def test_a_run_has_the_verbs(tmp_path):
    run = train()
    assert repr(run) == "Run('runs/mlp_digits')"
    assert run.figures() == netsmith.load(run.path).figures()
    assert run.evaluate("dev")["dev/loss"] == pytest.approx(run.figures()["dev/loss"], abs=1e-6)
    prediction = run.predict([[[0.0] * 8] * 8])[0]
    assert prediction["label"] in run.network.spec.outputs.names
    assert [line["step"] for line in run.journal()][-1] == 4
    found = run.compare(train(sets={"seed": 1}))
    assert [row["run"] for row in found["runs"]] == ["mlp_digits", "mlp_digits-2"]
    assert found["differs"] == {"seed": [0, 1]}
    assert compare(["runs/mlp_digits"])["differs"] == {}
    page = run.report()
    assert page.read_text().startswith("<!DOCTYPE html>")
    report = run.export(tmp_path / "x.onnx")
    assert report["path"] == str(tmp_path / "x.onnx")


def test_errors_are_of_the_tree():
    with pytest.raises(UnknownNameError, match="did you mean 'mlp_digits'"):
        netsmith.train("mlp_digit")
    with pytest.raises(ConfigError, match="did you mean 'twin'"):
        netsmith.train("mlp_digits", sets={"data.twim": True})
    with pytest.raises(RunError, match="is not a run folder"):
        netsmith.load("nowhere")
    assert not Path("runs").exists()


class Cut(Hook):
    order = 100

    def after_step(self, engine, logs):
        if engine.step == 2:
            raise RuntimeError("cut")


def test_resume_from_python():
    sets = {"checkpoint_every": 1, "evaluate_every": 1}
    whole = train(sets=sets, name="whole")
    with pytest.raises(RuntimeError, match="cut"):
        train(sets=sets, name="cut", hooks=[Cut()])
    run = netsmith.load("runs/cut", notice=quiet)
    with pytest.raises(RunError, match="cut is not finished; go on with: netsmith resume runs/cut"):
        run.figures()
    resumed = run.resume()
    assert resumed.figures() == whole.figures()
    with pytest.raises(RunError, match="runs/cut is finished; there is nothing to resume"):
        resumed.resume()


def test_a_distillation_takes_its_teacher_from_a_run():
    sets = {"data.twin": True, "epochs": 0, "steps": 2, "data.batch": 8}
    teacher = netsmith.train("resnet20_fashion_mnist", sets=sets, notice=quiet)
    student = netsmith.train("student_fashion_mnist", sets=sets, teacher=teacher.path, notice=quiet)
    taught = dict(student.method.teacher.state_dict())
    for name, value in teacher.network.module.state_dict().items():
        assert taught[name].equal(value), name
    with pytest.raises(RunError, match="Supervised takes no teacher; use a distillation recipe"):
        train(teacher=teacher.path)
    other = netsmith.train("resnet20_fashion_mnist", sets=sets | {"method.model.depth": 8}, name="other", notice=quiet)
    with pytest.raises(ConfigError, match="the teacher's weights do not fit") as caught:
        netsmith.train("student_fashion_mnist", sets=sets, teacher=other.path, notice=quiet)
    assert len(str(caught.value)) < 500
    labels = "the teacher answers 0, 1, 2, .*, the student's data have T-shirt/top, .*: expected the same labels"
    with pytest.raises(ConfigError, match=labels):
        netsmith.train("student_fashion_mnist", sets=sets, teacher=train(name="mlp").path, notice=quiet)
    assert sorted(path.name for path in Path("runs").iterdir()) == sorted(
        ["resnet20_fashion_mnist", "student_fashion_mnist", "mlp", "other"]
    )


def test_an_averaged_network_is_what_is_loaded():
    run = train(sets={"hooks": [{"kind": "ema", "decay": 0.5}]})
    loaded = netsmith.load(run.path)
    assert loaded.evaluate("test") == pytest.approx(
        {name: run.figures()[name] for name in ("test/accuracy", "test/loss")}, abs=1e-9
    )


def test_the_selected_checkpoint_is_what_is_loaded():
    run = train(sets={"epochs": 3, "select": "dev/loss", "select_mode": "max", "evaluate_every": 1})
    saved = json.loads((run.path / "evaluation.json").read_text())
    assert saved["step"] < saved["steps"] == 12
    assert netsmith.load(run.path).evaluate("dev")["dev/loss"] == pytest.approx(saved["figures"]["dev/loss"], abs=1e-6)
