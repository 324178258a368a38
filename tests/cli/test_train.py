import json
from pathlib import Path

import pytest

from own import write_own_data, write_table

TWIN = "--set data.twin=true --set epochs=1"


@pytest.fixture
def data(tmp_path):
    return write_own_data(tmp_path / "d")


def test_train_tells_what_it_did(netsmith):
    code, out, err = netsmith(f"train mlp_digits {TWIN}")
    assert code == 0
    assert "run: runs/mlp_digits\nnext: netsmith explain runs/mlp_digits\n" in out
    assert "test/accuracy" in out
    assert "Traceback" not in err
    folder = Path("runs/mlp_digits")
    names = {file.name for file in folder.iterdir()}
    assert {"experiment.json", "schema.json", "environment.json", "metrics.jsonl", "evaluation.json"} <= names
    assert netsmith(f"train mlp_digits {TWIN} --name mlp_digits").out.splitlines()[-1].endswith("runs/mlp_digits-2")


def test_train_json_is_json_alone(netsmith):
    code, out, _ = netsmith(f"train mlp_digits {TWIN} --json")
    found = json.loads(out)
    assert code == 0
    assert found["run"] == "runs/mlp_digits"
    assert set(found["figures"]) == {"dev/accuracy", "dev/loss", "test/accuracy", "test/loss"}


def test_a_variant_and_a_run_folder_as_targets(netsmith):
    sets = "--set data.twin=true --set epochs=0 --set steps=4"
    assert netsmith(f"train distilled_mnist:alone {sets}").code == 0
    saved = json.loads(Path("runs/distilled_mnist-alone/experiment.json").read_text())
    assert saved["recipe"] == "distilled_mnist:alone"
    assert saved["experiment"]["method"]["alpha"] == 0.0
    assert netsmith("train runs/distilled_mnist-alone --set seed=1 --name again").code == 0
    again = json.loads(Path("runs/again/experiment.json").read_text())
    assert again["experiment"] == saved["experiment"] | {"seed": 1}
    assert netsmith("train runs/again/experiment.json --name third").code == 0
    assert Path("runs/third/evaluation.json").read_bytes() == Path("runs/again/evaluation.json").read_bytes()


def test_a_recipes_name_means_the_recipe_beside_a_folder_of_that_name(netsmith):
    assert netsmith(f"train mlp_digits {TWIN} --root . --set seed=3").code == 0
    assert netsmith(f"train mlp_digits {TWIN} --root .").code == 0
    assert netsmith("train ./mlp_digits --root .").code == 0
    files = [Path(f"mlp_digits{number}/experiment.json") for number in ("", "-2", "-3")]
    assert [json.loads(file.read_text())["experiment"]["seed"] for file in files] == [3, 0, 3]


def test_set_takes_nested_json_and_text(netsmith):
    sets = ["--set", "method.model.hidden=[7, 5]", "--set", "method.model.activation=tanh"]
    code, out, _ = netsmith(f"train mlp_digits {TWIN} --dry-run --json", *sets)
    assert code == 0
    assert [row["output"] for row in json.loads(out)["layers"] if row["type"] == "Linear"] == [[7], [5], [10]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("mlp_digit", "no recipe named 'mlp_digit'; did you mean 'mlp_digits'"),
        ("distilled_mnist:x", "no variant of distilled_mnist named 'x'"),
        ("./nope.py", "cannot read the recipe file nope.py: No such file or directory"),
        ("runs/nope", "runs/nope does not exist; expected a recipe's name, a .py file or a run folder"),
        ("runs/nope/experiment.json", "nope/experiment.json does not exist"),
        ("''", "no target is given; expected a recipe's name (netsmith list), a .py file or a run folder"),
        ("./", ". is not a run folder: it has no experiment.json"),
        ("mlp_digits --set data.twim=true", "data.twim: Digits.Config has no field 'twim'; did you mean 'twin'?"),
        ("mlp_digits --set method.model.hiden=[8]", "MLP.Config has no field 'hiden'; did you mean 'hidden'?"),
        ("mlp_digits --set method.model=mlpp", "no model of kind 'mlpp'; did you mean 'mlp'?"),
        ("mlp_digits --set optimizers.modl.lr=1", "no entry 'modl'; did you mean 'model'?"),
        ("mlp_digits --set nope", "--set 'nope': expected path=value"),
        ("mlp_digits --set =1", "expected path=value"),
        ("mlp_digits --set seed=1 --set seed=2", "--set seed is given twice"),
        ("mlp_digits --set optimizers.model.lr=NaN", "NaN is not a number that a setting can have"),
        ("mlp_digits --set optimizers.model.lr=1e999", "should be a finite number"),
        ("mlp_digits --set steps=abc", "Experiment.Config.steps: input should be a valid integer (got 'abc')"),
        ("mlp_digits --set steps=7", "steps=7 contradicts epochs=40"),
        ("mlp_digits --set data.batch=0", "Digits.Config.batch: input should be greater than 0 (got 0)"),
        ("mlp_digits --set data=nosuch", "no data of kind 'nosuch'"),
        ("mlp_digits --set data.twin=true --set select=dev/acuracy", "select: no figure 'dev/acuracy'; did you mean"),
        ("mlp_digits --set data.twin=true --set select=dev/loss --set data.dev=0", "needs a dev split"),
        ("mlp_digits --set data.twin=true --set method.model.num_outputs=3", "num_outputs is 3, but digits says 10"),
        ("mlp_digits --set data.twin=true --set optimizers={}", "no optimizer for player 'model'"),
        ("mlp_digits --set data.twin=true --set device=cuda", "this torch sees no GPU"),
        ("mlp_digits --name ../x", "a run cannot be named '../x'"),
        ("mlp_digits --name ''x/y", "a run cannot be named 'x/y'"),
        ("mlp_digits --code x.py", "--code belongs to a run that was made from your own file"),
        ("mlp_digits --teacher runs/nope", "runs/nope is not a run folder"),
        ("mlp_digits --data nope", "nope: does not exist"),
        ("image_classifier", "path is empty; expected a folder or archive (--data PATH)"),
        (
            "student_fashion_mnist --set data.twin=true",
            "the teacher has no weights: give a finished run with --teacher",
        ),
        ("mlp_digits --nope", "No such option: --nope"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(netsmith, arguments, message, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = netsmith(f"train {arguments}")
    assert found.code == 2
    assert message in found.line
    assert found.out == ""
    assert not any(Path("runs").glob("*"))


# -- a dry run --------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_all_and_leaves_no_folder(netsmith):
    code, out, err = netsmith(f"train mlp_digits {TWIN} --dry-run")
    assert (code, err) == (0, "")
    assert "digits: 520 training examples; image 1x8x8 in, 10 classes out" in out
    for name in ("parameters  4,810", "MACs        4,736 per example", "memory", "steps       4", "ETA"):
        assert name in out
    assert not list(Path().iterdir())


def test_a_dry_run_in_json(netsmith):
    code, out, _ = netsmith(f"train lenet5_mnist {TWIN} --dry-run --json")
    found = json.loads(out)
    assert code == 0
    assert (found["parameters"], found["macs"]) == (61706, 416520)
    assert found["memory_bytes"] - found["activation_bytes"] == 3 * 4 * 61706  # weights, gradients, momentum
    steps = found["step_ms"] / 1000 * found["steps"]
    assert found["eta_seconds"] == pytest.approx(steps + found["evaluation_seconds"])


def test_a_dry_run_refuses_what_training_refuses(netsmith):
    assert "runs/nope is not a run folder" in netsmith(f"train mlp_digits {TWIN} --dry-run --teacher runs/nope").line
    assert "--teacher RUN" in netsmith("train student_fashion_mnist --set data.twin=true --dry-run").line
    assert not Path("runs").exists()


# -- one's own data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "name", "line"),
    [
        ("image_classifier", "pictures", "read as image folder: 3 classes, 30 images, split 80/10/10, seed 0"),
        ("text_classifier", "texts.csv", "read as text table: 3 classes, 60 texts, split 80/10/10, seed 0"),
        ("text_classifier", "mixed.csv", "read as text table: 3 classes, 60 texts, split 80/10/10, seed 0"),
        ("table_classifier", "table.csv", "read as table: 2 classes, 60 rows, 3 columns, split 80/10/10, seed 0"),
        ("mlp_digits", "table.csv", "read as table: 2 classes, 60 rows, 3 columns, split 80/10/10, seed 0"),
    ],
)
def test_what_was_read_is_said_once(netsmith, data, recipe, name, line):
    code, _, err = netsmith(f"train {recipe} --data {data / name} --set epochs=1 --set data.batch=8")
    assert code == 0
    assert err.splitlines().count(line) == 1
    saved = json.loads(Path(f"runs/{recipe}/experiment.json").read_text())["experiment"]["data"]
    assert (saved["path"], saved["batch"]) == (str(data / name), 8)


def test_the_data_is_read_once(netsmith, data, monkeypatch):
    from netsmith.data import _columns

    reads = []
    read = _columns.read_table
    monkeypatch.setattr(_columns, "read_table", lambda path, **how: reads.append(path) or read(path, **how))
    assert netsmith(f"train table_classifier --data {data / 'table.csv'} --set epochs=1").code == 0
    assert len(reads) == 2  # once to see what it is, once to read it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("table_classifier --data d/pictures", "pictures holds pictures, which table_classifier does not take; try: "
         "netsmith train image_classifier --data d/pictures"),
        ("image_classifier --data d/table.csv", "try: netsmith train table_classifier --data d/table.csv"),
        ("text_classifier --data d/table.csv", "try: netsmith train table_classifier --data d/table.csv, or name the "
         "column of text: --set data.text=COLUMN"),
        ("table_classifier --data d/texts.csv", "try: netsmith train text_classifier --data d/texts.csv"),
        ("table_classifier --data d/values.csv", "values.csv: the target 'y' holds values, and the task is to classify;"
         " give --set method.task=regress --set select=dev/r2"),
        ("table_classifier --data d/values.csv --set method.task=regress", "select: no figure 'dev/accuracy'"),
        ("table_classifier --data d/table.csv --set data.target=lable", "has no column 'lable'; did you mean 'label'?"),
        ("table_classifier --data d/pictures/cat/0.png", "0.png: is one picture; expected the folder"),
        ("table_classifier --data d/ragged.csv", "ragged.csv, row 3: has 1 values; the header has 2 columns"),
    ],
)  # fmt: skip
def test_data_that_does_not_fit(netsmith, data, arguments, message):
    (data / "ragged.csv").write_text("a,label\n1,x\n2\n")
    found = netsmith(f"train {arguments}")
    assert found.code == 2
    assert message in found.line
    assert not Path("runs").exists()


def test_settings_say_how_data_is_read(netsmith, data):
    sets = "--set epochs=1 --set data.target=color"
    assert netsmith(f"train table_classifier --data d/table.csv {sets}").code == 0
    assert json.loads(Path("runs/table_classifier/schema.json").read_text())["outputs"]["names"] == ["blue", "red"]
    assert netsmith("train text_classifier --data d/table.csv --set data.text=color --set epochs=1").code == 0


def test_the_column_of_text_is_kept_for_predict(netsmith, data):
    assert netsmith("train text_classifier --data d/mixed.csv --set epochs=1").code == 0
    write_table(Path("new.csv"), ["note", "review"], [["x", "sun warm"], ["y", "snow ice"]])
    code, out, _ = netsmith("predict runs/text_classifier new.csv")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["row 2", "row 3"]


def test_regression_on_a_table(netsmith, data):
    sets = "--set method.task=regress --set select=dev/r2 --set epochs=1"
    code, out, _ = netsmith(f"train table_classifier --data d/values.csv {sets}")
    assert code == 0
    assert "test/r2" in out
    assert "next: netsmith report runs/table_classifier" in out
    code, out, _ = netsmith("predict runs/table_classifier", stdin=b"a,b\n1,2\n")
    assert out.startswith("row 2\ty=")
